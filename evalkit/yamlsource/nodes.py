"""What a file consists of: scalars, lists and mappings, each knowing where it is written and from where it is used.

Knows what an unquoted value means. Must not know how a text is parsed or how other files come in.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from evalkit.records import Place
from evalkit.yamlsource.text import SourceText

_INT = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_PLAIN_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Plain:
    """An unquoted value that is not text, with the characters it was written as (`1.10` is 1.1)."""

    value: int | float | bool | None
    source: str


class Cell(Plain):
    """A table's cell that could be a number or a boolean: text, unless a key asks for what it looks like."""


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


def json_value(value: str | Plain) -> Any:
    """Return a scalar as JSON has it."""
    if isinstance(value, Plain):
        return value.source if isinstance(value, Cell) else value.value
    return value


class Spot(NamedTuple):
    """A character of a file."""

    text: SourceText
    at: int

    @property
    def place(self) -> Place:
        """Its line and column."""
        return self.text.place(self.at)


@dataclass(slots=True)
class Written:
    """Where a value is written.

    `used` are the spots through which it came to where it is read, the nearest first: the alias, merge key or
    `$include` that stands for it. `cell` is the row of the table that its value comes from; what it fills is written at
    `text` and `index`.
    """

    text: SourceText
    index: int
    used: tuple[Spot, ...] = field(default=(), kw_only=True)
    cell: Spot | None = field(default=None, kw_only=True)

    @property
    def spot(self) -> Spot:
        """The character where it begins."""
        return Spot(self.text, self.index)

    @property
    def place(self) -> Place:
        """The line and column where it begins."""
        return self.text.place(self.index)


@dataclass(slots=True)
class ScalarNode(Written):
    """A text, or a plain value of another type with the text it was written as."""

    value: str | Plain

    def used_by(self, *spots: Spot) -> ScalarNode:
        """Return it as it is used from somewhere else."""
        return ScalarNode(self.text, self.index, self.value, used=(*self.used, *spots), cell=self.cell)


@dataclass(slots=True)
class ListNode(Written):
    """A list."""

    items: list[Node] = field(default_factory=list)

    def used_by(self, *spots: Spot) -> ListNode:
        """Return it as it is used from somewhere else; its items are shared, not copied."""
        return ListNode(self.text, self.index, self.items, used=(*self.used, *spots), cell=self.cell)


@dataclass(slots=True)
class MapNode(Written):
    """A mapping: its values by key, and each key as a scalar. `row` is the row of a table that it was made for."""

    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, ScalarNode] = field(default_factory=dict)
    row: Spot | None = None

    def used_by(self, *spots: Spot) -> MapNode:
        """Return it as it is used from somewhere else; its values are shared, not copied."""
        used = (*self.used, *spots)
        return MapNode(self.text, self.index, self.items, self.keys, self.row, used=used, cell=self.cell)


Node = ScalarNode | ListNode | MapNode


def merged(into: MapNode, others: list[MapNode]) -> MapNode:
    """Return a mapping with the keys of others before its own.

    A key of its own wins over theirs, and the first of them over the next, as `<<` has it.
    """
    items: dict[str, Node] = {}
    keys: dict[str, ScalarNode] = {}
    for other in others:
        for key, value in other.items.items():
            if key not in items:
                items[key] = value.used_by(*other.used)
                keys[key] = other.keys[key].used_by(*other.used)
    return replace(into, items=items | into.items, keys=keys | into.keys)


def node_value(node: Node | None, *, as_written: bool) -> Any:
    """Return a node as a JSON value, or with its numbers, booleans and nulls as `Plain`."""
    if isinstance(node, MapNode):
        return {key: node_value(item, as_written=as_written) for key, item in node.items.items()}
    if isinstance(node, ListNode):
        return [node_value(item, as_written=as_written) for item in node.items]
    value = node.value if node else Plain(None, "")
    return value if as_written else json_value(value)
