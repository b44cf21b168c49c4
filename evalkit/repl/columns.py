"""Two texts beside each other, printed line by line as soon as both have the line. Knows widths; moves no cursor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from prompt_toolkit.utils import get_cwidth

from evalkit.repl.screen import Screen
from evalkit.reporting.safe_text import visible

GAP = " │ "


@dataclass
class _Column:
    """Lines that are whole, and the text behind them that may still grow."""

    lines: list[str] = field(default_factory=list)
    tail: str = ""
    over: bool = False


class Columns:
    """Two columns on one screen. A row is printed when both columns have it or have ended."""

    def __init__(self, screen: Screen, names: Sequence[str]) -> None:
        self._screen = screen
        self.width = (screen.columns - len(GAP) - 1) // 2
        self._columns = [_Column() for _ in names]
        self._printed = 0
        self._print(names[0], names[1], "bold")

    def text(self, index: int, text: str) -> None:
        """Add a piece of running text."""
        column = self._columns[index]
        column.tail += visible(text)
        lines = wrapped(column.tail, self.width)
        column.lines += lines[:-1]
        column.tail = lines[-1]
        self._flush()

    def line(self, index: int, text: str) -> None:
        """Add a line of its own."""
        column = self._columns[index]
        self._end_text(column)
        column.lines += wrapped(visible(text), self.width)
        self._flush()

    def over(self, index: int) -> None:
        """Say that a column has all its text."""
        column = self._columns[index]
        self._end_text(column)
        column.over = True
        self._flush()

    def finish(self) -> None:
        """Print what is left."""
        for index in range(len(self._columns)):
            self.over(index)

    def _end_text(self, column: _Column) -> None:
        if column.tail:
            column.lines.append(column.tail)
            column.tail = ""

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
        pad = " " * max(self.width - get_cwidth(left), 0)
        self._screen.say(f"{left}{pad}{GAP}{right}", style)


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of at most `width` cells, broken between words where there are any; at least one."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in re.findall(r"\s*\S+|\s+$", paragraph):
            for piece in _pieces(word, width):
                if line and get_cwidth(line) + get_cwidth(piece.rstrip()) > width:
                    lines.append(line.rstrip())
                    line = piece.lstrip()
                else:
                    line += piece
        lines.append(line)
    return lines


def _pieces(word: str, width: int) -> list[str]:
    """Cut a word that fits no line."""
    if get_cwidth(word) <= width:
        return [word]
    pieces, piece = [], ""
    for letter in word:
        if get_cwidth(piece) + get_cwidth(letter) > width:
            pieces.append(piece)
            piece = ""
        piece += letter
    return [*pieces, piece]
