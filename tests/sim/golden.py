"""Golden traces: for each feature a scenario and the list of events that it must lead to, for people to read.

`golden/NAME.yaml` has what a scenario changes in the world below, with a comment that says what happens and how to
reckon it; `golden/NAME.events` what follows, drawn from the tables of the run alone. To add a feature's trace, write
the scenario, then

    python -m tests.sim.golden NAME

prints its events. Reckon them by hand before they go into the file: a list that is only copied checks nothing.

**The world.** One device, `cameras-0`, sees a batch of one image at 0, 1, 2 and 3 s, predicts it in no time and
uploads it. An image is 100 bytes on its link (96 pixels and their length), an update 100 bytes (50 values of two),
and nothing adds headers. The link carries 100 bytes a second each way (0.0008 Mbit/s), so that either takes a second.
The cloud takes steps of Tent in no time, but only once there are a hundred samples, that is, never; with
`batch_size: 2` a step of two samples publishes a version. Learning rates are next to nothing: versions predict alike.

**The images.** There are ten, and every device sees them in their order, again and again. Image k is predicted as
class k // 2 with the probability that makes the entropy INFORMATION[k] nats; the other nine classes share the rest.
The loss of a step is the mean entropy of its samples, which tells them apart.

**Chance.** What "the seed gives" are the standard numbers that the random stream of that purpose draws, such as
`sim.streams.RandomStreams(7).generator("cameras-0/clock").standard_normal()`; everything else follows by the formulas.

**The lists.** A line has the time in seconds, who it is about, and what happened then, perhaps several things.
After a semicolon stands what became of it if it came to no end, at a time that the tables do not tell.
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import yaml

from sim.results import TABLES
from tests.conftest import TinyWorld

FOLDER = Path(__file__).with_suffix("")
INFORMATION = (1.0, 2.0, 0.4, 1.6, 0.8, 1.8, 0.6, 1.4, 0.2, 1.2)
STEEPNESS = 10
"""Of a pixel's brightness from 0 to 1, to a logit."""

NETWORK = f"""
from torch import nn


class Meter(nn.Module):
    '''Reads its logits off an image: that of class c is the brightness of row c.'''

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(25)

    def forward(self, x):
        return {STEEPNESS} * self.norm(x.expand(-1, 25, -1, -1)).mean((1, 3))[:, :10]


def build():
    return Meter()
"""

MODEL = {"factory": "network.py:build", "num_classes": 10, "mean": [0.0], "std": [1.0]}
GROUP = {
    "stream": {"rate_hz": 1.0, "batch_size": 1, "phase": "zero", "labels": "sorted"},
    "compute": {"gflops": math.inf},
    "link": {"uplink_mbps": 0.0008, "downlink_mbps": 0.0008, "header_bytes": 0},
    "upload_codec": "raw",
}
WORLD = {
    "name": "golden",
    "seed": 7,
    "duration_s": 3.5,
    "models": {"edge": MODEL | {"checkpoint": "edge.safetensors"}},
    "strategy": {"name": "tent", "statistics": "source", "batch_size": 100, "learning_rate": 1e-9},
    "cloud": {"gflops": math.inf},
}


def names() -> list[str]:
    """Return the names of all traces."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def prepare(folder: Path) -> TinyWorld:
    """Write the images, the network and the recordings that scenarios name into a folder."""
    from safetensors.numpy import save_file  # noqa: PLC0415

    images = np.zeros((10, 12, 8, 1), np.uint8)
    for number, nats in enumerate(INFORMATION):
        levels = 255 * 8 * _logit(nats) / STEEPNESS  # of the row's eight pixels together
        images[number, number // 2, :, 0] = (round(levels) + np.arange(8)) // 8
    np.savez(folder / "data.npz", images=images, labels=np.arange(10))
    (folder / "network.py").write_text(NETWORK, encoding="utf-8")
    norm = {
        "weight": np.ones(25),
        "bias": np.zeros(25),
        "running_mean": np.zeros(25),
        "running_var": np.ones(25),
    }
    state = {f"norm.{name}": values.astype(np.float32) for name, values in norm.items()}
    state["norm.num_batches_tracked"] = np.array(0)
    save_file(state, str(folder / "edge.safetensors"))
    for recording in (*FOLDER.glob("*.csv"), *FOLDER.glob("*.up")):
        shutil.copy(recording, folder)
    return TinyWorld(folder)


def _logit(nats: float) -> float:
    """Return by how much one class's logit must be above nine equal ones for an entropy, by bisection."""
    low, high = 0.0, float(STEEPNESS)
    for _ in range(50):
        middle = (low + high) / 2
        chances = np.exp([middle, *[0.0] * 9]) / (math.exp(middle) + 9)
        low, high = (middle, high) if -(chances * np.log(chances)).sum() > nats else (low, middle)
    return low


