"""From a scenario file, or the name of a packaged scenario, to a Scenario; all mistakes in one message."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from scenarios import mistakes, sentences, yaml_reader
from scenarios.mistakes import Mistake
from scenarios.overrides import Draft, OverrideError
from scenarios.schema import Scenario
from scenarios.settings import Settings
from scenarios.structure import ABSENT

LIBRARY = pathlib.Path(__file__).parent / "library"

PROFILED = ("compute", "link")
"""The parts of a group that a profile may fill in."""


class ScenarioError(Exception):
    """The scenario, or what was set from outside, is at fault; `mistakes` has one line for each mistake."""

    def __init__(self, *found: str) -> None:
        self.mistakes = tuple(map(_printable, found))
        super().__init__("\n".join(self.mistakes))


def names() -> tuple[str, ...]:
    """Return the names of the packaged scenarios, sorted."""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.yaml")))


def describe(name: str) -> str:
    """Return the description of a packaged scenario; ScenarioError where there is none of that name."""
    path, label = find(name)
    data = read(path, label).data
    return str(data.get("description") or "") if isinstance(data, dict) else ""


def load(source: str | pathlib.Path, overrides: Sequence[str] = (), seed: int | None = None) -> Scenario:
    """Read and check a scenario file, or a packaged scenario by its name.

    Files that it names are relative to its folder, those of a packaged one to the present folder. Each override is
    `path.to.field=value`; `seed` replaces the scenario's. Raises ScenarioError with every mistake.
    """
    path, label = find(source)
    document = read(path, label)
    if not isinstance(document.data, dict):
        fields = ", ".join(Scenario.model_fields)
        content = "is empty" if document.data is None else "is not a mapping"
        raise ScenarioError(f"{label}: {content}; a scenario has the fields: {fields}")
    draft = Draft(Scenario, document.data, document.lines)
    found: list[tuple[float, str]] = [
        (problem.line, sentence(label, problem)) for problem in document.problems
    ]
    found += [(AFTER_THE_FILE, text) for text in _apply(draft, overrides, seed)]
    try:
        folder = pathlib.Path.cwd() if path.parent == LIBRARY else path.resolve().parent
        scenario = Scenario.model_validate(draft.data, context={"folder": folder})
    except ValidationError as error:
        explained = mistakes.explain(draft, error.errors(include_url=False))
        found += [placed(draft, label, mistake) for mistake in explained]
    if found:
        raise ScenarioError(*dict.fromkeys(text for _, text in sorted(found, key=lambda pair: pair[0])))
    return scenario


def dump(settings: Settings) -> str:
    """Return a scenario or a study as YAML with every default written out; read back it is equal."""
    data = settings.model_dump(mode="json")
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def content_hash(scenario: Scenario, known: dict[pathlib.Path, str] | None = None) -> str:
    """Return the SHA-256, in hex, of the scenario with every default, files standing for their contents.

    What is only told of it stays out: its name and description, the strategies' labels, the profiles whose figures it
    holds, and whose budget a strategy has taken over where it is known. A folder stands for the names and sizes of all
    files in it: to read 50 000 images would take minutes. The result is the same for equal scenarios, wherever their
    files lie. What stands for files is looked up in `known` and noted there, so that many scenarios read the same files
    once.
    """
    told = scenario.model_dump(exclude={"name", "description"})
    for profiled in [told["cloud"], *(group[part] for group in told["groups"].values() for part in PROFILED)]:
        del profiled["profile"]
    told["groups"] = list(told["groups"].items())  # their order decides which device comes first
    for model in told["models"].values():
        place, _, function = (model or {}).get("factory", "").rpartition(":")
        if place.endswith(".py"):
            model["factory"] = (pathlib.Path(place), function)
    for strategy in told["strategy"]:
        del strategy["label"]
        if strategy.get("share") is not None:
            strategy.pop("match", None)
    data = _canonical(_with_contents(told, {} if known is None else known))
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _with_contents(data: object, known: dict[pathlib.Path, str]) -> object:
    if isinstance(data, dict):
        return {key: _with_contents(value, known) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_with_contents(value, known) for value in data]
    if isinstance(data, pathlib.Path):
        if data not in known:
            known[data] = _contents(data)
        return known[data]
    return data


def _contents(path: pathlib.Path) -> str:
    try:
        if path.is_dir():
            return f"names-and-sizes:{_folder_digest(path)}"
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error


def _folder_digest(folder: pathlib.Path) -> str:
    """Return the SHA-256, in hex, of the names, relative to the folder, and sizes of its files."""
    digest = hashlib.sha256()
    entered = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        folders.sort()
        if os.path.realpath(place) in entered:  # a link back into what is counted already
            folders.clear()
            continue
        entered.add(os.path.realpath(place))
        for name in sorted(files):
            path = pathlib.Path(place, name)
            size = path.stat().st_size if path.exists() else None  # a link may lead nowhere
            digest.update(os.fsencode(path.relative_to(folder).as_posix()) + f"\0{size}\0".encode())
    return digest.hexdigest()


AFTER_THE_FILE = math.inf
"""Where mistakes from the command line stand among those of the file, which are ordered by line."""


def find(source: str | pathlib.Path) -> tuple[pathlib.Path, str]:
    """Return the file behind a path or a packaged name, and what to call it in messages."""
    text = str(source)
    packaged = text in names()
    try:
        path = pathlib.Path(source).expanduser()
        if path.exists() and not (path.is_dir() and packaged):
            return path, text
    except (OSError, ValueError, RuntimeError) as error:  # too long, a null byte, no such home
        raise ScenarioError(f"{sentences.shown(text)}: not the path of a file: {error}") from error
    if packaged:
        return LIBRARY / f"{text}.yaml", f"{text}.yaml"
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise ScenarioError(f"{text}: no such file")
    listed = ", ".join(names()) or "none"
    near = sentences.suggestion(text, names())
    raise ScenarioError(f"{text}: no such file, and no packaged scenario; {near}packaged: {listed}")


def read(path: pathlib.Path, label: str) -> yaml_reader.Document:
    """Read a file; ScenarioError where it is not readable YAML."""
    if path.is_dir():
        raise ScenarioError(f"{label}: a folder, not a scenario file")
    try:
        content = path.read_bytes()
        return yaml_reader.read(content.decode("utf-8-sig"))
    except OSError as error:
        raise ScenarioError(f"{label}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = f"0x{content[error.start]:02x}"
        raise ScenarioError(f"{label}:{line}: not UTF-8 text (byte {byte})") from error
    except yaml_reader.UnreadableError as error:
        raise ScenarioError(f"{label}:{error.line}:{error.column}: {error}") from error


def _apply(draft: Draft, overrides: Sequence[str], seed: int | None) -> list[str]:
    """Apply the overrides and return what is wrong with them."""
    found = []
    for text in overrides:
        try:
            draft.override(text)
        except OverrideError as error:
            found.append(f"--set {text}: {error}")
    if seed is not None:
        draft.set(["seed"], seed, f"--seed {seed}")
    return found


def sentence(label: str, problem: yaml_reader.Problem) -> str:
    """Return in one line what was wrong with the YAML itself."""
    return ": ".join(part for part in (f"{label}:{problem.line}", dotted(problem.path), problem.text) if part)


def placed(draft: Draft, label: str, mistake: Mistake) -> tuple[float, str]:
    """Return where a mistake belongs in the message, by its line, and the mistake in one line."""
    origin = draft.source(mistake.path)
    parts = [dotted(mistake.path)] if mistake.path else []
    parts += [sentences.shown(mistake.value)] if mistake.value is not ABSENT else []
    if isinstance(origin, int):
        return origin, ": ".join([f"{label}:{origin}", *parts, mistake.text])
    if draft.targets[origin] == mistake.path:  # the override itself shows path and value
        parts = []
    return AFTER_THE_FILE, ": ".join([origin, *parts, mistake.text])


def dotted(path: yaml_reader.Path) -> str:
    """Return a path as it is written in messages."""
    return ".".join(map(str, path))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _canonical(value: Any) -> Any:
    """Return plain data in which equal values look the same and JSON can hold infinity."""
    if isinstance(value, dict):
        return {key: _canonical(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_canonical(entry) for entry in value]
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else str(value)  # -0.0 becomes 0.0
    return value


class _Dumper(yaml.SafeDumper):
    """Quotes whatever our reader or a YAML 1.1 reader would take for something other than text."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and implicit[0] and not yaml_reader.tag(value).endswith(":str"):
            return yaml_reader.tag(value)
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def ignore_aliases(self, data: Any) -> bool:
        return True
