"""Studies of the tiny world, and a pool that makes their runs in this very process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from scenarios.study_loader import Plan
    from sim.study import Session
    from sim.workers import Report, Task


class Inline:
    """Makes one run at a time, when it is asked for news; `made` has the tasks in order."""

    def __init__(self, compute: Callable[[Task], Report] | None = None, room: int = 1) -> None:
        self.compute = compute or really
        self.room = room
        self.tasks: list[Task] = []
        self.made: list[Task] = []

    @property
    def free(self) -> int:
        return self.room - len(self.tasks)

    def give(self, task: Task) -> None:
        assert self.free > 0
        self.tasks.append(task)

    def reports(self, timeout_s: float) -> Iterator[Report]:
        task = self.tasks[0]
        report = self.compute(task)
        self.made.append(self.tasks.pop(0))
        yield report

    def stop(self) -> Iterator[Report]:
        from sim.workers import Report  # noqa: PLC0415

        for task in self.tasks:
            yield Report(task.content_hash, "interrupted")


def really(task: Task) -> Report:
    """Make the run."""
    from sim.run import Options  # noqa: PLC0415
    from sim.workers import compute  # noqa: PLC0415

    return compute(task, Options("cpu", allow_code=True, figures=False))


@pytest.fixture
def inline() -> type[Inline]:
    """A pool without processes."""
    return Inline


@pytest.fixture
def plan(tiny: Any, tmp_path: Path) -> Callable[..., Plan]:
    """Plan a study with these fields, of two simulated seconds of one tiny device."""
    import yaml  # noqa: PLC0415

    from scenarios.study_loader import load  # noqa: PLC0415
    from sim.ablation import variants  # noqa: PLC0415

    base = tiny.write("base.yaml", duration_s=2.0, groups={"cameras": tiny.group()})

    def make(**fields: Any) -> Plan:
        path = tmp_path / "study.yaml"
        data = {"name": "tiny", "base": str(base)} | fields
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return load(path, variants)

    return make


@pytest.fixture
def session(plan: Callable[..., Plan], tmp_path: Path) -> Callable[..., Session]:
    """Open a session on a planned study, in the folder `out`, ready to run."""
    from sim.run import Options  # noqa: PLC0415
    from sim.study import Session  # noqa: PLC0415

    def make(**fields: Any) -> Session:
        made = Session(plan(**fields), tmp_path / "out", tmp_path / "out" / "runs")
        made.prepare(Options("cpu", allow_code=True, figures=False))
        return made

    return make
