"""The files a prompt may consist of: below one folder, on disk or in a git revision, never through a link.

Knows how a path written in a prompt (`partials/voice.md`) becomes a file, and refuses everything that leaves the
folder. Must not know what the files mean.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Protocol

from evalkit.errors import FileProblems
from evalkit.prompts.git import GitEntry, content_of, entries_of
from evalkit.records import Place
from evalkit.yamlsource import SourceText, decode, read_below

MAX_FILE_BYTES = 1_000_000


class Tree(Protocol):
    """Where files are read from; paths are relative to the project's root, with forward slashes."""

    def read(self, path: str) -> SourceText:
        """Return a file's text; raises FileProblems."""

    def names(self, folder: str) -> list[str]:
        """Return the sorted names of files and folders in a folder; [] when there is no such folder."""

    def is_file(self, path: str) -> bool:
        """Say whether there is a file (or something that pretends to be one) at a path."""


def is_inside(reference: str) -> bool:
    """Say whether a relative path stays below the folder it is relative to, by its letters alone."""
    parts = PurePosixPath(reference).parts
    return bool(parts) and not ("\\" in reference or "\0" in reference or reference.startswith("/") or ".." in parts)


class DiskTree:
    """The working tree."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> SourceText:
        """Return a file's text; a symbolic link anywhere below the root is refused."""
        return read_below(self._root, path, MAX_FILE_BYTES)

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder."""
        at = self._root / folder
        return sorted(item.name for item in at.iterdir()) if at.is_dir() and not at.is_symlink() else []

    def is_file(self, path: str) -> bool:
        """Say whether something other than a folder is there; a dangling link is, so that reading it can refuse it."""
        at = self._root / path
        return at.is_symlink() or (at.exists() and not at.is_dir())


class GitTree:
    """What `folder` held at a commit; `revision` is how the person named it, shown before each path in messages."""

    def __init__(self, root: Path, commit: str, revision: str, folder: str) -> None:
        self._root = root
        self._revision = revision
        self._entries: dict[str, GitEntry] = entries_of(root, commit, folder)

    def read(self, path: str) -> SourceText:
        """Return a file's text at the revision."""
        file = f"{self._revision}:{path}"
        entry = self._entries.get(path)
        if entry is None:
            raise FileProblems.at(Place(file), "no such file at this revision.")
        if not entry.mode.startswith("100"):
            raise FileProblems.at(Place(file), "is a symbolic link or submodule; expected a plain file.")
        return decode(content_of(self._root, entry), file, MAX_FILE_BYTES)

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder at the revision."""
        prefix = folder + "/"
        return sorted({path[len(prefix) :].split("/")[0] for path in self._entries if path.startswith(prefix)})

    def is_file(self, path: str) -> bool:
        """Say whether the revision has a file at a path."""
        return path in self._entries
