"""Two small runs under common random numbers, small enough to add up by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from sim.results import MANIFEST, SCENARIO, TABLES

Rows = list[dict[str, Any]]

SCENARIO_DATA: dict[str, Any] = {
    "name": "small",
    "seed": 3,
    "duration_s": 40.0,
    "strategy": [{"name": "source"}, {"name": "cema", "label": "cema"}],
    "groups": {
        "wired": {
            "count": 2,
            "stream": {"rate_hz": 0.05},
            "compute": {"gflops": float("inf")},
            "schedule": [
                {"corruption": "none", "severity": 0, "duration_s": 20.0},
                {"corruption": "fog", "severity": 3, "duration_s": None},
            ],
        },
        "lte": {
            "count": 1,
            "stream": {"rate_hz": 0.05},
            "schedule": [{"corruption": "gaussian_noise", "severity": 5, "duration_s": None}],
        },
    },
}
MANIFEST_DATA = {"scenario": "small", "seed": 3, "status": "done", "simulated_s": 40.0, "wall_s": 1.5}

# device, batch, arrival_s, corruption, severity, correct of 10 with source, with cema; None: dropped
STREAM = [
    ("wired-0", 0, 1.0, "none", 0, 8, 8),
    ("wired-0", 1, 21.0, "fog", 3, 4, 8),
    ("wired-1", 0, 2.0, "none", 0, 6, 6),
    ("wired-1", 1, 22.0, "fog", 3, 2, 6),
    ("lte-0", 0, 3.0, "gaussian_noise", 5, 3, 5),
    ("lte-0", 1, 23.0, "gaussian_noise", 5, None, 7),
]
LATENCIES = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75]
AGES = [1.0, 14.0, 2.0, 15.0, 3.0, 16.0]


def _batches(which: int) -> Rows:
    rows = []
    for place, (device, batch, arrival, corruption, severity, *correct) in enumerate(STREAM):
        row: dict[str, Any] = {
            "device": device,
            "group": device.split("-")[0],
            "batch": batch,
            "status": "dropped",
            "arrival_s": arrival,
            "corruption": corruption,
            "severity": severity,
            "samples": 10,
        }
        if correct[which] is not None:
            row |= {"status": "predicted", "correct": correct[which], "version": 0, "flops": 7}
            row |= {"start_s": arrival, "completion_s": arrival + LATENCIES[place]}
            row |= {"version_age_s": AGES[place], "versions_behind": batch}
        rows.append(row)
    return rows


def _transfer(device: str, direction: str, sizes: tuple[int, int, int], **more: Any) -> dict[str, Any]:
    payload, header, retransmitted = sizes
    row = {
        "device": device,
        "group": device.split("-", maxsplit=1)[0],
        "direction": direction,
        "message": 0,
        "queued_s": 1.0,
    }
    row |= {"payload_bytes": payload, "header_bytes": header, "retransmitted_bytes": retransmitted}
    return row | {"start_s": 1.0, "samples": 0} | more


TRANSFERS_CEMA = [
    _transfer("wired-0", "up", (1000, 40, 500), samples=4, status="delivered", kind="samples"),
    _transfer("wired-1", "up", (2000, 80, 0), samples=6, status="in_flight", kind="samples"),
    _transfer("lte-0", "up", (3000, 120, 0), samples=5, status="queued", kind="samples", start_s=None),
    _transfer("wired-0", "down", (800, 40, 0), status="delivered", kind="update", version=1),
]
UPDATES_CEMA = [
    {"student": "fleet", "step": 0, "start_s": 5.0, "finish_s": 7.0, "flops": 100, "version": 1},
    {"student": "fleet", "step": 1, "start_s": 38.0, "finish_s": 44.0, "flops": 50, "version": None},
]
DEVICES = [
    {"device": device, "group": device.split("-")[0], "student": "fleet", "flops": 1_000}
    | {name: 0 for name in TABLES["devices.parquet"].names if name.endswith("_bytes")}
    for device in ("wired-0", "wired-1", "lte-0")
]


def _devices(with_ledger: bool) -> Rows:
    if not with_ledger:
        return DEVICES
    sent = [
        {"uplink_sent_bytes": 1540, "uplink_delivered_bytes": 1040, "uplink_lost_bytes": 500}
        | {"downlink_sent_bytes": 840, "downlink_delivered_bytes": 840},
        {"uplink_sent_bytes": 2080, "uplink_in_flight_bytes": 2080},
        {"uplink_queued_bytes": 3120},
    ]
    return [device | more for device, more in zip(DEVICES, sent, strict=True)]


def write_run(
    folder: Path, strategy: str, tables: dict[str, Rows], manifest: dict[str, Any] | None = None
) -> Path:
    """Write a result folder of one strategy; columns that a row leaves out are null."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(json.dumps(MANIFEST_DATA | {"strategy": strategy} | (manifest or {})))
    (folder / SCENARIO).write_text(yaml.safe_dump(SCENARIO_DATA, sort_keys=False))
    for name, schema in TABLES.items():
        rows = tables.get(name.removesuffix(".parquet"), [])
        columns = {column: [row.get(column) for row in rows] for column in schema.names}
        pq.write_table(pa.table(columns, schema=schema), folder / name)
    return folder


@pytest.fixture
def writer() -> Callable[..., Path]:
    return write_run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    tables = {"batches": _batches(0), "devices": _devices(with_ledger=False)}
    return write_run(tmp_path / "small-3" / "source", "source", tables)


@pytest.fixture
def cema(tmp_path: Path) -> Path:
    tables = {"batches": _batches(1), "devices": _devices(with_ledger=True)}
    tables |= {"transfers": TRANSFERS_CEMA, "updates": UPDATES_CEMA}
    return write_run(tmp_path / "small-3" / "cema", "cema", tables)


@pytest.fixture
def both(source: Path, cema: Path) -> Path:
    return source.parent
