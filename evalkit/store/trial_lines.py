"""A conversation that is known whole, as the lines of a trial: what a replay copies and an import brings."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.records import (
    JudgementLine,
    RequestLine,
    RunLine,
    SimulatedLine,
    ToolLine,
    Transcript,
    TrialKey,
    TrialStart,
    TurnStart,
)


def trial_lines(key: TrialKey, session_id: str, transcript: Transcript, ts: str = "") -> Iterator[RunLine]:
    """Yield the lines of a trial up to its end and its score, in the order in which a run writes them."""
    yield TrialStart(key, session_id, transcript.prompt_sha, transcript.history, ts)
    yield from (SimulatedLine(session_id, message) for message in transcript.simulated)
    for turn in transcript.turns:
        yield TurnStart(session_id, turn.n, turn.user)
        for request in turn.requests:
            yield RequestLine(session_id, request)
            yield from (ToolLine(session_id, turn.n, call) for call in turn.tool_calls if call.request_n == request.n)
    yield from (JudgementLine(session_id, judgement) for judgement in transcript.judgements)
