"""A parsed file: its values by their paths, where each is written, and what is wrong there.

A value or key is found by its path, such as `("cases", 3, "turns", 0, "user")`. It may be written in another file, or
elsewhere in this one, and be used here: a problem stands where it is written and says where it is used. Knows no file
format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from evalkit.errors import FileProblems
from evalkit.records import Place, Problem
from evalkit.yamlsource.nodes import ListNode, MapNode, Node, Written, node_value
from evalkit.yamlsource.text import SourceText

ValuePath = tuple[str | int, ...]


@dataclass(frozen=True)
class Source:
    """A parsed file; `problems` are what the parser read past (a key given twice): never ignore them.

    `others` are the texts of the files beside `text` that hold a part of it, by name.
    """

    text: SourceText
    root: Node | None
    problems: tuple[Problem, ...] = field(default=())
    others: Mapping[str, SourceText] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The file's name in messages."""
        return self.text.file

    @cached_property
    def texts(self) -> Mapping[str, SourceText]:
        """Every file that holds a part of it, by name."""
        return {self.file: self.text, **self.others}

    def node(self, path: Iterable[str | int] = ()) -> Node | None:
        """Return the node at a path, or None."""
        path = tuple(path)
        nodes = self.along(path)
        return nodes[-1] if nodes and len(nodes) > len(path) else None

    def along(self, path: Iterable[str | int]) -> list[Node]:
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
        return node_value(self.node(path), as_written=False)

    def raw(self, path: Iterable[str | int] = ()) -> Any:
        """Return the value at a path as file schemas take it: plain values still know how they were written."""
        return node_value(self.node(path), as_written=True)

    def place(self, path: Iterable[str | int] = ()) -> Place:
        """Return where the value at a path is written; for one that does not exist, its nearest ancestor."""
        nodes = self.along(path)
        return nodes[-1].place if nodes else self.text.place(0)

    def use_place(self, path: ValuePath) -> Place:
        """Return where the value at a path is used: its alias or `$include`, if it is one."""
        node = self.node(path)
        return node.used[-1].place if node and node.used else self.place(path)

    def key_place(self, path: ValuePath) -> Place:
        """Return where the last key of a path is written (its value's place when it is a list item)."""
        key = self._key(path)
        return key.place if key else self.place(path)

    def row(self, path: Iterable[str | int]) -> Place | None:
        """Return the row of a table that the value at a path was made for, or None."""
        rows = [node.row for node in self.along(path) if isinstance(node, MapNode) and node.row]
        return rows[-1].place if rows else None

    def _key(self, path: ValuePath) -> Written | None:
        parent = self.node(path[:-1])
        return parent.keys.get(str(path[-1])) if path and isinstance(parent, MapNode) else None

    def problem(
        self, path: ValuePath, message: str, severity: Literal["error", "warning"] = "error", *, key: bool = False
    ) -> Problem:
        """Return a problem at a value, or at its key.

        It stands where that is written (in a table, at its row) and knows where it is used.
        """
        nodes: list[Written] = [*self.along(path)]
        if key and (at := self._key(path)):
            nodes = [*nodes[: len(path)], at]
        if not nodes:
            return self.problem_at(self.text.place(0), message, severity)
        last, row = nodes[-1], self.row(path)
        written = last.cell or last.spot
        spots = ([last.spot] if last.cell else []) + [spot for node in reversed(nodes) for spot in node.used]
        problem = written.text.problem(written.place, message, severity)
        used = tuple(dict.fromkeys(spot.place for spot in spots))
        return replace(problem, used=used, row=None if row == problem.place else row)

    def problem_at(self, place: Place, message: str, severity: Literal["error", "warning"] = "error") -> Problem:
        """Return a problem at a place of one of its files."""
        return self.texts.get(place.file, self.text).problem(place, message, severity)


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise FileProblems if any of the problems is an error; warnings alone pass."""
    found = list(problems)
    if any(problem.severity == "error" for problem in found):
        raise FileProblems(found)
