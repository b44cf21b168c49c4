"""The table of graders: which function answers which kind of assertion, over one reply or a whole transcript.

Pure: no clock, random source, file, environment or network. The same transcript and assertion give the same score,
save that a pattern which runs into its time limit is not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from evalkit.errors import EvalkitError
from evalkit.graders import (
    cost,
    grounding,
    guarded,
    judge,
    outcome,
    readability,
    sequence,
    team,
    tools,
    usage,
    voice,
)
from evalkit.graders import voice_forms as forms
from evalkit.graders.findings import all_hold, not_measured
from evalkit.graders.grader import ReplyGrader, Requirement
from evalkit.graders.registry import BY_KIND
from evalkit.graders.replies import replied_turns
from evalkit.reading.patterns import Undecided
from evalkit.records import Assertion, Finding, JsonObject, Request, Score, Transcript, TrialVerdict, Turn

ReplyRule = Callable[[JsonObject, str, int], Finding]
TurnRule = Callable[[JsonObject, Turn, Transcript], Finding]
ConversationRule = Callable[[JsonObject, forms.Replies], Finding]
TranscriptGrader = Callable[[Transcript, Assertion], Finding]

_EVERY_REPLY: Mapping[str, ReplyRule] = {
    "voice.substitution": voice.substitution,
    "voice.occurrence": voice.occurrence,
    "voice.length": voice.length,
    "voice.repetition": forms.repetition,
    "voice.capitalization": forms.capitalization,
    "voice.metric": readability.metric,
    "voice.readability": readability.readability,
}
_REPLY_RULES: Mapping[str, ReplyRule] = _EVERY_REPLY
_TURN_RULES: Mapping[str, TurnRule] = {
    "voice.language": guarded.spoken_language,
    "voice.links": guarded.links,
    "voice.leak": guarded.leak,
    "voice.personal_data": guarded.personal_data,
    "grounded": grounding.grounded,
    "voice.judge": judge.voice_rule,
}
_CONVERSATION_RULES: Mapping[str, ConversationRule] = {
    "voice.consistency": forms.consistency,
    "voice.conditional": forms.conditional,
}
_ABOUT_REPLIES = _REPLY_RULES.keys() | _TURN_RULES.keys() | _CONVERSATION_RULES.keys()
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
    "judge": judge.statement,
    "team": team.team,
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

KINDS = frozenset(_ABOUT_REPLIES) | frozenset(_TRANSCRIPT_GRADERS) | BY_KIND.keys()
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
    if assertion.kind in _ABOUT_REPLIES:
        return Score(assertion, _judge_replies(transcript, assertion))
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
    if assertion.kind not in _ABOUT_REPLIES:
        raise EvalkitError(
            f"{assertion.place}: {assertion.kind!r} can't judge a single text; expected a text or voice rule"
        )
    content = ({"type": "text", "text": text},)
    turn = Turn(1, "", (Request(1, 1, {}, content, stop_reason="end_turn"),))
    return grade(Transcript("", "", (turn,)), replace(assertion, turn=None)).finding


def _grader(assertion: Assertion) -> TranscriptGrader:
    if assertion.kind not in _TRANSCRIPT_GRADERS:
        known = ", ".join(sorted(KINDS))
        raise EvalkitError(f"{assertion.place}: there is no grader for {assertion.kind!r}; expected one of {known}")
    return _TRANSCRIPT_GRADERS[assertion.kind]


def _judge_replies(transcript: Transcript, assertion: Assertion) -> Finding:
    judged = replied_turns(transcript, assertion.turn)
    skipped = frozenset(assertion.params.get("skip_turns") or ())
    turns = [turn for turn in judged.turns if turn.n not in skipped]
    if judged.turns and not turns and not judged.missing:
        return Finding(TrialVerdict.PASSED, "switched off in every turn", turn=assertion.turn)
    if assertion.kind in _CONVERSATION_RULES:
        return all_hold([_judge_conversation(assertion, turns)] if turns else [], judged.missing)
    findings = [_judge_turn(assertion, turn, transcript) for turn in turns]
    return all_hold(findings, judged.missing)


def _judge_conversation(assertion: Assertion, turns: Sequence[Turn]) -> Finding:
    empty = next((turn for turn in turns if not turn.reply.strip()), None)
    if empty is not None:
        return Finding(TrialVerdict.FAILED, "an empty reply", "a reply", turn=empty.n)
    try:
        return _CONVERSATION_RULES[assertion.kind](assertion.params, [(turn.n, turn.reply) for turn in turns])
    except Undecided as undecided:
        return not_measured(str(undecided), assertion.turn)


def _judge_turn(assertion: Assertion, turn: Turn, transcript: Transcript) -> Finding:
    if assertion.kind in _REPLY_RULES:
        return _judge_reply(_REPLY_RULES[assertion.kind], assertion.params, turn.reply, turn.n)
    about_turn = _TURN_RULES[assertion.kind]
    return _judge_reply(
        lambda params, _reply, _n: about_turn(params, turn, transcript), assertion.params, turn.reply, turn.n
    )


def _judge_reply(rule: ReplyRule, params: JsonObject, reply: str, turn: int) -> Finding:
    if not reply.strip():
        return Finding(TrialVerdict.FAILED, "an empty reply", "a reply", turn=turn)
    try:
        return rule(params, reply, turn)
    except Undecided as undecided:
        return not_measured(str(undecided), turn)
