"""Replies break between words at the edge of the terminal, however they arrive."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from evalkit.repl.screen import WordWrap, wrapped

WIDTH = 14
WORDS = st.lists(st.text("abcdé家", min_size=1, max_size=6), max_size=12)
_WRITTEN = re.compile(r"\x1b\[(\d+)D\x1b\[K|(\n)|([^\x1b\n])")


def on_screen(written: str) -> list[str]:
    """Return the lines that a terminal shows, wider than any line that is written."""
    lines: list[list[str]] = [[]]
    for back, newline, letter in _WRITTEN.findall(written):
        if newline:
            lines.append([])
        elif back:
            cells = int(back)
            while cells > 0:
                cells -= get_cwidth(lines[-1].pop())
        else:
            lines[-1].append(letter)
    return ["".join(line).rstrip() for line in lines]


def in_pieces(text: str, cuts: list[int]) -> list[str]:
    """Cut a text at some places."""
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(places)]


@given(WORDS, st.lists(st.integers(0, 200), max_size=6))
def test_any_pieces_come_to_the_wrapped_text(words: list[str], cuts: list[int]) -> None:
    """Text that arrives in any pieces stands on the screen as if it had been wrapped whole."""
    text = " ".join(words)
    wrap = WordWrap()
    written = "".join(wrap.feed(piece, WIDTH + 1) for piece in in_pieces(text, cuts))
    assert on_screen(written) == [line.rstrip() for line in wrapped(text, WIDTH)]


def test_every_letter_is_shown_at_once() -> None:
    """A letter that fits is written as it comes, not when its word has ended."""
    wrap = WordWrap()
    assert [wrap.feed(letter, 40) for letter in "a bc"] == ["a", " ", "b", "c"]


def test_the_name_before_a_reply_takes_its_room() -> None:
    """What stands on the line already is counted, and a line that ends there goes on below it."""
    wrap = WordWrap()
    wrap.start(6)
    assert on_screen("Tess  " + wrap.feed("hello there", WIDTH + 1)) == ["Tess  hello", "there"]


def test_a_word_longer_than_a_line_is_left_to_the_terminal() -> None:
    """An address is written without a break of ours, so that it can be copied."""
    wrap = WordWrap()
    link = "https://tandle.example/returns/TN-20418/label"
    assert wrap.feed(link, WIDTH + 1) == link
