"""Single values set from outside of the file, as with `--set groups.lte.link.loss=0.1`."""

from __future__ import annotations

from typing import Any, NamedTuple

from scenarios import structure, yaml_reader
from scenarios.structure import ABSENT
from scenarios.yaml_reader import Path


class OverrideError(Exception):
    """The override cannot be applied."""


class _New(NamedTuple):
    value: Any
    origin: str


class Draft:
    """A scenario before validation: plain data, and the line or the override that each part came from."""

    def __init__(self, root: Any, data: Any, lines: dict[Path, int]) -> None:
        self.root = root
        self.data = data
        self.lines = dict(lines)
        self.origins: dict[Path, str] = {}
        self.targets: dict[str, Path] = {}

    def override(self, text: str) -> None:
        """Apply `path.to.field=value`; OverrideError where it is malformed or its path leads nowhere."""
        dotted, equals, value_text = text.partition("=")
        parts = dotted.strip().split(".")
        if not equals or not all(parts):
            raise OverrideError("must be path.to.field=value, as in groups.lte.link.loss=0.1")
        try:
            value = yaml_reader.value(value_text)
        except yaml_reader.UnreadableError as error:
            raise OverrideError(f"the value cannot be read: {error}") from error
        self.set(parts, value, f"--set {text}")

    def set(self, parts: list[str], value: Any, origin: str) -> None:
        """Put `value` at a path, creating the mappings that lead there.

        A bare name on the way becomes its mapping, as `png` becomes {codec: png}. A list takes positions, one
        more than it has to append, and strategies are also found by their label or name. Raises OverrideError
        where a single value or a list is in the way.
        """
        before = self.lines, self.origins
        try:
            self.data = self._with(self.data, self.root, (), parts, _New(value, origin))
        except OverrideError:
            self.lines, self.origins = before
            raise

    def source(self, path: Path) -> int | str:
        """Return the line or the override that gave what stands at `path`, or else what would hold it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1

    def value(self, path: Path) -> Any:
        """Return what stands at `path`; ABSENT where nothing does."""
        found = self.data
        for part in path:
            found = structure.get(found, part)
        return found

    def _with(self, current: Any, declared: Any, path: Path, parts: list[str], new: _New) -> Any:
        """Return `current`, which stands at `path`, with the new value at `parts` below it."""
        if not parts:
            self._came_from(path, new.origin)
            self.targets[new.origin] = path
            return new.value
        element = structure.item(declared)
        if current is ABSENT or current is None:
            self._came_from(path, new.origin)
            current = [] if element is not None and parts[0].isdecimal() else {}
        if element is not None and not isinstance(current, list):
            rest = parts[1:] if parts[0] in ("0", _label(current)) else parts
            return self._with(current, element, path, rest, new)
        if isinstance(current, list):
            return self._with_item(current, element, path, parts, new)
        field = structure.selector(declared)
        if isinstance(current, str) and field is not None:
            current = {field: current}
        if not isinstance(current, dict):
            raise OverrideError(f"{'.'.join(map(str, path))} is a single value and has no fields")
        key, rest = _longest(parts, current)
        owner = structure.chosen(declared, current)
        entry = current.get(key, structure.default(owner, key))
        inner = structure.child(owner, key)
        return {**current, key: self._with(entry, inner, (*path, key), rest, new)}

    def _with_item(
        self, items: list[Any], element: Any, path: Path, parts: list[str], new: _New
    ) -> list[Any]:
        labels = [_label(item) for item in items]
        name, rest = _longest(parts, [label for label in labels if label is not None])
        if name.isascii() and name.isdecimal() and int(name) <= len(items):
            index = int(name)
        elif name in labels:
            index = labels.index(name)
        else:
            known = ", ".join(label for label in labels if label is not None)
            raise OverrideError(
                f"{'.'.join(map(str, path))} is a list of {len(items)}; name a position, counted from 0 "
                f"({len(items)} appends)" + (f", or one of: {known}" if known else "")
            )
        current = items[index] if index < len(items) else ABSENT
        changed = self._with(current, element, (*path, index), rest, new)
        return [*items[:index], changed, *items[index + 1 :]]

    def _came_from(self, path: Path, origin: str) -> None:
        """Note where everything at and below `path` now comes from."""
        self.lines = {key: line for key, line in self.lines.items() if key[: len(path)] != path}
        kept = {key: text for key, text in self.origins.items() if key[: len(path)] != path}
        self.origins = {**kept, path: origin}


def _label(item: Any) -> str | None:
    """Return what a strategy is called."""
    label = (item.get("label") or item.get("name")) if isinstance(item, dict) else item
    return label if isinstance(label, str) else None


def _longest(parts: list[str], known: Any) -> tuple[str, list[str]]:
    """Split off the first part; known names may hold dots themselves, and the longest that fits is taken."""
    for length in range(len(parts), 1, -1):
        if ".".join(parts[:length]) in known:
            return ".".join(parts[:length]), parts[length:]
    return parts[0], parts[1:]
