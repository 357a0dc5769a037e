"""Gathering folders of any kind for a comparison: single runs, folders of several strategies, and studies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.reading import ResultsError, has_tables, read_manifest, read_scenario, strategy_folders
from analysis.runs import Point, Run, Runs, is_study, labelled, read_runs, strategy_settings
from analysis.units import listed

_NOT_OF_THE_WORLD = ("strategy", "seed", "name", "description")
_MOST_FIELDS = 5
NOWHERE = "-"
"""The label, on an axis, of a run that does not lie on it."""


def gather(folders: Sequence[Path]) -> Runs:
    """Gather the runs of several folders under one set of labels.

    A strategy keeps its label where it comes from one folder only, or where the folders hold other seeds of the
    same settings in the same world; else the folder's name is added. A run outside of studies stands at the
    one point of the studies that has its world. Raises ResultsError where a folder is given twice or cannot be
    used.
    """
    names = _names(folders)
    studies = {name: read_runs(folder) for name, folder in names.items() if is_study(folder)}
    axes = tuple(dict.fromkeys(axis for study in studies.values() for axis in study.axes))
    worlds = _Worlds()
    of_studies = [
        replace(run, source=name, point=tuple(labels.get(axis, NOWHERE) for axis in axes))
        for name, study in studies.items()
        for run in study.runs
        for labels in [dict(zip(study.axes, run.point, strict=True))]
    ]
    found = list(of_studies)
    for name, folder in names.items():
        if name not in studies:
            runs = [replace(run, source=name) for run in _plain_runs(folder)]
            found += [_at_point(run, of_studies, worlds, axes) for run in runs]
    order = list(names)
    found = _relabelled(sorted(found, key=lambda run: order.index(run.source)), worlds)
    warnings = [*_cut_short(found), *_nowhere(found), *_other_worlds(found, worlds)]
    return Runs(" and ".join(names), axes, tuple(found), tuple(warnings))


def _names(folders: Sequence[Path]) -> dict[str, Path]:
    """Name each folder by the last part of its path, or by as many parts as tell it from the others."""
    places = [folder.resolve() for folder in folders]
    twice = [folder for folder, place in zip(folders, places, strict=True) if places.count(place) > 1]
    if twice:
        raise ResultsError(f"{twice[0]}: given twice; a comparison needs each folder once")
    names: dict[str, Path] = {}
    for folder, place in zip(folders, places, strict=True):
        tails = ("/".join(place.parts[-parts:]) for parts in range(1, len(place.parts) + 1))
        others = [str(other) for other in places if other != place]
        unlike = (tail for tail in tails if not any(other.endswith(f"/{tail}") for other in others))
        names[next(unlike, str(place))] = folder
    return names


def _plain_runs(folder: Path) -> list[Run]:
    """Find the runs in a folder that is not a study's; one that was interrupted counts as far as it came."""
    runs = []
    for label, place in strategy_folders(folder).items():
        manifest = read_manifest(place)
        status, error = str(manifest.get("status", "failed")), str(manifest.get("error") or "")
        if status == "interrupted" and has_tables(place):
            status, error = "done", f"interrupted after {manifest.get('simulated_s', 0):g} simulated seconds"
        runs.append(Run(label, int(manifest.get("seed", 0)), (), place, status, error))
    return runs


class _Worlds:
    """The worlds of runs: their scenarios but for strategy, seed and texts. Other seeds share one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, Point], dict[str, Any]] = {}

    def of(self, run: Run) -> dict[str, Any]:
        """Read a run's world, or recall that of another seed of the same strategy, point and folder."""
        key = (run.source, run.strategy, run.point)
        if key not in self._known:
            scenario = read_scenario(run.folder)
            self._known[key] = {
                name: value for name, value in scenario.items() if name not in _NOT_OF_THE_WORLD
            }
        return self._known[key]


def _at_point(run: Run, of_studies: list[Run], worlds: _Worlds, axes: tuple[str, ...]) -> Run:
    """Place a run at the one point of the studies that has its world, or else nowhere."""
    if not axes:
        return run
    nowhere = replace(run, point=(NOWHERE,) * len(axes))
    if not run.usable:
        return nowhere
    points = {other.point for other in of_studies if other.usable and worlds.of(other) == worlds.of(run)}
    return replace(run, point=points.pop()) if len(points) == 1 else nowhere


def _relabelled(found: list[Run], worlds: _Worlds) -> list[Run]:
    """Add the folder's name to the labels that would stand for two things."""
    by_label: dict[str, list[Run]] = {}
    for run in found:
        by_label.setdefault(run.strategy, []).append(run)
    ambiguous = {label for label, runs in by_label.items() if not _one_setting(runs, worlds)}
    return [
        replace(run, strategy=labelled(run.strategy, run.source)) if run.strategy in ambiguous else run
        for run in found
    ]


def _one_setting(found: list[Run], worlds: _Worlds) -> bool:
    """Whether runs of one label are one setting: from one folder, or other seeds of the same in the same world."""
    if len({run.source for run in found}) == 1:
        return True
    if any(run.point and set(run.point) == {NOWHERE} for run in found):
        return False
    if max(Counter((run.point, run.seed) for run in found).values()) > 1:
        return False
    firsts: dict[tuple[str, Point], Run] = {}
    for run in found:
        if run.usable:
            firsts.setdefault((run.source, run.point), run)
    settings = [strategy_settings(run.folder) for run in firsts.values()]
    at_point: dict[Point, dict[str, Any]] = {}
    same_worlds = [
        worlds.of(run) == at_point.setdefault(run.point, worlds.of(run)) for run in firsts.values()
    ]
    return all(other == settings[0] for other in settings) and all(same_worlds)


def _cut_short(runs: Sequence[Run]) -> list[str]:
    return [f"{run.strategy}, seed {run.seed}: {run.error}" for run in runs if run.usable and run.error]


def _nowhere(runs: Sequence[Run]) -> list[str]:
    outside = [run.strategy for run in runs if run.usable and run.point and set(run.point) == {NOWHERE}]
    return [
        f"{label} has the world of no single point of the studies, and stands alone"
        for label in dict.fromkeys(outside)
    ]


def _other_worlds(runs: Sequence[Run], worlds: _Worlds) -> list[str]:
    """Name the strategies whose scenarios differ from the first one's at the same point, and where."""
    firsts: dict[Point, Run] = {}
    differing: dict[tuple[str, str], dict[str, None]] = {}
    for run in runs:
        if run.usable:
            first = firsts.setdefault(run.point, run)
            fields = differing_fields(worlds.of(first), worlds.of(run))
            differing.setdefault((run.strategy, first.strategy), {}).update(dict.fromkeys(fields))
    return [
        f"the scenario of {label} differs from that of {first} in {listed(list(fields), _MOST_FIELDS)}: "
        "the difference between them is not the strategies' alone"
        for (label, first), fields in differing.items()
        if fields
    ]


def differing_fields(first: object, other: object, path: str = "") -> list[str]:
    """List the paths at which two scenarios, as plain data, differ; lists are compared as a whole."""
    if not isinstance(first, dict) or not isinstance(other, dict):
        return [] if first == other else [path]
    keys = dict.fromkeys([*first, *other])
    nested = (differing_fields(first.get(key), other.get(key), f"{path}.{key}".lstrip(".")) for key in keys)
    return [field for fields in nested for field in fields]
