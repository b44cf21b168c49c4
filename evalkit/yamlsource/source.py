"""YAML text to values that know where they stand; strict where YAML is not.

Knows YAML's events and which of them a data file may hold: one document, plain values, keys given once. Anchors,
aliases, merge keys and tags are refused, so a value is what stands there and nothing can multiply. An unquoted value is
text unless it is plainly null, true, false or a JSON-like number. A value or key is found by its path, such as
`("cases", 3, "turns", 0, "user")`, and what is wrong is said there. Knows no file format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from evalkit.errors import FileProblems
from evalkit.records import Place, Problem
from evalkit.yamlsource.text import MAX_BYTES, SourceText, read_text, visible

_INT = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_PLAIN_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
MAX_DEPTH = 50
MAX_NODES = 1_000_000
MAX_PROBLEMS = 1_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What libyaml says, and what the author of a data file can do about it.
_ADVICE = {
    "mapping values are not allowed in this context": (
        "mapping values are not allowed here; quote text that holds ': ', or start a new line"
    ),
    "found duplicate anchor": "anchors can't be used",
}


@dataclass(frozen=True)
class Plain:
    """An unquoted value that is not text, with the characters it was written as (`1.10` is 1.1)."""

    value: int | float | bool | None
    source: str


def resolve(source: str) -> str | Plain:
    """Return what an unquoted value means.

    The YAML 1.2 core rules, narrowed to what can't be mistaken for domain data: `NO`, `on`, `12:30`, `00123`, `0o17`,
    `2026-11-22`, `True`, `+44123` and numbers that fit neither 64 bits nor a finite float stay text.
    """
    if source in _PLAIN_WORDS:
        return Plain(_PLAIN_WORDS[source], source)
    if len(source) > 40 or source[-1] not in "0123456789":
        return source
    if _INT.fullmatch(source):
        number = int(source)
        return Plain(number, source) if -(2**63) <= number < 2**63 else source
    if _FLOAT.fullmatch(source):
        value = float(source)
        return Plain(value, source) if math.isfinite(value) else source
    return source


@dataclass
class ScalarNode:
    """A text, or a plain value of another type with the text it was written as."""

    index: int
    value: str | Plain


@dataclass
class ListNode:
    """A list and where it begins."""

    index: int
    items: list[Node] = field(default_factory=list)


@dataclass
class MapNode:
    """A mapping: its values by key, and where each key stands."""

    index: int
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)


Node = ScalarNode | ListNode | MapNode


def _syntax_problem(source: SourceText, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    index = mark.index if mark else 0
    problem = re.sub(r"\s+", " ", str(error.problem or "not YAML"))
    words = _ADVICE.get(problem, problem)
    if error.context == "while scanning a quoted scalar" and error.context_mark and "end of stream" in problem:
        words, index = "this quote is never closed", error.context_mark.index
    elif "cannot start any token" in problem and source.text[index : index + 1] == "\t":
        words = "a tab can't be used for indentation; use spaces"
    elif "cannot start any token" in problem:
        words = f"{source.text[index : index + 1]!r} can't begin a value; put the text in quotes"
    elif error.context and problem not in _ADVICE:
        words = f"{words} ({error.context})"
    return source.problem(source.place(index), f"{words}.")


class _Key(NamedTuple):
    """A mapping's key that still waits for its value; `text` is None where the key itself was refused."""

    text: str | None
    at: int


def _index(event: yaml.Event) -> int:
    return event.start_mark.index if event.start_mark else 0


