"""Writes to the terminal: replies to standard output, everything about them to standard error.

Knows colours and when to leave them out; every text from a model, tool or file is made safe here. Must not know what
a session is.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TextIO

from prompt_toolkit.utils import get_cwidth

from evalkit.repl.word_wrap import WordWrap
from evalkit.reporting.safe_text import visible

_CODES = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "magenta": "35"}


@dataclass(frozen=True)
class Look:
    """What the terminal can show."""

    colour: bool = False
    columns: int = 80
    moves: bool = False
    """Whether the cursor can be moved back."""


def look_of(stream: TextIO) -> Look:
    """Return what a stream can show: no colour outside a terminal, on a dumb one, or with NO_COLOR."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 80
    moves = stream.isatty() and os.environ.get("TERM", "dumb") not in {"", "dumb"}
    return Look(colour=moves and not os.environ.get("NO_COLOR"), columns=columns or 80, moves=moves)


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
        """How wide the terminal is now."""
        return look_of(self.out).columns

    def styled(self, text: str, style: str, stream: TextIO | None = None) -> str:
        """Return the text in a style, or as it is where there is no colour."""
        codes = ";".join(_CODES[word] for word in style.split())
        return f"\x1b[{codes}m{text}\x1b[0m" if codes and look_of(stream or self.err).colour else text

    def reply(self, text: str) -> None:
        """Print a piece of a reply at once; a terminal's lines break between words."""
        if text:
            look = look_of(self.out)
            shown = visible(text)
            self.out.write(self._wrap.feed(shown, look.columns) if look.moves else shown)
            self.out.flush()
            self._open_line = not text.endswith("\n")

    def speaker(self, name: str) -> None:
        """Print whose words follow."""
        self.out.write(self.styled(visible(name), "bold", self.out) + "  ")
        self.out.flush()
        self._open_line = True
        self._wrap.start(get_cwidth(visible(name)) + 2)

    def end_reply(self) -> None:
        """End the line a reply stands on, if it stands on one."""
        if self._open_line:
            self.out.write("\n")
            self.out.flush()
            self._open_line = False
        self._wrap.start(0)

    def note(self, text: str, style: str = "dim") -> None:
        """Print a line about the conversation."""
        self.end_reply()
        stream = self.err
        for line in visible(text).split("\n"):
            stream.write(self.styled(line, style) + "\n")
        stream.flush()

    def say(self, text: str, style: str = "") -> None:
        """Print what a command was asked for."""
        self.end_reply()
        for line in visible(text).split("\n"):
            self.out.write((self.styled(line, style, self.out) if style else line) + "\n")
        self.out.flush()

    def problem(self, text: str) -> None:
        """Print a line about something that went wrong."""
        self.note(text, "red")
