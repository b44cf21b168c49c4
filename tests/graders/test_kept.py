"""What is worked out once for each transcript."""

from __future__ import annotations

import gc

from evalkit.graders.replies import once_per_transcript
from evalkit.records import Transcript
from tests.graders.build import said


def test_a_transcript_is_worked_out_once() -> None:
    """The second assertion about a transcript finds what the first one worked out; an equal transcript is another."""
    asked: list[str] = []

    @once_per_transcript
    def last_reply(transcript: Transcript) -> str:
        asked.append(transcript.turns[-1].reply)
        return asked[-1]

    one, other = said("Hello", "Bye"), said("Hello", "Bye")
    assert [last_reply(one), last_reply(one), last_reply(other)] == ["Bye"] * 3
    assert asked == ["Bye", "Bye"]


def test_nothing_outlives_its_transcript() -> None:
    """What was kept for a transcript goes with it, so memory does not grow with the number of trials."""
    living: list[int] = []

    class Made:
        def __init__(self) -> None:
            living.append(1)

        def __del__(self) -> None:
            living.pop()

    @once_per_transcript
    def made(_transcript: Transcript) -> Made:
        return Made()

    for number in range(50):
        made(said(f"Reply {number}"))
    gc.collect()
    assert not living