class _Builder:
    """Collects events into nodes without recursion."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[ListNode | MapNode] = []
        self._pending: list[_Key | None] = []
        self._count = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Add one event to the tree."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._stop(event, "a second document starts here; one file holds one. Remove the '---' line.")
        elif isinstance(event, yaml.NodeEvent):
            self._refuse_cleverness(event)
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._pending.pop()

    def _node(self, event: yaml.NodeEvent) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            self._stop(event, f"more than {MAX_NODES:,} values in one file; split it.")
        if len(self._open) >= MAX_DEPTH:
            self._stop(event, f"nested more than {MAX_DEPTH} levels deep; flatten it.")
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0]
            node = ScalarNode(_index(event), resolve(event.value) if plain else event.value)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = ListNode(_index(event))
        elif isinstance(event, yaml.MappingStartEvent):
            node = MapNode(_index(event))
        else:  # an alias: already reported, kept so that the rest is read as it stands
            node = ScalarNode(_index(event), "")
        if self._open and isinstance(self._open[-1], MapNode) and self._pending[-1] is None:
            key = None
            if not isinstance(node, ScalarNode):
                self._report(event, "a list or mapping can't be a key; expected text.")
            elif (key := node.value.source if isinstance(node.value, Plain) else node.value) == "<<":
                self._report(event, "the merge key '<<' can't be used; write the keys out where they belong.")
                key = None
            self._pending[-1] = _Key(key, node.index)
        else:
            self._value(node)
        if isinstance(node, ListNode | MapNode):
            self._open.append(node)
            self._pending.append(None)

    def _value(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, ListNode):
            parent.items.append(node)
            return
        pending = self._pending[-1]
        self._pending[-1] = None
        if pending is None or pending.text is None:
            return
        key, index = pending.text, pending.at
        if key in parent.keys:
            first = self.source.place(parent.keys[key]).line
            message = f"key {key!r} is given twice here (first on line {first}); YAML would keep only the last."
            self._add(index, message)
            return
        parent.keys[key] = index
        parent.items[key] = node

    def _refuse_cleverness(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._report(event, f"alias '*{event.anchor}' can't be used; write the value out where it belongs.")
        elif event.anchor is not None:
            self._report(event, f"anchor '&{event.anchor}' can't be used; write each value out where it belongs.")
        if tag := getattr(event, "tag", None):
            self._report(event, f"tag {tag!r} can't be used; a suite is data. Put text in quotes instead.")

    def _report(self, event: yaml.Event, message: str) -> None:
        self._add(_index(event), message)

    def _add(self, index: int, message: str) -> None:
        if len(self.problems) >= MAX_PROBLEMS:
            raise FileProblems(self.problems)
        self.problems.append(self.source.problem(self.source.place(index), message))

    def _stop(self, event: yaml.Event, message: str) -> None:
        self._report(event, message)
        raise FileProblems(self.problems)


def _value(node: Node | None, *, as_written: bool) -> Any:
    """Return a node as a JSON value, or with its numbers, booleans and nulls as `Plain`."""
    if isinstance(node, MapNode):
        return {key: _value(item, as_written=as_written) for key, item in node.items.items()}
    if isinstance(node, ListNode):
        return [_value(item, as_written=as_written) for item in node.items]
    value = node.value if node else Plain(None, "")
    return value.value if isinstance(value, Plain) and not as_written else value


ValuePath = tuple[str | int, ...]


@dataclass(frozen=True)
class Source:
    """A parsed file; `problems` are what the parser read past (a key given twice, an alias): never ignore them."""

    text: SourceText
    root: Node | None
    problems: tuple[Problem, ...] = field(default=())

    @property
    def file(self) -> str:
        """The file's name in messages."""
        return self.text.file

    def node(self, path: Iterable[str | int] = ()) -> Node | None:
        """Return the node at a path, or None."""
        path = tuple(path)
        nodes = self._along(path)
        return nodes[-1] if nodes and len(nodes) > len(path) else None

    def _along(self, path: Iterable[str | int]) -> list[Node]:
        """Return the root and the nodes that a path leads through, as far as they exist."""
        node = self.root
        nodes = [node] if node else []
        for step in path:
            if isinstance(node, MapNode) and isinstance(step, str):
                node = node.items.get(step)
            elif isinstance(node, ListNode) and isinstance(step, int) and 0 <= step < len(node.items):
                node = node.items[step]
            else:
                node = None
            if node is None:
                break
            nodes.append(node)
        return nodes

    def value(self, path: Iterable[str | int] = ()) -> Any:
        """Return the JSON value at a path."""
        return _value(self.node(path), as_written=False)

    def raw(self, path: Iterable[str | int] = ()) -> Any:
        """Return the value at a path as file schemas take it: plain values still know how they were written."""
        return _value(self.node(path), as_written=True)

    def place(self, path: Iterable[str | int] = ()) -> Place:
        """Return where the value at a path stands; for one that does not exist, its nearest ancestor."""
        nodes = self._along(path)
        return self.text.place(nodes[-1].index if nodes else 0)

    def key_place(self, path: ValuePath) -> Place:
        """Return where the last key of a path stands (its value's place when it is a list item)."""
        parent = self.node(path[:-1])
        if path and isinstance(parent, MapNode) and path[-1] in parent.keys:
            return self.text.place(parent.keys[str(path[-1])])
        return self.place(path)

    def problem(
        self, path: ValuePath, message: str, severity: Literal["error", "warning"] = "error", *, key: bool = False
    ) -> Problem:
        """Return a problem at a value, or at its key."""
        return self.problem_at(self.key_place(path) if key else self.place(path), message, severity)

    def problem_at(self, place: Place, message: str, severity: Literal["error", "warning"] = "error") -> Problem:
        """Return a problem at a place of this file."""
        return self.text.problem(place, message, severity)


def parse_yaml(text: SourceText) -> Source:
    """Parse a text strictly.

    Raises FileProblems where its rest can't be understood: a syntax error, too deep, too many values.
    """
    builder = _Builder(visible(text))
    try:
        events: Iterator[yaml.Event] = yaml.parse(text.text, Loader=_LOADER)
        for event in events:
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise FileProblems([*builder.problems, _syntax_problem(text, error)]) from error
    except yaml.YAMLError as error:
        raise FileProblems([*builder.problems, text.problem(text.place(0), f"not YAML: {error}.")]) from error
    return Source(text, builder.root, tuple(builder.problems))


def load_yaml(path: Path, file: str, limit: int = MAX_BYTES) -> Source:
    """Read and parse a YAML file, named `file` in messages; raises FileProblems when it can't be parsed to its end."""
    return parse_yaml(read_text(path, file, limit))


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise FileProblems if any of the problems is an error; warnings alone pass."""
    found = list(problems)
    if any(problem.severity == "error" for problem in found):
        raise FileProblems(found)
