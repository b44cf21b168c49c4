"""Parts of a file that stand in other files of the project: `$include: FILE` in a mapping.

Its value is one file or a list of them, each relative to the file that names it. Alone it stands for what the files
hold: the mapping, the list, or several lists one after another; as an item of a list, for the items of theirs. Beside
other keys it brings in the keys that the mapping does not have itself. Knows no file format.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from evalkit.errors import FileProblems
from evalkit.records import Problem
from evalkit.yamlsource.nodes import ListNode, MapNode, Node, ScalarNode, merged
from evalkit.yamlsource.parser import MAX_DEPTH, MAX_NODES, parse_yaml
from evalkit.yamlsource.source import Source
from evalkit.yamlsource.text import SourceText, read_below

INCLUDE = "$include"
MAX_INCLUDED = 500
"""So many files may stand in one."""
MAX_NESTED = 10
"""So many files may include one another in a row."""


def with_includes(source: Source, root: Path) -> Source:
    """Return a file with what it includes in its place; `root` is the project's folder.

    What can't be included is left out and a problem. Raises FileProblems when there is too much of it.
    """
    if INCLUDE not in source.text.text or source.root is None:
        return source
    includer = _Includer(source, root)
    made = includer.resolved(source.root, (source.file,))
    root_node = made.node if made else None
    return replace(source, root=root_node, problems=(*source.problems, *includer.problems), others=includer.texts)


def included_in(source: Source) -> list[str]:
    """Return the files that a file names itself in its includes, by their paths in the project."""
    todo, found = [source.root] if source.root else [], dict[str, None]()
    while todo:
        node = todo.pop()
        if isinstance(node, MapNode):
            names = _names(node.items.get(INCLUDE))
            found |= dict.fromkeys(file for name in names if (file := beside(name.text.file, str(name.value))))
        todo += node.items.values() if isinstance(node, MapNode) else node.items if isinstance(node, ListNode) else []
    return list(found)


def beside(file: str, name: str) -> str | None:
    """Return the path in the project of what `file` calls `name`; None where it lies outside."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(file), name))
    return None if path.startswith(("..", "/")) or "\\" in name else path


def find_beside(root: Path, file: str, name: str) -> tuple[str, str]:
    """Return the path in the project of what `file` calls `name`, and why it can't be that, or an empty text."""
    path = beside(file, name)
    if path is None:
        return "", f"{name!r} is outside the project; it must lie inside it."
    missing = f"there is no file {path}; the path is relative to {file}." if not (root / path).exists() else ""
    return path, missing


def _names(value: Node | None) -> list[ScalarNode]:
    nodes = value.items if isinstance(value, ListNode) else [value]
    return [node for node in nodes if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.value]


class _Part(NamedTuple):
    """A node with its includes in place: how many values it comes to, written out, on how many levels."""

    node: Node
    size: int = 1
    height: int = 1


