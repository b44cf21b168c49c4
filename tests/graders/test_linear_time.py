"""No reply takes long: what reads replies with fixed patterns needs time in proportion to their length.

Work is told by CPU time of a text and of one twice as long. A pattern that goes over the text again from every place
takes four times as long; the bound lies between, and times too short to compare are let pass.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.graders.build import assertion, grade, said

READERS: dict[str, dict[str, Any]] = {
    "grounded": {"grounded": True},
    "voice.links": {"allow": [], "message": "%s"},
    "voice.personal_data": {"kinds": ["mail", "phone", "card", "iban"], "message": "%s"},
    "voice.leak": {"words": 12, "message": "%s"},
    "voice.length": {"max_sentence_words": 10**6, "message": "%s"},
    "voice.readability": {"metrics": ["Flesch-Kincaid"], "grade": 10**6, "message": "%s"},
    "count": {"count": {"sentences": {"min": 0}}},
}
LENGTH = 6_000
TOO_SHORT_S = 0.02
BOUND = 3.2
HANGS_S = 20
PIECES = ["a", "Aa", "1", "12", "0", "-", "- ", ".", "@", "#", "/", "+", "(", ")", " ", "  ", "\n", "\t", "*", "_", ">"]
PIECES += [
    "`",
    "``",
    "|",
    ",",
    ":",
    "'",
    "www.",
    "http://",
    "x.com",
    "to",
    "May ",
    "24 of ",
    "10:30",
    "DE12 ",
    "é",
    "…",
    "!",
]
_fresh = count()


@contextmanager
def ended_when_it_hangs() -> Iterator[None]:
    """Fail instead of matching for ever."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"still reading after {HANGS_S} s of CPU")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, HANGS_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def seconds(kind: str, piece: str, length: int, times: int = 1) -> float:
    """Return the least CPU time of reading a reply made of a repeated piece, each time a reply not read before."""
    asked, spent = assertion(kind, READERS[kind]), []
    for _ in range(times):
        conversation = said(f"{piece * (length // len(piece))} {next(_fresh)}é")
        began = time.process_time()
        grade(conversation, asked)
        spent.append(time.process_time() - began)
    return min(spent)


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=60, derandomize=True)
@example(["-"])
@example(["a-"])
@example(["Aa-"])
@example(["`", "a", "``", "a"])
@example(["a.", "a"])
@example(["1,"])
@example(["1 "])
@example(["."])
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=4))
def test_a_reply_twice_as_long_takes_twice_as_long(kind: str, pieces: list[str]) -> None:
    """Whatever a reply repeats, twice the length is about twice the work."""
    piece = "".join(pieces)
    with ended_when_it_hangs():
        if seconds(kind, piece, 2 * LENGTH) > TOO_SHORT_S:
            assert seconds(kind, piece, 2 * LENGTH, 4) < BOUND * seconds(kind, piece, LENGTH, 4) + TOO_SHORT_S
