"""Which turns of a transcript a grader may judge, and why the others can't be; worked out once for each transcript.

What `once_per_transcript` keeps lives as long as the transcript. It must not hold the transcript itself (its turns are
fine), or neither would ever be dropped.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar

from evalkit.records import Transcript, Turn

Made = TypeVar("Made")


def once_per_transcript(make: Callable[[Transcript], Made]) -> Callable[[Transcript], Made]:
    """Decorate a pure function of a transcript so that it runs once for each.

    Transcripts hold dicts and have no hash, so the same one is told by being the same object.
    """
    kept: dict[int, tuple[weakref.ref[Transcript], Made]] = {}

    @wraps(make)
    def once(transcript: Transcript) -> Made:
        key = id(transcript)
        found = kept.get(key)
        if found is not None and found[0]() is transcript:
            return found[1]
        made = make(transcript)

        def forget(gone: weakref.ref[Transcript]) -> None:
            if key in kept and kept[key][0] is gone:  # else its place in memory is another transcript's by now
                del kept[key]

        kept[key] = (weakref.ref(transcript, forget), made)
        return made

    return once


@dataclass(frozen=True)
class JudgedTurns:
    """The turns to judge; `missing` says why something that should be judged can't be, or is empty."""

    turns: tuple[Turn, ...]
    missing: str = ""


def complete_turns(transcript: Transcript, turn: int | None) -> JudgedTurns:
    """Return the complete turns an assertion speaks of: turn number `turn`, or all of them for None.

    A last user message that nobody answered (a recorded conversation often ends with "thanks, bye") is no turn to
    judge when the whole conversation is meant, and missing when it is asked for by number.
    """
    return _all_turns(transcript) if turn is None else _one_turn(transcript, turn)


@once_per_transcript
def _all_turns(transcript: Transcript) -> JudgedTurns:
    turns, missing = [], ""
    for position, candidate in enumerate(transcript.turns, start=1):
        is_closing_message = not candidate.requests and position == len(transcript.turns)
        if not candidate.requests and not is_closing_message:
            missing = missing or f"turn {candidate.n} has no reply"
        elif candidate.failure:
            missing = missing or f"turn {candidate.n} is incomplete: {candidate.failure.kind}"
        elif candidate.requests:
            turns.append(candidate)
    if not turns and not missing:
        missing = "the conversation has no reply"
    return JudgedTurns(tuple(turns), missing)


def replied_turns(transcript: Transcript, turn: int | None) -> JudgedTurns:
    """Return the complete turns whose reply can be read, as `complete_turns` does.

    A turn that ends with a tool's result and without a word (a recording that stops at a hand-over) has no reply yet:
    it is left out when the whole conversation is meant, and missing when it is asked for by number. A turn that ended
    otherwise with an empty reply stays in, also one that the engine ended because the model would not stop calling
    tools: the user saw nothing, which breaks every rule about text.
    """
    return _all_replied(transcript) if turn is None else _replied(_one_turn(transcript, turn))


@once_per_transcript
def _all_replied(transcript: Transcript) -> JudgedTurns:
    return _replied(_all_turns(transcript))


def _replied(judged: JudgedTurns) -> JudgedTurns:
    """Leave out turns that stop at a tool's result."""
    kept = tuple(
        turn
        for turn in judged.turns
        if turn.reply.strip()
        or turn.requests[-1].stop_reason != "tool_use"
        or all(call.request_n != turn.requests[-1].n for call in turn.tool_calls)
    )
    if kept or judged.missing:
        return JudgedTurns(kept, judged.missing)
    return JudgedTurns((), f"turn {judged.turns[-1].n} ends with a tool result, before a reply")


def _one_turn(transcript: Transcript, turn: int) -> JudgedTurns:
    found = next((candidate for candidate in transcript.turns if candidate.n == turn), None)
    if found is None:
        return JudgedTurns((), f"turn {turn} was never reached")
    if found.failure:
        return JudgedTurns((), f"turn {turn} is incomplete: {found.failure.kind}")
    if not found.requests:
        return JudgedTurns((), f"turn {turn} has no reply")
    return JudgedTurns((found,))
