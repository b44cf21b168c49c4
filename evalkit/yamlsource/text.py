"""The text of a file and its lines: reading bounded, strictly UTF-8, with every failure at its line.

Knows files, encodings and positions; must not know YAML or any file format. Lines end at LF, CR or CRLF, as editors
count them; the characters Unicode also calls line ends (U+0085, U+2028, U+2029) are refused, since a reader can't see
them and tools disagree about the lines behind them.
"""

from __future__ import annotations

import hashlib
import re
import stat
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

from evalkit.errors import FileProblems
from evalkit.records import Place, Problem

MAX_BYTES = 5_000_000
_BREAK = re.compile(r"\r\n|\r|\n")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class SourceText:
    """A file's text, or a part of it that starts on line `first_line`; `sha` is of the whole file's bytes."""

    file: str
    text: str
    sha: str = ""
    first_line: int = field(default=1, kw_only=True)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in _BREAK.finditer(self.text))]

    def place(self, index: int) -> Place:
        """Return the line and column of a character offset (clamped to the text)."""
        index = max(0, min(index, len(self.text)))
        row = bisect_right(self._starts, index) - 1
        return Place(self.file, row + self.first_line, index - self._starts[row] + 1)

    def start_of(self, number: int) -> int:
        """Return the character offset at which a line of the file begins (clamped to the text)."""
        return self._starts[max(0, min(number - self.first_line, len(self._starts) - 1))]

    def line(self, number: int) -> str:
        """Return the text of a line of the file, without its end; "" when it is not in this part."""
        row = number - self.first_line
        if not 0 <= row < len(self._starts):
            return ""
        end = self._starts[row + 1] if row + 1 < len(self._starts) else len(self.text)
        return self.text[self._starts[row] : end].rstrip("\r\n")

    def problem(self, place: Place, message: str, severity: Literal["error", "warning"] = "error") -> Problem:
        """Return a problem that carries its source line."""
        return Problem(place, message, severity, self.line(place.line) if place.line else "")

    def part(self, start: int) -> SourceText:
        """Return what follows the character offset `start`, which must begin a line, with the file's line numbers."""
        return SourceText(self.file, self.text[start:], self.sha, first_line=self.place(start).line)


def read_text(path: Path, file: str, limit: int = MAX_BYTES) -> SourceText:
    """Read a text file of the project; `file` is its name in messages. Raises FileProblems."""
    return decode(_read(path, file, limit, "a text file", "Split it."), file, limit)


def _read(path: Path, file: str, limit: int, wanted: str, advice: str) -> bytes:
    """Return a file's bytes; links, anything but regular files, and too large files are refused before one is read."""
    try:
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):
            raise FileProblems.at(Place(file), "is a symbolic link; expected a file. Put the file itself there.")
        if not stat.S_ISREG(info.st_mode):
            raise FileProblems.at(Place(file), f"is not a regular file; expected {wanted}.")
        if info.st_size > limit:
            raise FileProblems.at(Place(file), f"is {info.st_size:,} bytes long; at most {limit:,} are read. {advice}")
        return path.read_bytes()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        reason = "no such file." if missing else f"can't be read: {error.strerror or error}."
        raise FileProblems.at(Place(file), reason) from error


def read_below(root: Path, file: str, limit: int = MAX_BYTES) -> SourceText:
    """Read a text file by its path relative to `root` (which is also its name); no link may be on the way to it."""
    return read_text(_path_below(root, file), file, limit)


def read_bytes_below(root: Path, file: str, limit: int) -> bytes:
    """Return the bytes of any file by its path relative to `root`, as `read_below` does. Raises FileProblems."""
    return _read(_path_below(root, file), file, limit, "a file", "Make it smaller.")


def _path_below(root: Path, file: str) -> Path:
    at = root
    for part in PurePosixPath(file).parts:
        at /= part
        if at.is_symlink():
            raise FileProblems.at(Place(file), "is (or is reached through) a symbolic link; expected a plain file.")
    return at


def decode(data: bytes, file: str, limit: int = MAX_BYTES) -> SourceText:
    """Turn the bytes of a file into text: UTF-8, an optional byte order mark, no control characters."""
    if len(data) > limit:
        raise FileProblems.at(Place(file), f"is {len(data):,} bytes long; at most {limit:,} are read. Split it.")
    sha = hashlib.sha256(data).hexdigest()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblems([_encoding_problem(data, file, error)]) from error
    return visible(SourceText(file, text, sha))


def _encoding_problem(data: bytes, file: str, error: UnicodeDecodeError) -> Problem:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem(Place(file), "is UTF-16 text; expected UTF-8. Save it with that encoding.")
    bom = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    before = SourceText(file, data[bom : bom + error.start].decode("utf-8", "replace"))
    byte = data[bom + error.start]
    message = f"byte 0x{byte:02x} is not UTF-8; expected UTF-8 text. Save the file with that encoding."
    return before.problem(before.place(len(before.text)), message)


def visible(source: SourceText) -> SourceText:
    """Return the text unchanged if it holds no invisible control character; raise FileProblems at the first one."""
    found = _FORBIDDEN.search(source.text)
    if found:
        message = f"character U+{ord(found[0]):04X} is invisible and not allowed here; write it as an escape in quotes."
        raise FileProblems([source.problem(source.place(found.start()), message)])
    return source
