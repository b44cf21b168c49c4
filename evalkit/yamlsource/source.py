"""A YAML file as values that know where they stand.

Knows how to find the place of a value or key by its path (`("cases", 3, "turns", 0, "user")`) and how to say that
something is wrong there; must not know what any file means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import FileProblems
from evalkit.records import Place, Problem
from evalkit.yamlsource.nodes import ListNode, MapNode, Node, compose, plain_value, raw_value
from evalkit.yamlsource.text import MAX_BYTES, SourceText, read_text, visible

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
        node = self.root
        for step in path:
            if isinstance(node, MapNode) and isinstance(step, str):
                node = node.items.get(step)
            elif isinstance(node, ListNode) and isinstance(step, int) and 0 <= step < len(node.items):
                node = node.items[step]
            else:
                return None
        return node

    def value(self, path: Iterable[str | int] = ()) -> Any:
        """Return the JSON value at a path."""
        return plain_value(self.node(path))

    def raw(self, path: Iterable[str | int] = ()) -> Any:
        """Return the value at a path as file schemas take it: plain values still know how they were written."""
        return raw_value(self.node(path))

    def place(self, path: Iterable[str | int] = ()) -> Place:
        """Return where the value at a path stands; for one that does not exist, its nearest ancestor."""
        node, at = self.root, self.root
        for step in path:
            if isinstance(node, MapNode) and isinstance(step, str):
                node = node.items.get(step)
            elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            else:
                node = None
            if node is None:
                break
            at = node
        return self.text.place(at.index if at else 0)

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
    """Parse a text strictly; raises FileProblems when it can't be parsed to its end."""
    root, problems = compose(visible(text))
    return Source(text, root, tuple(problems))


def load_yaml(path: Path, file: str, limit: int = MAX_BYTES) -> Source:
    """Read and parse a YAML file, named `file` in messages; raises FileProblems when it can't be parsed to its end."""
    return parse_yaml(read_text(path, file, limit))


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise FileProblems if any of the problems is an error; warnings alone pass."""
    found = list(problems)
    if any(problem.severity == "error" for problem in found):
        raise FileProblems(found)
