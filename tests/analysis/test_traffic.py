from __future__ import annotations

from pathlib import Path

from analysis.traffic import traffic_by_device


def test_adds_up_each_devices_transfers(cema: Path) -> None:
    traffic = traffic_by_device(cema).to_dict("index")
    assert traffic["wired-0"] == {"up": 1540, "down": 840, "retransmitted": 500, "uploaded": 4}
    assert traffic["wired-1"] == {"up": 2080, "down": 0, "retransmitted": 0, "uploaded": 6}


def test_what_has_not_started_is_not_sent_but_uploaded(cema: Path) -> None:
    waiting = traffic_by_device(cema).loc["lte-0"]
    assert waiting.to_dict() == {"up": 0, "down": 0, "retransmitted": 0, "uploaded": 5}


def test_no_transfers(source: Path) -> None:
    assert traffic_by_device(source).empty