class _Includer:
    """Puts files in their places; reads each file once, and puts what it includes in its place once."""

    def __init__(self, source: Source, root: Path) -> None:
        self.problems: list[Problem] = []
        self.texts: dict[str, SourceText] = dict(source.others)
        self._root = root
        self._contents: dict[str, _Part | None] = {}

    def resolved(self, node: Node, files: tuple[str, ...]) -> _Part | None:
        """Return a node with its includes in place, None where there is nothing to put there.

        `files` are the file it stands in, last, and those through which that one is included.
        """
        if isinstance(node, ScalarNode):
            return _Part(node)
        if isinstance(node, ListNode):
            return self._list(node, files)
        parts = {key: part for key in node.items if key != INCLUDE and (part := self.resolved(node.items[key], files))}
        own = self._whole(replace(node, items={key: part.node for key, part in parts.items()}), [*parts.values()])
        return self._included(own, node.items[INCLUDE], files) if INCLUDE in node.items else own

    def _list(self, node: ListNode, files: tuple[str, ...]) -> _Part:
        """Return a list; an item that is an include and comes to a list stands for the items of that."""
        items, parts = list[Node](), list[_Part]()
        for item in node.items:
            part = self.resolved(item, files)
            if part is None:
                continue
            parts.append(part)
            if isinstance(item, MapNode) and INCLUDE in item.items and isinstance(part.node, ListNode):
                parts[-1] = part._replace(height=part.height - 1)
                self._whole(node, parts)  # counted before its items are taken over
                items += [one.used_by(*part.node.used) for one in part.node.items]
            else:
                items.append(part.node)
        return self._whole(replace(node, items=items), parts)

    def _whole(self, node: Node, parts: Sequence[_Part]) -> _Part:
        """Return a node that holds parts; raises FileProblems when that is too much."""
        size, height = 1 + sum(part.size for part in parts), 1 + max((part.height for part in parts), default=0)
        fault = ""
        if size > MAX_NODES:
            fault = f"more than {MAX_NODES:,} values with what is included; include less."
        elif height > MAX_DEPTH:
            fault = f"nested more than {MAX_DEPTH} levels deep with what is included; flatten it."
        if fault:
            raise FileProblems([*self.problems, _problem(node, fault)])
        return _Part(node, size, height)

    def _included(self, own: _Part, value: Node, files: tuple[str, ...]) -> _Part | None:
        """Return what stands for a mapping with an include; `own` are its other keys."""
        node = own.node
        rest = own if isinstance(node, MapNode) and node.items else None
        names = _names(value)
        if not names or (isinstance(value, ListNode) and len(names) < len(value.items)):
            return self._refuse(value, f"{INCLUDE!r} takes the name of a file, or a list of names.", rest)
        found = [self._content(name, files) for name in names]
        contents = [part for part in found if part]
        if len(contents) < len(found) or not isinstance(node, MapNode):
            return rest  # what is missing has been told
        lists = [part.node for part in contents if isinstance(part.node, ListNode)]
        if len(lists) == len(contents) and not rest:
            if len(lists) == 1:
                return contents[0]
            self._whole(node, contents)
            items = [one.used_by(*made.used) for made in lists for one in made.items]
            return self._whole(ListNode(node.text, node.index, items, used=node.used), contents)
        if lists:
            name = next(name for name, part in zip(names, contents, strict=True) if part.node in lists)
            beside_what = "other keys" if rest else "a mapping"
            return self._refuse(name, f"{name.value} holds a list; beside {beside_what}, expected a mapping.", rest)
        maps = [part.node for part in contents if isinstance(part.node, MapNode)]
        self._refuse_twice(dict(zip((str(name.value) for name in names), maps, strict=True)), node, value)
        return contents[0] if len(maps) == 1 and not rest else self._whole(merged(node, maps), [own, *contents])

    def _refuse_twice(self, contents: Mapping[str, MapNode], own: MapNode, at: Node) -> None:
        """Note keys that two files bring in and the mapping does not decide itself."""
        first: dict[str, str] = {}
        for name, made in contents.items():
            for key in made.items:
                if key in first and key not in own.items:
                    self._refuse(at, f"key {key!r} is in {first[key]} and in {name}; write here which value it has.")
                first.setdefault(key, name)

    def _content(self, name: ScalarNode, files: tuple[str, ...]) -> _Part | None:
        """Return what a file holds, its own includes in place; None, and a problem, where it can't be had."""
        file, fault = find_beside(self._root, name.text.file, str(name.value))
        if fault:
            return self._refuse(name, fault)
        if file in files:
            circle = " includes ".join([*files[files.index(file) :], file])
            return self._refuse(name, f"{circle}: a circle without an end. Remove one of them.")
        if len(files) > MAX_NESTED:
            return self._refuse(name, f"more than {MAX_NESTED} files that include one another in a row.")
        if file not in self._contents:
            if len(self._contents) == MAX_INCLUDED:
                return self._refuse(name, f"more than {MAX_INCLUDED} files in one; include fewer.")
            self._contents[file] = self._read(file, name, files)
        part = self._contents[file]
        return part._replace(node=part.node.used_by(name.spot, *name.used)) if part else None

    def _read(self, file: str, name: ScalarNode, files: tuple[str, ...]) -> _Part | None:
        try:
            text = read_below(self._root, file)
            self.texts[file] = text
            source = parse_yaml(text)
        except FileProblems as error:
            self.problems += [replace(problem, used=(name.place,)) for problem in error.problems]
            return None
        self.problems += [replace(problem, used=(name.place,)) for problem in source.problems]
        if source.root is None:
            return self._refuse(name, f"{file} is empty; expected a mapping or a list.")
        if isinstance(source.root, ScalarNode):
            return self._refuse(name, f"{file} holds a single value; expected a mapping or a list.")
        return self.resolved(source.root, (*files, file))

    def _refuse(self, node: Node, message: str, instead: _Part | None = None) -> _Part | None:
        """Note what is wrong, and return what stands there `instead`."""
        self.problems.append(_problem(node, message))
        return instead


def _problem(node: Node, message: str) -> Problem:
    problem = node.text.problem(node.place, message)
    return replace(problem, used=tuple(spot.place for spot in node.used))
