"""What a study has to say at its end, beside its tables: what failed, and where stored runs come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.store import manifest_of
from sim.workers import TRACEBACK

if TYPE_CHECKING:
    from sim.study import Session
    from sim.units import Unit


def failures(session: Session) -> list[str]:
    """Return a line for each error, with the first unit that failed by it and how many others did."""
    by_error: dict[str, list[Unit]] = {}
    for unit in session.failed():
        by_error.setdefault(unit.error, []).append(unit)
    lines = []
    for error, (first, *others) in by_error.items():
        more = f" and {len(others)} more" if others else ""
        path = None if first.run is None else first.run.folder / TRACEBACK
        where = f" (traceback: {path})" if path is not None and path.is_file() else ""
        lines.append(f"{first.title}{more}: failed: {error}{where}")
    return lines


def notes(session: Session) -> list[str]:
    """Return a line if stored runs were made by another version, and one if runs come from different devices."""
    from sim.manifest import git_state, package_versions  # noqa: PLC0415

    commit, versions = (git_state() or {}).get("commit"), package_versions()
    done = [run for run in session.runs.values() if run.status == "done"]
    manifests = [(run, manifest_of(run.folder)) for run in done]
    others = sum(
        run.stored
        and (manifest.get("versions") != versions or (manifest.get("git") or {}).get("commit") != commit)
        for run, manifest in manifests
    )
    devices = sorted({str(manifest.get("device")) for _, manifest in manifests})
    told = []
    if others:
        were = "run was" if others == 1 else "runs were"
        told.append(
            f"{others} stored {were} made by another version of the code or its packages; "
            f"to make them again, delete their folders in {session.store}"
        )
    if len(devices) > 1:
        told.append(f"the runs were computed on different devices: {', '.join(devices)}")
    return told
