"""YAML without its surprises: plain data, the line of every value, and all that is wrong with it.

Scalars follow the core schema of YAML 1.2, narrowed: only `true` and `false` are booleans, so NO, yes and off
are text; 1:30, 010, 1_000 and dates are text as well, for a numeric field to refuse. Keys are always text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list positions that lead from the document's root to a value."""

Plain: TypeAlias = bool | int | float | str | None

LARGEST = 100_000
"""Values that a document may hold once its aliases are expanded."""

_CORE = "tag:yaml.org,2002:"
_TAGS = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_BASED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}

_SYNTAX = {
    "escape character": "an unknown escape after '\\'; use single quotes for text with backslashes",
    "quoted scalar": "a quotation mark is never closed",
    "mapping values are not allowed": "a ':' where no key can stand; check the indentation, or quote it",
    "sequence entries are not allowed": "a '-' where no list item can stand; check the indentation, or quote it",
    "mapping keys are not allowed": "a '?' where no key can stand; quote the text",
    "cannot start any token": "a character that no value begins with; indent with spaces, or quote the text",
    "could not find expected ':'": "a line without the ':' that makes it a field; check its indentation",
    "expected <block end>": "the indentation does not fit the lines above, or a bracket has no partner",
    "expected ',' or": "a ',' or the closing bracket is missing",
    "undefined alias": "an alias (*name) whose anchor (&name) does not stand above it",
    "duplicate anchor": "an anchor (&name) that is already in use",
    "expected '<document start>'": "something stands behind the end of the value",
    "but found another document": "a second document ('---'); a scenario is one document",
}
"""What PyYAML says, and what it means."""


@dataclass(frozen=True)
class Problem:
    """Something wrong that did not keep the rest of the document from being read."""

    path: Path
    line: int
    text: str


@dataclass(frozen=True)
class Document:
    """What a text says, with the line (from 1) of every key and list item."""

    data: Any
    lines: dict[Path, int]
    problems: tuple[Problem, ...]


class UnreadableError(Exception):
    """The text is not YAML that can be read; holds the line and column (from 1) where reading ended."""

    def __init__(self, text: str, line: int, column: int = 1) -> None:
        super().__init__(text)
        self.line = line
        self.column = column


def read(text: str) -> Document:
    """Read one document; raises UnreadableError where the text is no YAML, or grows beyond LARGEST values."""
    conversion = _Conversion()
    try:
        node = _Nodes(text).get_single_node()
        data = None if node is None else conversion.value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise UnreadableError(_plain_words(error), line, column) from error
    except ReaderError as error:
        before = text[: error.position].split("\n")
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        raise UnreadableError(message, len(before), len(before[-1]) + 1) from error
    except RecursionError:
        raise UnreadableError("nested too deeply", 1) from None
    return Document(data, {(): 1, **conversion.lines}, tuple(conversion.problems.values()))


def value(text: str) -> Any:
    """Read one value as on a command line: quoted text, a flow list or mapping, or else plain text.

    Raises UnreadableError where quotes or brackets do not close, or something stands behind them.
    """
    if not text.lstrip().startswith(("[", "{", '"', "'")):
        return plain(text.strip())
    document = read(text)
    if document.problems:
        raise UnreadableError(document.problems[0].text, document.problems[0].line)
    return document.data


def plain(text: str) -> Plain:
    """Return what an unquoted scalar stands for; numbers too large to be held stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) or _BASED.fullmatch(text):
        try:
            return int(text, 0)
        except ValueError:  # more digits than Python converts
            return text
    if _FLOAT.fullmatch(text):
        return float(text) if math.isfinite(float(text)) else text
    return text


def tag(text: str) -> str:
    """Return the YAML tag of an unquoted scalar."""
    return _CORE + _TAGS[type(plain(text))]


class _Nodes(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML up to the node graph, with our scalars; it constructs no objects."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0]:
            return _CORE + "merge" if value == "<<" else tag(value)
        return _CORE + {yaml.ScalarNode: "str", yaml.SequenceNode: "seq", yaml.MappingNode: "map"}[kind]


class _Conversion:
    """The way from nodes to plain data, taking down lines and problems."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        # by line and text, so that an anchor's problems stand once however often it is used
        self.problems: dict[tuple[int, str], Problem] = {}
        self._open: set[int] = set()
        self._seen = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._count(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        with self._inside(node):
            if isinstance(node, yaml.MappingNode):
                self._check_tag(node, path, "map")
                return self._mapping(node, path)
            self._check_tag(node, path, "seq")
            return [self._entry(item, (*path, i), item) for i, item in enumerate(node.value)]

    def _entry(self, node: yaml.Node, path: Path, place: yaml.Node) -> Any:
        self.lines[path] = _line(place)
        return self.value(node, path)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Plain:
        if node.tag == _CORE + "str":
            return str(node.value)
        content = plain(node.value)
        expected = node.tag.removeprefix(_CORE)
        actual = _TAGS[type(content)]
        if expected == "float" and actual == "int":
            return float(node.value)
        if expected not in _TAGS.values():
            self._check_tag(node, path, "str")
        elif expected != actual:
            self._problem(node, path, f"{node.value!r} is not what the tag !!{expected} says")
        return content

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        pairs = self._pairs(node, path)
        return {name: self._entry(content, (*path, name), key) for name, (key, content) in pairs.items()}

    def _pairs(self, node: yaml.MappingNode, path: Path) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return key and value nodes by the key's text; merged ones give way to the mapping's own."""
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, content in node.value:
            self._count(key)
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, path, "a key must be text, not a list or a mapping")
            elif key.value in pairs:
                first = _line(pairs[key.value][0])
                self._problem(key, (*path, key.value), f"given twice, first on line {first}; keep one")
            else:
                pairs[key.value] = (key, content)
        if "<<" in pairs and pairs["<<"][0].tag == _CORE + "merge":
            for source in self._merge_sources(pairs.pop("<<")[1], path):
                with self._inside(source):
                    pairs = {**self._pairs(source, path), **pairs}
        return pairs

    def _merge_sources(self, node: yaml.Node, path: Path) -> Iterator[yaml.MappingNode]:
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(source, yaml.MappingNode):
                yield source
            else:
                self._problem(source, (*path, "<<"), "only mappings can be merged in: `<<: *name`")

    def _check_tag(self, node: yaml.Node, path: Path, expected: str) -> None:
        if node.tag != _CORE + expected:
            shown = node.tag.replace(_CORE, "!!")
            self._problem(node, path, f"the tag {shown} is not allowed; write the value without it")

    def _problem(self, node: yaml.Node, path: Path, text: str) -> None:
        self.problems.setdefault((_line(node), text), Problem(path, _line(node), text))

    def _count(self, node: yaml.Node) -> None:
        self._seen += 1
        if self._seen > LARGEST:
            message = f"more than {LARGEST} values; aliases (*name) multiply what they stand for"
            raise UnreadableError(message, _line(node), node.start_mark.column + 1)

    @contextmanager
    def _inside(self, node: yaml.Node) -> Iterator[None]:
        if id(node) in self._open:
            column = node.start_mark.column + 1
            raise UnreadableError("an alias inside of what it stands for", _line(node), column)
        self._open.add(id(node))
        try:
            yield
        finally:
            self._open.remove(id(node))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _plain_words(error: yaml.MarkedYAMLError) -> str:
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return next((words for clue, words in _SYNTAX.items() if clue in said), said)
