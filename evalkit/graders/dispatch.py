"""The table of graders: which function answers which kind of assertion, over one reply or a whole transcript.

Pure: no clock, random source, file, environment or network. The same transcript and assertion give the same score,
save that a pattern which runs into its time limit is not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evalkit.errors import EvalkitError
from evalkit.graders import text, tools, usage, voice
from evalkit.graders.findings import all_hold, not_measured, one_holds
from evalkit.graders.patterns import Undecided
from evalkit.graders.replies import replied_turns
from evalkit.records import Assertion, Finding, JsonObject, Score, Transcript, TrialVerdict

ReplyRule = Callable[[JsonObject, str, int], Finding]
TranscriptGrader = Callable[[Transcript, Assertion], Finding]

_WANTED_ONCE: Mapping[str, ReplyRule] = {"says": text.says, "says_any": text.says_any}
_EVERY_REPLY: Mapping[str, ReplyRule] = {
    "never_says": text.never_says,
    "max_words": text.max_words,
    "voice.existence": voice.existence,
    "voice.substitution": voice.substitution,
    "voice.occurrence": voice.occurrence,
    "voice.length": voice.length,
}
_REPLY_RULES: Mapping[str, ReplyRule] = {**_WANTED_ONCE, **_EVERY_REPLY}
_TRANSCRIPT_GRADERS: Mapping[str, TranscriptGrader] = {
    "tools.none": tools.none,
    "tools.calls": tools.calls,
    "tools.never": tools.never,
    "tools.max_calls": tools.max_calls,
    "budget.cost_usd": usage.cost_usd,
    "budget.requests": usage.requests,
    "budget.output_tokens": usage.output_tokens,
    "budget.cache_hit": usage.cache_hit,
    "budget.first_token_ms": usage.first_token_ms,
    "budget.time_ms": usage.time_ms,
}

KINDS = frozenset(_REPLY_RULES) | frozenset(_TRANSCRIPT_GRADERS)
"""Every kind of assertion that can be graded."""


def grade(transcript: Transcript, assertion: Assertion) -> Score:
    """Judge one assertion about one transcript.

    Turns that were never reached or are incomplete are not measured; what complete turns prove stays proven. An empty
    reply breaks every rule about text, the negative ones too: the user got nothing, so nothing about it is good. (A
    turn that stops at a tool call is not an empty reply; see `replies.replied_turns`.) Raises EvalkitError for a kind
    without a grader.
    """
    if assertion.kind in _REPLY_RULES:
        return Score(assertion, _judge_replies(transcript, assertion))
    try:
        return Score(assertion, _grader(assertion)(transcript, assertion))
    except Undecided as undecided:
        return Score(assertion, not_measured(str(undecided), assertion.turn))


def grade_text_rule(assertion: Assertion, text: str) -> Finding:
    """Judge one text by a text or voice assertion, as if it were the reply of turn 1.

    Raises EvalkitError when the assertion does not speak of a text.
    """
    rule = _REPLY_RULES.get(assertion.kind)
    if rule is None:
        raise EvalkitError(
            f"{assertion.place}: {assertion.kind!r} can't judge a single text; expected a text or voice rule"
        )
    return _judge_reply(rule, assertion.params, text, 1)


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
    rule = _REPLY_RULES[assertion.kind]
    findings = [_judge_reply(rule, assertion.params, turn.reply, turn.n) for turn in turns]
    combine = one_holds if assertion.kind in _WANTED_ONCE else all_hold
    return combine(findings, judged.missing)


def _judge_reply(rule: ReplyRule, params: JsonObject, reply: str, turn: int) -> Finding:
    if not reply.strip():
        return Finding(TrialVerdict.FAILED, "an empty reply", "a reply", turn=turn)
    try:
        return rule(params, reply, turn)
    except Undecided as undecided:
        return not_measured(str(undecided), turn)