def trace(name: str, world: TinyWorld, folder: Path) -> list[str]:
    """Run a trace's scenario, record it into `folder`, and return its events."""
    changes = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")) or {}
    described = _merged(WORLD, changes)
    groups = described.get("groups", {"cameras": {}})
    described["groups"] = {group: _merged(GROUP, own or {}) for group, own in groups.items()}
    world.run(folder, **described)
    return events(folder, described["duration_s"])


def expected(name: str) -> list[str]:
    """Return the events that are written down for a trace."""
    return (FOLDER / f"{name}.events").read_text(encoding="utf-8").splitlines()


def _merged(base: Any, changes: Any) -> Any:
    """Return plain data with changes at any depth; a strategy that is named takes Tent's place as a whole."""
    if not isinstance(base, dict) or not isinstance(changes, dict) or "name" in changes:
        return changes
    return base | {key: _merged(base.get(key), value) for key, value in changes.items()}


class Event(NamedTuple):
    """A line of a list, in the order of its fields: what happens at one time is told from the device on."""

    time: int  # in nanoseconds
    place: int  # 0 the cloud, 1 a batch, 2 a message up, 3 a step, 4 a message down, 5 the account at the end
    who: str
    number: int
    what: str


Steps = list[tuple[float | None, str]]
"""What happens to one thing: seconds, or None where it never did, and a word."""
STILL = {
    "queued": "still queued",
    "in_flight": "still on its way",
    "in_progress": "still in progress",
    "unfinished": "still running",
}
"""How a list has the states in which the end of a run leaves things."""


def events(folder: Path, end_s: float) -> list[str]:
    """Return the events of a run that ended at `end_s`, one a line."""
    tables = {
        name: [_until(row, end_s) for row in pq.read_table(folder / name).to_pylist()] for name in TABLES
    }
    found = sorted(
        [
            *(event for row in tables["cloud.parquet"] for event in _of_cloud(row)),
            *(event for row in tables["batches.parquet"] for event in _of_batch(row)),
            *(event for row in tables["transfers.parquet"] for event in _of_transfer(row)),
            *(event for row in tables["updates.parquet"] for event in _of_step(row)),
            *(event for row in tables["devices.parquet"] for event in _of_device(row, end_s)),
        ]
    )
    # Columns of one width in all lists, so that another time changes no other line.
    return [f"{_shown(event.time):<11}  {event.who:<10}  {event.what}" for event in found]


def _until(row: dict[str, Any], end_s: float) -> dict[str, Any]:
    """Return a row without the times after the run's end that are known beforehand."""
    later = [
        name
        for name, value in row.items()
        if name.endswith("_s") and isinstance(value, float) and value > end_s
    ]
    return row | dict.fromkeys(later)


def _of_cloud(row: dict[str, Any]) -> Iterator[Event]:
    if row["event"] != "started":
        what = f"{row['event'].replace('_', ' ')}, {_count(row['accelerators'], 'accelerator')}"
        yield Event(_nanoseconds(row["time_s"]), 0, "cloud", 0, what)


def _of_batch(row: dict[str, Any]) -> Iterator[Event]:
    subject = f"batch {row['batch']}"
    if row["entropy"] is not None:
        subject += f" (entropy {fmean(row['entropy']):.2f})"
    by = "the cloud" if row["version"] is None else f"version {row['version']}"
    steps = [
        (row["arrival_s"], "arrives"),
        (row["start_s"], "begins"),
        (row["completion_s"], f"predicted by {by}"),
    ]
    fate = None if row["status"] == "predicted" else row["status"]
    yield from _told(1, row["device"], row["batch"], subject, steps, fate)


