"""From a study file to its points; all mistakes in one message, before anything runs."""

from __future__ import annotations

import itertools
import math
import pathlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from scenarios import loader, mistakes, sentences, yaml_reader
from scenarios.loader import ScenarioError, dotted
from scenarios.overrides import Draft
from scenarios.points import BEHIND_THE_STUDY, Ablation, Findings, Point, PointMaker, Text
from scenarios.study import ABLATION, Study
from scenarios.yaml_reader import Path

LARGEST = 10_000
"""Points that the axes of a study may make."""

_ELSEWHERE = {
    "seed": "seeds belong in the study's `seeds`, or into --seeds",
    "strategy": "strategies belong in the study's `strategies`",
}


LIBRARY = pathlib.Path(__file__).parent / "studies"


def names() -> tuple[str, ...]:
    """Return the names of the packaged studies, sorted."""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.yaml")))


def describe(name: str) -> str:
    """Return the description of a packaged study."""
    data = loader.read(LIBRARY / f"{name}.yaml", f"{name}.yaml").data
    return str(data["description"])


@dataclass(frozen=True)
class Plan:
    """A study with all that the command line replaced, its points and its seeds."""

    study: Study
    points: tuple[Point, ...]
    seeds: tuple[int, ...]


def load(
    source: str | pathlib.Path, ablation: Ablation, overrides: Sequence[str] = (), seeds: str | None = None
) -> Plan:
    """Read and check a study file, or a packaged study by its name, with every one of its points.

    Raises ScenarioError with every mistake. `overrides` are like those of scenarios and win over the study's `set`;
    `seeds` replaces the study's. Files that scenarios name are relative to the base's folder, or to the study's where
    the base is packaged, or to the present folder where both are.
    """
    label, path = str(source), pathlib.Path(source)
    try:
        exists = path.is_file() or (path.exists() and label not in names())
    except (OSError, ValueError) as error:  # too long, a null byte
        raise ScenarioError(f"{sentences.shown(label)}: not the path of a file: {error}") from error
    if not exists and label in names():
        label, path = f"{label}.yaml", LIBRARY / f"{label}.yaml"
    elif not exists:
        raise ScenarioError(
            f"{label}: no such study file, and no packaged study; packaged: {', '.join(names())}"
        )
    document = loader.read(path, label)
    if not isinstance(document.data, dict):
        content = "is empty" if document.data is None else "is not a mapping"
        raise ScenarioError(f"{label}: {content}; a study has the fields: {', '.join(Study.model_fields)}")
    folder = pathlib.Path.cwd() if path.parent == LIBRARY else path.resolve().parent
    return _plan(Text(label, document), folder, ablation, overrides, seeds)


def ablate(
    source: str | pathlib.Path, ablation: Ablation, overrides: Sequence[str] = (), seeds: str | None = None
) -> Plan:
    """Plan the standard ablation of a scenario, which is a study without a file."""
    scenario = loader.load(source, overrides)
    path, label = loader.find(source)
    data = {
        "name": f"{scenario.name[:70]}-{ABLATION}",
        "base": path.stem if path.parent == loader.LIBRARY else str(path),
        "strategies": [ABLATION],
    }
    text = Text(label, yaml_reader.Document(data, {(): 1}, ()))
    return _plan(text, pathlib.Path.cwd(), ablation, overrides, seeds)


