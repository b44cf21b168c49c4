"""Transcripts and assertions for the graders' tests, built in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.graders import ReplyGrader, Requirement, requirement_of
from evalkit.graders.registry import BY_KIND
from evalkit.records import (
    Assertion,
    Failure,
    Finding,
    Level,
    Place,
    Request,
    Score,
    ToolCall,
    Transcript,
    TrialVerdict,
    Turn,
    Usage,
)

PLACE = Place("suites/a.yaml", 3, 5)
OVERLOADED = Failure("overloaded_error", "Overloaded", 529, mid_stream=True, request_id="req_1")


def assertion(kind: str, params: Mapping[str, Any], turn: int | None = None, level: Level = Level.ERROR) -> Assertion:
    """Return an assertion whose params are a grader's keys; what every voice rule needs is filled in."""
    if kind.startswith("voice.") and kind in BY_KIND:
        case_counts = {"ignorecase": False} if "ignorecase" in BY_KIND[kind].model_fields else {}
        extends = kind.removeprefix("voice.")
        params = {"id": "r", "extends": extends, "message": "Breaks the rule", **case_counts, **params}
    return Assertion(kind, params, PLACE, kind, turn, level)


def requirement(
    kind: str, params: Mapping[str, Any], turn: int | None = None, level: Level = Level.ERROR
) -> Requirement:
    return requirement_of(assertion(kind, params, turn, level))


def pattern(source: str) -> str:
    """Return a regular expression as a suite writes it."""
    return f"/{source}/"


def request(n: int, turn: int, text: str | None, **fields: Any) -> Request:
    content = ({"type": "text", "text": text},) if text else ()
    fields = {"stop_reason": "end_turn", "content": content, **fields}
    return Request(n, turn, {"messages": []}, **fields)


def said(*replies: str, **fields: Any) -> Transcript:
    """Return a conversation of one request a turn; `fields` go into every request."""
    turns = (Turn(n, f"question {n}", (request(n, n, reply, **fields),)) for n, reply in enumerate(replies, 1))
    return Transcript("s", "p", tuple(turns))


def call(name: str, arguments: Mapping[str, Any] | None = None, request_n: int = 1) -> ToolCall:
    return ToolCall(f"id_{name}", name, arguments or {}, "ok", is_error=False, ms=1.0, request_n=request_n)


def called(*turns: tuple[ToolCall, ...]) -> Transcript:
    """Return a conversation in which turn n makes the n-th tuple of calls and then replies."""
    built = (Turn(n, "hello", (request(n, n, "There you are."),), calls) for n, calls in enumerate(turns, 1))
    return Transcript("s", "p", tuple(built))


def broken_off(transcript: Transcript) -> Transcript:
    """Return the conversation with one more turn, which failed."""
    n = len(transcript.turns) + 1
    failed = Turn(n, "and then?", (request(n, n, None, failure=OVERLOADED, stop_reason=None),))
    return Transcript("s", "p", (*transcript.turns, failed))


def grade(transcript: Transcript, asked: Assertion) -> Score:
    """Grade an assertion as a record has it."""
    return requirement_of(asked).score(transcript)


def grade_text(asked: Assertion, text: str) -> Finding:
    """Judge one text by an assertion about replies, as if it were the reply of turn 1."""
    grader = requirement_of(asked).grader
    assert isinstance(grader, ReplyGrader)
    return grader.grade_text(text)


def finding(transcript: Transcript, kind: str, params: Mapping[str, Any], turn: int | None = None) -> Finding:
    return grade(transcript, assertion(kind, params, turn)).finding


def verdict(transcript: Transcript, kind: str, params: Mapping[str, Any], turn: int | None = None) -> TrialVerdict:
    return finding(transcript, kind, params, turn).verdict


def used(**tokens: int) -> Usage:
    return Usage(**tokens)