def _of_transfer(row: dict[str, Any]) -> Iterator[Event]:
    direction, status = row["direction"], row["status"]
    sent = "failed" if status == "failed" else "sent"
    if row["attempts"] > 1:
        sent += f" at attempt {row['attempts']}"
    if row["retransmitted_bytes"]:
        sent += f" with {row['retransmitted_bytes']} B lost"
    steps = [
        (row["queued_s"], f"queued ({_contents(row)})"),
        (row["start_s"], "begins"),
        (row["sent_s"], sent),
        (row["delivered_s"], "arrives"),
    ]
    fate = None if status in ("delivered", "failed") else status
    place = 2 if direction == "up" else 4
    yield from _told(place, row["device"], row["message"], f"{direction} {row['message']}", steps, fate)


def _contents(row: dict[str, Any]) -> str:
    """Return what a message brings, and its size."""
    content = row["kind"]
    if row["version"] is not None:
        content = f"version {row['version']}"
    elif row["samples"]:
        content = _count(row["samples"], row["kind"].removesuffix("s"))
    if row["quality"] is not None:
        content += f" of quality {row['quality']}"
    headers = f" + {row['header_bytes']} B of headers" if row["header_bytes"] else ""
    return f"{content}, {row['payload_bytes']} B{headers}"


def _of_step(row: dict[str, Any]) -> Iterator[Event]:
    finished = row["status"]
    if row["adaptation_loss"] is not None:
        finished += f", loss {row['adaptation_loss']:.2f}"
    if row["version"] is not None:
        finished += f", version {row['version']}"
    unfinished = row["status"] == "unfinished"
    steps = [
        (row["ready_s"], "ready"),
        (row["start_s"], "begins"),
        (None if unfinished else row["finish_s"], finished),
    ]
    kind = "step" if row["kind"] == "batch" else row["kind"]
    fate = "unfinished" if unfinished else None
    yield from _told(3, row["student"], row["step"], f"{kind} {row['step']}", steps, fate)


def _of_device(row: dict[str, Any], end_s: float) -> Iterator[Event]:
    states = ("withheld", "waiting", "refused", "lost_by_cloud")
    what = [
        f"{_count(row[f'samples_{state}'], 'sample')} {state}" for state in states if row[f"samples_{state}"]
    ]
    if row["present_s"] != end_s:
        what.append(f"present for {_shown(_nanoseconds(row['present_s']))} s")
    if row["busy_s"]:
        what.append(f"busy for {_shown(_nanoseconds(row['busy_s']))} s")
    if row["version"]:
        what.append(f"holds version {row['version']}")
    if what:
        yield Event(_nanoseconds(end_s), 5, row["device"], 0, ", ".join(what).replace("_", " "))


def _told(place: int, who: str, number: int, subject: str, steps: Steps, fate: str | None) -> Iterator[Event]:
    """Yield an event for each moment of something; the last one's line ends with its fate."""
    known = [(_nanoseconds(time), word) for time, word in steps if time is not None]
    moments = [
        (time, ", ".join(word for _, word in words)) for time, words in groupby(known, lambda step: step[0])
    ]
    for time, words in moments:
        ending = f"; {STILL.get(fate, fate)}" if fate is not None and time == moments[-1][0] else ""
        yield Event(time, place, who, number, f"{subject} {words}{ending}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _nanoseconds(time_s: float) -> int:
    return round(time_s * 10**9)


def _shown(time: int) -> str:
    """Return nanoseconds as exact seconds."""
    whole, part = divmod(time, 10**9)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".")


def main() -> None:
    """Print the events of the trace that the command names."""
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in names():
        sys.exit(f"{name!r} is no trace; in {FOLDER} are: {', '.join(names())}")
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(trace(name, prepare(Path(folder)), Path(folder) / "run")))


if __name__ == "__main__":
    main()
