"""Breaks running text between words at the edge of a terminal, letter by letter, as it arrives. Knows cells only.

A letter is shown at once. A word that turns out not to fit is taken back and written again on the next line.
"""

from __future__ import annotations

from prompt_toolkit.utils import get_cwidth


class WordWrap:
    """The line that text is being written on, in a terminal that understands moving left and erasing.

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
        cells, room = get_cwidth(letter), columns - 1 - self._column
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
        if cells <= room or self._fills_lines(columns):
            self._column = (self._column + cells) % columns
            return letter
        self._column, self._word_begins = get_cwidth(self._word), 0
        back = get_cwidth(before)
        return (f"\x1b[{back}D\x1b[K" if back else "") + "\n" + self._word

    def _fills_lines(self, columns: int) -> bool:
        """Return whether the word is longer than a line, and so is left to the terminal."""
        return self._word_begins == 0 or get_cwidth(self._word) >= columns
