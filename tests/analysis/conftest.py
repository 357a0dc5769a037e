"""Two small runs under common random numbers, small enough to add up by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from analysis.style import RC
from analysis.summary import write_summary
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
    folder: Path,
    strategy: str,
    tables: dict[str, Rows],
    manifest: dict[str, Any] | None = None,
    scenario: dict[str, Any] | None = None,
) -> Path:
    """Write a result folder of one strategy; columns that a row leaves out are null."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(json.dumps(MANIFEST_DATA | {"strategy": strategy} | (manifest or {})))
    (folder / SCENARIO).write_text(yaml.safe_dump(scenario or SCENARIO_DATA, sort_keys=False))
    for name, schema in TABLES.items():
        rows = tables.get(name.removesuffix(".parquet"), [])
        columns = {column: [row.get(column) for row in rows] for column in schema.names}
        pq.write_table(pa.table(columns, schema=schema), folder / name)
    return folder


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with matplotlib.rc_context(RC):
        yield


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


# What the two cameras of a study get right of ten in their three batches: clean, fog 5, clean. Some seeds are better.
RIGHT = {"source": (8, 2, 8), "cema": (8, 5, 7), "random-cema": (8, 4, 8)}
UPLINK = {"source": 0, "cema": 3_000, "random-cema": 3_000}
STUDY_SCHEDULE = [
    {"corruption": "none", "severity": 0, "duration_s": 10.0},
    {"corruption": "fog", "severity": 5, "duration_s": 10.0},
    {"corruption": "none", "severity": 0, "duration_s": None},
]


def right(label: str, seed: int, world: str = "mild") -> tuple[int, int, int]:
    """Count right answers: with odd seeds one less at first; CEMA has one more with seed 2 and in harsh fog."""
    first, fog, last = RIGHT.get(label, (8, 3, 8))
    better = label == "cema" and (seed == 2 or world == "harsh")
    return first - seed % 2, fog + better, last


def write_small_run(folder: Path, label: str, seed: int, counts: tuple[int, ...], **changes: Any) -> Path:
    """Write a run of two cameras with these counts of right answers; `changes` replace fields of the scenario."""
    settings: dict[str, Any] = {"name": "random_selection" if label.startswith("random-") else label}
    settings |= {"label": label} | ({"match": label.removeprefix("random-")} if "-" in label else {})
    camera = {"count": 2, "stream": {"rate_hz": 0.1}, "schedule": STUDY_SCHEDULE}
    scenario = {"name": "small", "description": "", "seed": seed, "duration_s": 30.0, "strategy": [settings]}
    scenario |= {"groups": {"cam": camera}} | changes
    batches = [
        {"device": device, "group": "cam", "batch": batch, "status": "predicted", "samples": 10}
        | {"corruption": shift["corruption"], "severity": shift["severity"], "correct": count, "flops": 7}
        | {"arrival_s": 1.0 + 10 * batch, "start_s": 1.0 + 10 * batch, "completion_s": 1.5 + 10 * batch}
        for device in ("cam-0", "cam-1")
        for batch, (shift, count) in enumerate(zip(STUDY_SCHEDULE, counts, strict=True))
    ]
    sent = UPLINK.get(label, 0)
    transfers = (
        [_transfer("cam-0", "up", (sent, 0, 0), samples=6, status="delivered", kind="samples")]
        if sent
        else []
    )
    nothing = {name: 0 for name in TABLES["devices.parquet"].names if name.endswith("_bytes")}
    devices = [{"device": f"cam-{i}", "group": "cam", "flops": 500} | nothing for i in range(2)]
    tables = {"batches": batches, "transfers": transfers, "devices": devices}
    return write_run(folder, label, tables, {"seed": seed}, scenario)


def write_study(
    folder: Path,
    labels: tuple[str, ...] = ("source", "cema", "random-cema"),
    seeds: range = range(5),
    worlds: tuple[str, ...] = ("mild", "harsh"),
    failed: tuple[tuple[str, int, str], ...] = (),
) -> Path:
    """Write a study with the axis `world`, or with no axis where there are no worlds; some runs failed."""
    rows = []
    folder.mkdir(exist_ok=True)
    for world in worlds or ("mild",):
        for label in labels:
            for seed in seeds:
                run = f"{world}{label}{seed}"
                row = {"run": run, "folder": f"runs/{run}", "strategy": label, "seed": seed}
                row |= {"status": "done", "error": ""} | ({"world": world} if worlds else {})
                if (label, seed, world) in failed:
                    row |= {"status": "failed", "error": "InputError: no weights"}
                else:
                    counts, changes = right(label, seed, world), {"data": {"npz": world}}
                    write_small_run(folder / "runs" / run, label, seed, counts, **changes)
                rows.append(row)
    pd.DataFrame(rows).to_csv(folder / "runs.csv", index=False)
    return folder


@pytest.fixture
def small_run() -> Callable[..., Path]:
    return write_small_run


@pytest.fixture
def study_writer() -> Callable[..., Path]:
    return write_study


@pytest.fixture(scope="session")
def study_as_left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_study(tmp_path_factory.mktemp("left") / "study")
    for run in (folder / "runs").iterdir():
        write_summary(run)
    return folder


@pytest.fixture
def study(study_as_left: Path, tmp_path: Path) -> Path:
    """A study of five seeds, three strategies and two worlds, for each test to do with as it likes."""
    return shutil.copytree(study_as_left, tmp_path / "study")
