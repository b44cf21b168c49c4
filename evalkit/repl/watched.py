"""Notices that a prompt's files were edited. Compares contents, and only when a time stamp changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from evalkit.records import PromptVersion


class Watched:
    """The files of one prompt version as they were when it was loaded.

    A version out of git or out of a record is not watched: its files on disk are other ones.
    """

    def __init__(self, prompt: PromptVersion, root: Path) -> None:
        self._files = {root / name: str(sha) for name, sha in prompt.files.items()}
        self._root = root
        self._stamps = {path: _stamp(path) for path in self._files}
        if any(_sha(path) != sha for path, sha in self._files.items()):
            self._files = {}

    def changed(self) -> str:
        """Return the name of the first file that is another one now, or an empty text."""
        for path, sha in self._files.items():
            stamp = _stamp(path)
            if stamp != self._stamps[path]:
                if _sha(path) != sha:
                    return path.relative_to(self._root).as_posix()
                self._stamps[path] = stamp
        return ""

    def ignore(self) -> None:
        """Take the files as they are now for known."""
        self._files = {path: _sha(path) for path in self._files}
        self._stamps = {path: _stamp(path) for path in self._files}


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _sha(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
