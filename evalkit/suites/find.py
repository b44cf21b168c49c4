"""Which YAML files below `suites/` are suites, which are voice files, and which are parts that suites include.

A file with `cases` is a suite, one with `rules` or `extends` a voice file. Anything else is a part if a file includes
it, and else a suite with something missing: nothing is passed over because a key is misspelt.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

from evalkit.errors import FileProblems
from evalkit.records import Place
from evalkit.yamlsource import Source, included_in, load_yaml
from evalkit.yamlsource.nodes import MapNode

FOLDER = "suites"
Kind = Literal["suite", "voice", "part"]


def find_suites(root: Path) -> tuple[Path, ...]:
    """Return every suite file below `suites/`, in order."""
    return _Files(root).of("suite")


def find_voices(root: Path) -> tuple[Path, ...]:
    """Return every voice file below `suites/`, in order."""
    return _Files(root).of("voice")


def kind_of(path: Path, root: Path) -> Kind:
    """Return what a YAML file of the project is."""
    return _Files(root).kind(path)


def relative_name(path: Path, root: Path) -> str:
    """Return a file's path relative to the project with forward slashes; raises FileProblems when it lies outside."""
    at = path.parent.resolve() / path.name  # not the file itself: a link must be seen and refused
    inside = os.path.relpath(at, root.resolve()).replace(os.sep, "/")
    if inside.startswith("../") or inside == "..":
        raise FileProblems.at(Place(str(path)), f"is outside the project {root}; suites must lie inside it.")
    return inside


class _Files:
    """The YAML files of a project's suites; what includes what is looked up only where it decides."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, kind: Kind) -> tuple[Path, ...]:
        return tuple(path for path in self._below() if self.kind(path) == kind)

    def kind(self, path: Path) -> Kind:
        source = self._parsed(path)
        if source is None:
            return "voice" if path.stem == "voice" else "suite"
        keys = source.root.items.keys() if isinstance(source.root, MapNode) else set()
        if "cases" in keys:
            return "suite"
        if keys & {"rules", "extends"}:
            return "voice"
        return "part" if source.root and source.file in self._included else "suite"

    def _below(self) -> Iterable[Path]:
        for at, folders, names in os.walk(self._root / FOLDER):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(at, name) for name in sorted(names) if re.fullmatch(r"[^.].*\.ya?ml", name))

    def _parsed(self, path: Path) -> Source | None:
        """Return a file as it is parsed; None where it can't be, which is told when it is loaded."""
        try:
            return load_yaml(path, relative_name(path, self._root))
        except FileProblems:
            return None

    @cached_property
    def _included(self) -> frozenset[str]:
        """Every file that is included by one below `suites/`, or by a file that is."""
        todo, found = [*self._below()], set[str]()
        while todo:
            source = self._parsed(todo.pop())
            new = [file for file in included_in(source) if file not in found] if source else []
            found.update(new)
            todo += [self._root / file for file in new]
        return frozenset(found)
