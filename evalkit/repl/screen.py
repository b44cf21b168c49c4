"""Writes to the terminal: replies to standard output, everything about them to standard error.

Knows colours, cells and the terminal's edge; every text from a model, tool or file is made safe here. Must not know
what a session is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

from evalkit.repl.keyboard import is_dumb
from evalkit.reporting.safe_text import visible


class Screen:
    """Prints. `one_shot` means that only the reply itself is wanted on standard output."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None, *, one_shot: bool = False) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.one_shot = one_shot
        self._open_line = False
        self._wrap = WordWrap()

    @property
    def columns(self) -> int:
        """How wide the terminal is now; it may be resized while the chat goes on."""
        try:
            return os.get_terminal_size(self.out.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def reply(self, text: str) -> None:
        """Print a piece of a reply at once; a terminal's lines break between words."""
        if text:
            shown = visible(text)
            self.out.write(self._wrap.feed(shown, self.columns) if _understands_escapes(self.out) else shown)
            self.out.flush()
            self._open_line = not text.endswith("\n")

    def speaker(self, name: str) -> None:
        """Print whose words follow."""
        name = visible(name)
        self.out.write(styled(name, "bold", self.out) + "  ")
        self.out.flush()
        self._open_line = True
        self._wrap.start(cell_len(name) + 2)

    def end_reply(self) -> None:
        """End the line a reply stands on, if it stands on one."""
        if self._open_line:
            self.out.write("\n")
            self.out.flush()
            self._open_line = False
        self._wrap.start(0)

    def note(self, text: str, style: str = "dim") -> None:
        """Print a line about the conversation."""
        self._lines(self.err, text, style)

    def say(self, text: str, style: str = "") -> None:
        """Print what a command was asked for."""
        self._lines(self.out, text, style)

    def problem(self, text: str) -> None:
        """Print a line about something that went wrong."""
        self.note(text, "red")

    def _lines(self, stream: TextIO, text: str, style: str) -> None:
        self.end_reply()
        for line in visible(text).split("\n"):
            stream.write(styled(line, style, stream) + "\n")
        stream.flush()


def styled(text: str, style: str, stream: TextIO) -> str:
    """Return a text in one of rich's styles; as it is outside a terminal, on a dumb one, or with NO_COLOR."""
    if not _understands_escapes(stream) or os.environ.get("NO_COLOR"):
        return text
    return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)


def _understands_escapes(stream: TextIO) -> bool:
    return stream.isatty() and not is_dumb()


class WordWrap:
    """Breaks running text between words at the edge of a terminal, letter by letter, as it arrives.

    A letter is shown at once. A word that turns out not to fit is taken back and written again on the next line, so
    the terminal must understand moving left and erasing. rich wraps whole texts only, hence this.

    The last column stays free: a terminal whose last column is filled is between two lines.
    """

    def __init__(self) -> None:
        self._column = 0
        self._word = ""
        self._word_begins = 0

    def start(self, column: int) -> None:
        """Begin on a line of which so many cells are filled."""
        self._column, self._word = column, ""

    def feed(self, text: str, columns: int) -> str:
        """Return what to write for a piece of text, in a terminal that is `columns` cells wide now."""
        return "".join([self._letter(letter, columns) for letter in text])

    def _letter(self, letter: str, columns: int) -> str:
        cells, room = cell_len(letter), columns - 1 - self._column
        if letter == "\n":
            self.start(0)
            return letter
        if letter.isspace():
            self._word = ""
            self._column += min(cells, max(room, 0))
            return letter if cells <= room else ""
        if not self._word:
            self._word_begins = self._column
        before, self._word = self._word, self._word + letter
        # a word that is longer than a line is left to the terminal
        if cells <= room or self._word_begins == 0 or cell_len(self._word) >= columns:
            self._column = (self._column + cells) % columns
            return letter
        self._column, self._word_begins = cell_len(self._word), 0
        back = cell_len(before)
        return (f"\x1b[{back}D\x1b[K" if back else "") + "\n" + self._word


GAP = " │ "


@dataclass
class _Column:
    """Lines that are final, and the paragraph behind them that may still grow; `taken` of its lines are final too."""

    lines: list[str] = field(default_factory=list)
    growing: str = ""
    taken: int = 0
    over: bool = False

    def end(self, paragraph: str, width: int) -> None:
        self.lines += wrapped(paragraph, width)[self.taken :]
        self.growing, self.taken = "", 0


class Columns:
    """Two texts beside each other. A row is printed when both columns have it or have ended; no cursor moves."""

    def __init__(self, screen: Screen, names: Sequence[str]) -> None:
        self._screen = screen
        self.width = (screen.columns - len(GAP) - 1) // 2
        self._columns = [_Column() for _ in names]
        self._printed = 0
        self._print(names[0], names[1], "bold")

    def text(self, index: int, text: str) -> None:
        """Add a piece of running text."""
        column = self._columns[index]
        *ended, growing = (column.growing + visible(text)).split("\n")
        for paragraph in ended:
            column.end(paragraph, self.width)
        # the last line of a paragraph may still get words, those before it can't
        lines = wrapped(growing, self.width)
        column.lines += lines[column.taken : -1]
        column.growing, column.taken = growing, len(lines) - 1
        self._flush()

    def line(self, index: int, text: str) -> None:
        """Add a line of its own."""
        column = self._columns[index]
        if column.growing:
            column.end(column.growing, self.width)
        column.lines += wrapped(visible(text), self.width)
        self._flush()

    def over(self, index: int) -> None:
        """Say that a column has all its text."""
        column = self._columns[index]
        if column.growing:
            column.end(column.growing, self.width)
        column.over = True
        self._flush()

    def _flush(self) -> None:
        left, right = self._columns
        while True:
            row = self._printed
            has = [row < len(column.lines) for column in (left, right)]
            ready = [one or column.over for one, column in zip(has, (left, right), strict=True)]
            if not all(ready) or not any(has):
                return
            self._print(left.lines[row] if has[0] else "", right.lines[row] if has[1] else "")
            self._printed += 1

    def _print(self, left: str, right: str, style: str = "") -> None:
        self._screen.say(f"{set_cell_size(left.rstrip(), self.width)}{GAP}{right}", style)


_CONSOLE = Console(width=80)  # rich's wrapping asks one for its defaults


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of at most `width` cells, broken between words where there are any; at least one."""
    return [line.plain for line in Text(text).wrap(_CONSOLE, width)]
