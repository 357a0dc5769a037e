from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from analysis.traffic import candidates_by_device, ledgers, traffic_by_device


def test_adds_up_each_devices_transfers(cema: Path) -> None:
    traffic = traffic_by_device(cema).to_dict("index")
    assert traffic["wired-0"] == {"up": 1540, "down": 840, "retransmitted": 500, "uploaded": 4}
    assert traffic["wired-1"] == {"up": 2080, "down": 0, "retransmitted": 0, "uploaded": 6}


def test_what_has_not_started_is_not_sent_but_uploaded(cema: Path) -> None:
    waiting = traffic_by_device(cema).loc["lte-0"]
    assert waiting.to_dict() == {"up": 0, "down": 0, "retransmitted": 0, "uploaded": 5}


def test_no_transfers(source: Path) -> None:
    assert traffic_by_device(source).empty


def test_ledgers_hold_the_bytes_of_every_fate_and_of_channels(
    writer: Callable[..., Path], tmp_path: Path
) -> None:
    fates = (
        ("a", "delivered"),
        ("town/fleet", "delivered"),
        ("a", "failed"),
        ("a", "in_flight"),
        ("a", "queued"),
    )
    sizes = ("payload_bytes", "header_bytes", "retransmitted_bytes")
    rows = [
        {"device": device, "direction": "down", "status": status}
        | dict(zip(sizes, (100 * number, number, 10 * number), strict=True))
        for number, (device, status) in enumerate(fates, start=1)
    ]
    rows += [
        {"device": "a", "direction": "up", "status": status} | dict(zip(sizes, (7, 1, 2), strict=True))
        for status in ("dropped", "superseded", "delivered")
    ]
    assert ledgers(writer(tmp_path / "run", "cema", {"transfers": rows})) == {
        "downlink": {
            "queued_bytes": 500 + 5 + 50,
            "delivered_bytes": (100 + 1) + (200 + 2),
            "lost_bytes": 10 + 20 + 30,
            "in_flight_bytes": 400 + 4 + 40,
            "dropped_bytes": 300 + 3,
            "sent_bytes": 101 + 202 + 60 + 444,
        },
        "uplink": {
            "queued_bytes": 0,
            "delivered_bytes": 8,
            "lost_bytes": 2,
            "in_flight_bytes": 0,
            "dropped_bytes": 2 * (7 + 1 + 2),
            "sent_bytes": 10,
        },
    }


def test_what_an_uplink_lost_is_not_uploaded(writer: Callable[..., Path], tmp_path: Path) -> None:
    rows = [
        {"device": "a", "direction": "up", "status": status, "samples": samples}
        for status, samples in (
            ("delivered", 1),
            ("dropped", 2),
            ("failed", 4),
            ("in_flight", 8),
            ("queued", 16),
        )
    ]
    traffic = traffic_by_device(writer(tmp_path / "run", "offload", {"transfers": rows}))
    assert traffic.loc["a", "uploaded"] == 1 + 8 + 16


def test_what_is_predicted_or_asked_about_could_be_uploaded(
    writer: Callable[..., Path], tmp_path: Path
) -> None:
    """The edge model predicts one batch and is at another; of three questions one is answered and one never will be."""
    rows = [
        {"device": "a", "status": status, "samples": samples, "start_s": start_s, "version": version}
        for status, samples, start_s, version in (
            ("predicted", 1, 0.0, 0),
            ("in_progress", 2, 1.0, 0),
            ("predicted", 4, 0.0, None),
            ("in_progress", 8, 1.0, None),
            ("lost", 16, 2.0, None),
            ("dropped", 32, None, None),
            ("missed", 64, None, None),
        )
    ]
    folder = writer(tmp_path / "run", "offload", {"batches": rows})
    assert candidates_by_device(folder).to_dict() == {"a": 1 + 4 + 8 + 16}