def read_seeds(text: str) -> tuple[int, ...]:
    """Read seeds as on a command line: 0-4, or 0,1,5, or both; ScenarioError where they are not."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        numbers = [number.strip() for number in ((first, last) if dash else (first,))]
        if not all(number.isascii() and number.isdecimal() and len(number) < 20 for number in numbers):
            raise ScenarioError(f"--seeds {text}: must be whole numbers and ranges, as in 0-4 or 0,1,5")
        low, high = int(numbers[0]), int(numbers[-1])
        if not low <= high < low + LARGEST:
            raise ScenarioError(f"--seeds {text}: {part.strip()} must go upwards, over {LARGEST} at most")
        found += range(low, high + 1)
    if len(set(found)) < len(found):
        raise ScenarioError(f"--seeds {text}: a seed is given twice")
    return tuple(found)


def _plan(
    text: Text, folder: pathlib.Path, ablation: Ablation, overrides: Sequence[str], seeds: str | None
) -> Plan:
    study, chosen = _study(text), None if seeds is None else read_seeds(seeds)
    path, base = _base(text, folder, study)
    packaged = path.parent == loader.LIBRARY
    axes = [list(axis.entries()) for axis in study.axes]
    count = math.prod(map(len, axes))
    if count > LARGEST:
        line = text.line(("axes",))
        raise ScenarioError(f"{text.label}:{line}: axes: make {count} points; at most {LARGEST} are allowed")
    findings = Findings()
    for problem in base.document.problems:
        findings.add(BEHIND_THE_STUDY + problem.line, loader.sentence(base.label, problem))
    for order, told in _conflicts(text, study, overrides):
        findings.add(order, told)
    maker = PointMaker(
        text,
        base,
        folder if packaged else path.resolve().parent,
        study.model_copy(update={"set": _left(study, overrides)}),
        overrides,
        ablation,
        tuple(map(len, axes)),
        findings,
    )
    points = [maker.point(entries) for entries in itertools.product(*axes)]
    if findings.found:
        raise ScenarioError(*findings.sentences())
    sound = tuple(point for point in points if point is not None)
    chosen = chosen or study.seeds or (sound[0].scenario.seed,)
    resolved = {
        "base": path.stem if packaged else str(path.resolve()),
        "set": _left(study, overrides) | _given(overrides),
        "seeds": chosen,
    }
    return Plan(study.model_copy(update=resolved), sound, chosen)


def _study(text: Text) -> Study:
    draft = Draft(Study, text.document.data, text.document.lines)
    found = [
        (float(problem.line), loader.sentence(text.label, problem)) for problem in text.document.problems
    ]
    try:
        study = Study.model_validate(draft.data)
    except ValidationError as error:
        explained = mistakes.explain(draft, error.errors(include_url=False))
        found += [loader.placed(draft, text.label, mistake) for mistake in explained]
    if found:
        raise ScenarioError(*dict.fromkeys(told for _, told in sorted(found)))
    return study


def _base(text: Text, folder: pathlib.Path, study: Study) -> tuple[pathlib.Path, Text]:
    """Return the base scenario's file and what it says; ScenarioError where it is none."""
    beside = folder / study.base
    try:
        packaged = study.base in loader.names() and not beside.is_file()
        path, label = (
            (loader.LIBRARY / f"{study.base}.yaml", f"{study.base}.yaml") if packaged else loader.find(beside)
        )
    except ScenarioError as error:
        near = sentences.suggestion(study.base, loader.names())
        known = ", ".join(loader.names())
        line = text.line(("base",))
        raise ScenarioError(f"{text.label}:{line}: base: {error}; {near}packaged: {known}") from error
    document = loader.read(path, label)
    if not isinstance(document.data, dict):
        raise ScenarioError(f"{label}: not a mapping with the fields of a scenario")
    return path, Text(label, document)


def _given(overrides: Sequence[str]) -> dict[str, object]:
    """Return the command line's values by path; without those that cannot be read, which are told when applied."""
    values: dict[str, object] = {}
    for override in overrides:
        path, equals, value = override.partition("=")
        try:
            read = yaml_reader.value(value)
        except yaml_reader.UnreadableError:
            continue
        if equals:
            values = {name: old for name, old in values.items() if not _covers(path.strip(), name)}
            values[path.strip()] = read
    return values


def _left(study: Study, overrides: Sequence[str]) -> dict[str, object]:
    """Return what the study sets, without what the command line replaces."""
    given = _given(overrides)
    return {
        name: value for name, value in study.set.items() if not any(_covers(path, name) for path in given)
    }


def _covers(path: str, other: str) -> bool:
    """Tell whether setting `path` replaces what was set at `other`."""
    return f"{other}.".startswith(f"{path}.")


def _conflicts(text: Text, study: Study, overrides: Sequence[str]) -> list[tuple[float, str]]:
    """Return what is wrong with the paths alone: fields with a place of their own, and fields set twice."""
    shown = {override.partition("=")[0].strip(): f"--set {override}" for override in overrides}
    found: list[tuple[float, str]] = []

    def check(name: str, place: Path, before: Iterable[str]) -> None:
        line = text.line(place)
        where = f"{text.label}:{line}: {dotted(place)}"
        if name in _ELSEWHERE:
            found.append((line, f"{where}: {_ELSEWHERE[name]}"))
        if not all(name.split(".")):
            found.append((line, f"{where}: must be path.to.field, as in groups.lte.link.loss"))
        lost = next((other for other in before if _covers(name, other)), None)
        if lost is not None:
            found.append((line, f"{where}: replaces what {shown.get(lost, f'`{lost}`')} sets; keep one"))

    found += [
        (loader.AFTER_THE_FILE, f"{shown[name]}: {_ELSEWHERE[name]}") for name in shown if name in _ELSEWHERE
    ]
    seen: list[str] = []
    for name in _left(study, overrides):
        check(name, ("set", name), seen)
        seen.append(name)
    seen += _given(overrides)
    for index, axis in enumerate(study.axes):
        fields: list[str] = []
        for entry in axis.entries():
            inside: list[str] = []
            for assignment in entry.assignments:
                check(assignment.field, ("axes", index, *assignment.place), [*seen, *inside])
                inside.append(assignment.field)
            fields += inside
        seen += dict.fromkeys(fields)
    return found
