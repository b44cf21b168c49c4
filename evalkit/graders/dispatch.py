"""The table of graders: which function answers which kind of assertion, over one reply or a whole transcript.

Pure: no clock, random source, file, environment or network. The same transcript and assertion give the same score,
save that a pattern which runs into its time limit is not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from evalkit.errors import EvalkitError
from evalkit.graders import (
    cost,
    outcome,
    sequence,
    tools,
    usage,
)
from evalkit.graders.findings import not_measured
from evalkit.graders.grader import ReplyGrader, Requirement
from evalkit.graders.registry import BY_KIND
from evalkit.reading.patterns import Undecided
from evalkit.records import Assertion, Finding, Score, Transcript

TranscriptGrader = Callable[[Transcript, Assertion], Finding]

_TRANSCRIPT_GRADERS: Mapping[str, TranscriptGrader] = {
    "tools.none": tools.none,
    "tools.calls": tools.calls,
    "tools.never": tools.never,
    "tools.min_calls": tools.min_calls,
    "tools.times": tools.times,
    "tools.after": sequence.after,
    "tools.before": sequence.before,
    "tools.recovers": sequence.recovers,
    "tools.max_redundant": sequence.max_redundant,
    "outcome.writes": outcome.writes,
    "outcome.state": outcome.state,
    "outcome.ended": outcome.ended,
    "budget.cost_usd": usage.cost_usd,
    "budget.output_tokens": usage.output_tokens,
    "budget.cache_hit": usage.cache_hit,
    "budget.cold_cache_hit": cost.cold_cache_hit,
    "budget.cache_kept": cost.cache_kept,
    "budget.turn_cache_kept": cost.turn_cache_kept,
    "budget.prefix_kept": cost.prefix_kept,
    "budget.miss_reasons": cost.miss_reasons,
    "budget.turn_cost_usd": cost.turn_cost_usd,
    "budget.cost_as_first_usd": cost.cost_as_first_usd,
    "budget.turn_cost_as_first_usd": cost.turn_cost_as_first_usd,
    "budget.first_token_ms": usage.first_token_ms,
    "budget.time_ms": usage.time_ms,
}

KINDS = frozenset(_TRANSCRIPT_GRADERS) | BY_KIND.keys()
"""Every kind of assertion that can be graded."""


class Dispatched(ReplyGrader):
    """A grader that is still a function: how an assertion of its kind is graded until it is a class."""

    assertion: Any

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        return grade(transcript, self.assertion).finding

    def grade_text(self, text: str) -> Finding:
        return grade_text_rule(self.assertion, text)


def requirement_of(assertion: Assertion) -> Requirement:
    """Return an assertion with its grader; its `params` are the grader's keys as a suite file has them."""
    grader = BY_KIND.get(assertion.kind)
    if grader is None:
        return Requirement(assertion, Dispatched.model_construct(assertion=assertion))
    return Requirement(assertion, grader.model_validate_json(orjson.dumps(assertion.params, default=dict)))


def grade(transcript: Transcript, assertion: Assertion) -> Score:
    """Judge one assertion about one transcript.

    Turns that were never reached or are incomplete are not measured; what complete turns prove stays proven. An empty
    reply breaks every rule about text, the negative ones too: the user got nothing, so nothing about it is good. (A
    turn that stops at a tool call is not an empty reply; see `replies.replied_turns`.) Raises EvalkitError for a kind
    without a grader.
    """
    if assertion.kind in BY_KIND:
        return requirement_of(assertion).score(transcript)
    try:
        return Score(assertion, _grader(assertion)(transcript, assertion))
    except Undecided as undecided:
        return Score(assertion, not_measured(str(undecided), assertion.turn))


def grade_text_rule(assertion: Assertion, text: str) -> Finding:
    """Judge one text by a text or voice assertion, as if it were the reply of turn 1.

    Raises EvalkitError when the assertion does not speak of a text.
    """
    if assertion.kind in BY_KIND and issubclass(BY_KIND[assertion.kind], ReplyGrader):
        return requirement_of(assertion).grader.grade_text(text)  # type: ignore[attr-defined,no-any-return]
    raise EvalkitError(
        f"{assertion.place}: {assertion.kind!r} can't judge a single text; expected a text or voice rule"
    )


def _grader(assertion: Assertion) -> TranscriptGrader:
    if assertion.kind not in _TRANSCRIPT_GRADERS:
        known = ", ".join(sorted(KINDS))
        raise EvalkitError(f"{assertion.place}: there is no grader for {assertion.kind!r}; expected one of {known}")
    return _TRANSCRIPT_GRADERS[assertion.kind]
