"""The points of a study: each a complete scenario, checked like one, with its mistakes told as the study's own."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from scenarios import loader, mistakes, sentences
from scenarios.loader import dotted
from scenarios.mistakes import Mistake
from scenarios.overrides import Draft, OverrideError
from scenarios.schema import Scenario
from scenarios.structure import ABSENT
from scenarios.study import ABLATION, Entry, Study
from scenarios.yaml_reader import Document, Path

if TYPE_CHECKING:
    from models.strategies import Base as StrategySettings

Ablation = Callable[["StrategySettings"], list[dict[str, Any]]]
"""From the settings of the method to those of its variants."""

METHOD = "cema"
"""The strategy that the standard ablation takes apart."""

BEHIND_THE_STUDY = 1e9
"""What is added to the lines of the base, so that its mistakes stand behind those of the study."""


class Point(NamedTuple):
    """The text in each column of the axes, and the scenario with all strategies."""

    labels: dict[str, str]
    scenario: Scenario


class Text(NamedTuple):
    """What a file is called in messages, and what it says."""

    label: str
    document: Document

    def line(self, path: Path) -> int:
        """Return the line of what stands at `path`, or of what would hold it."""
        lines = self.document.lines
        return next(lines[path[:length]] for length in range(len(path), -1, -1) if path[:length] in lines)


class Place(NamedTuple):
    """Where a value that a draft was given stands, and how many points are given it."""

    text: Text
    path: Path
    points: int
    order: float = 0.0

    @property
    def origin(self) -> str:
        """Return the name under which a draft knows the place."""
        return f"{self.text.label}: {dotted(self.path)}"


@dataclass
class Findings:
    """Mistakes by their sentence, with the points that have them."""

    found: dict[str, tuple[float, int, list[dict[str, str]]]] = field(default_factory=dict)

    def add(self, order: float, told: str, labels: dict[str, str] | None = None, expected: int = 0) -> None:
        """Note a mistake; `expected` is how many points have it if it lies in one value alone."""
        at = self.found.setdefault(told, (order, expected, []))[2]
        at += [] if labels is None else [labels]

    def sentences(self) -> list[str]:
        """Return the mistakes in order; those that it takes several values to make say at which points."""
        told = []
        for sentence, (_, expected, at) in sorted(self.found.items(), key=lambda item: item[1][0]):
            where = ""
            if 0 < len(at) < expected:
                more = f" and {len(at) - 1} more" if len(at) > 1 else ""
                labels = ", ".join(f"{column}={value}" for column, value in at[0].items())
                where = f" (at {labels}{more})"
            told.append(sentence + where)
        return told


@dataclass
class PointMaker:
    """Puts the scenarios of a study together.

    Attributes:
        text, base: what the study and its base say.
        folder: what the scenarios' files are relative to.
        study: the study, `set` without what the command line replaces.
        overrides: what the command line replaces.
        ablation: gives the variants of the method.
        lengths: of the axes.
        findings: takes in what is wrong.

    """

    text: Text
    base: Text
    folder: pathlib.Path
    study: Study
    overrides: Sequence[str]
    ablation: Ablation
    lengths: tuple[int, ...]
    findings: Findings

    def point(self, entries: Sequence[Entry]) -> Point | None:
        """Return the point at one entry of each axis, or None after noting what is wrong with it."""
        labels = {column: value for entry in entries for column, value in entry.labels.items()}
        before = len(self.findings.found)
        draft = _PointDraft(self, labels)
        draft.put_strategies(self._given_strategies())
        for name, value in self.study.set.items():
            draft.put(name.split("."), value, self.place(("set", name)))
        for override in self.overrides:
            draft.override(override)
        for index, (entry, length) in enumerate(zip(entries, self.lengths, strict=True)):
            for name, value, path in entry.assignments:
                draft.put(name.split("."), value, self.place(("axes", index, *path), self.points // length))
        given = draft.validated()
        scenario = None if given is None else self._with_ablation(given, labels)
        return None if scenario is None or len(self.findings.found) > before else Point(labels, scenario)

    @property
    def points(self) -> int:
        """Return how many points there are in all."""
        return math.prod(self.lengths)

    def place(self, path: Path, points: int | None = None) -> Place:
        """Return a place in the study, at all points or at some."""
        return Place(self.text, path, self.points if points is None else points)

    def note(self, place: Place, told: str, labels: dict[str, str]) -> None:
        """Note what is wrong at a place."""
        line = place.text.line(place.path)
        where = f"{place.text.label}:{line}: {dotted(place.path)}"
        self.findings.add(place.order + line, f"{where}: {told}", labels, place.points)

    def _given_strategies(self) -> list[tuple[Any, Place]]:
        """Return the strategies that take the place of the base's, with where they stand.

        For an ablation that is to follow, the method itself is among them: from the study, or else from the base,
        or else with its defaults.
        """
        listed = self.study.strategies or ()
        explicit = [
            (item, self.place(("strategies", index))) for index, item in enumerate(listed) if item != ABLATION
        ]
        if ABLATION not in listed:
            return explicit
        own = list(self._strategies_of_the_base())
        chosen = explicit or own
        if not any(_is_method(item) for item, _ in chosen):
            default = (METHOD, self.place(("strategies", listed.index(ABLATION))))
            chosen.append(next((pair for pair in own if _is_method(pair[0])), default))
        return chosen

    def _strategies_of_the_base(self) -> Iterator[tuple[Any, Place]]:
        given = self.base.document.data.get("strategy")
        if isinstance(given, list):
            for index, item in enumerate(given):
                yield item, Place(self.base, ("strategy", index), self.points, BEHIND_THE_STUDY)
        elif given is not None:
            yield given, Place(self.base, ("strategy",), self.points, BEHIND_THE_STUDY)

    def _with_ablation(self, scenario: Scenario, labels: dict[str, str]) -> Scenario | None:
        """Return the scenario with the variants in the place of the word that stands for them."""
        listed = self.study.strategies or ()
        if ABLATION not in listed:
            return scenario
        given = scenario.model_dump(mode="json")
        explicit = given["strategy"][: len(listed) - 1]
        number, method = next(
            (number, each) for number, each in enumerate(scenario.strategy) if each.name == METHOD
        )
        variants = self.ablation(method)
        if number >= len(explicit):
            variants = [given["strategy"][number], *variants]
        position = listed.index(ABLATION)
        data = given | {"strategy": [*explicit[:position], *variants, *explicit[position:]]}
        try:
            return Scenario.model_validate(data, context={"folder": self.folder})
        except ValidationError as error:
            place = self.place(("strategies", position))
            for mistake in mistakes.explain(Draft(Scenario, data, {}), error.errors(include_url=False)):
                self.note(place, mistake.text, labels)
            return None


class _PointDraft:
    """One point before validation, with the place of everything that it was given."""

    def __init__(self, maker: PointMaker, labels: dict[str, str]) -> None:
        self.maker = maker
        self.labels = labels
        self.draft = Draft(Scenario, maker.base.document.data, maker.base.document.lines)
        self.places: dict[str, Place] = {}

    def put(self, parts: list[str], value: Any, place: Place) -> None:
        """Put a value of the study into the draft."""
        self.places[place.origin] = place
        try:
            self.draft.set(parts, value, place.origin)
        except OverrideError as error:
            self.maker.note(place, str(error), self.labels)

    def put_strategies(self, strategies: list[tuple[Any, Place]]) -> None:
        """Put a list of strategies in the place of the base's; an empty one leaves these."""
        if strategies:
            self.put(["strategy"], [], self.maker.place(("strategies",)))
        for number, (item, place) in enumerate(strategies):
            self.put(["strategy", str(number)], item, place)

    def override(self, text: str) -> None:
        """Apply what the command line replaces."""
        try:
            self.draft.override(text)
        except OverrideError as error:
            self.maker.findings.add(loader.AFTER_THE_FILE, f"--set {text}: {error}")

    def validated(self) -> Scenario | None:
        """Return the scenario, or None after noting its mistakes."""
        try:
            return Scenario.model_validate(self.draft.data, context={"folder": self.maker.folder})
        except ValidationError as error:
            for mistake in mistakes.explain(self.draft, error.errors(include_url=False)):
                self._add(mistake)
            return None

    def _add(self, mistake: Mistake) -> None:
        origin = self.draft.source(mistake.path)
        if not isinstance(origin, str) or origin not in self.places:
            order, told = loader.placed(self.draft, self.maker.base.label, mistake)
            self.maker.findings.add(BEHIND_THE_STUDY + order, told, self.labels, self.maker.points)
            return
        place, target = self.places[origin], self.draft.targets[origin]
        inside = mistake.path[: len(target)] == target
        path = place.path + mistake.path[len(target) :] if inside else place.path
        parts = [] if inside else [dotted(mistake.path)]
        parts += [] if mistake.value is ABSENT else [sentences.shown(mistake.value)]
        self.maker.note(place._replace(path=path), ": ".join([*parts, mistake.text]), self.labels)


def _is_method(item: Any) -> bool:
    return bool((item.get("name") if isinstance(item, dict) else item) == METHOD)
