"""Graders of when tools are called: tools.after, tools.before, tools.recovers, tools.max_redundant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_serializer

from evalkit.graders.grader import Fault, Grader, Mention, limit_finding, not_measured, pattern_faults
from evalkit.graders.matching import SUBSET, AnyCall, MatchKey, made_calls, past_calls, shown_call
from evalkit.reading.patterns import matches_somewhere, pattern_of
from evalkit.records import Finding, ToolCall, Transcript, TrialVerdict
from evalkit.yamlsource import Count, FileModel, Text, Texts, ValuePath, refusal, unwrapped

CONSENT = (
    r"(?<!\w)(?:yes|yeah|yep|yup|sure|ok(?:ay)?|of course|go ahead|please do|do it|i (?:do )?(?:agree|confirm|accept)"
    r"|confirm(?:ed)?|proceed|correct|that(?:'s| is|’s) (?:right|correct|fine|good)|sounds good|absolutely|definitely"
    r"|perfect|great|ja|oui|s[ií]|claro)(?!\w)"
)
"""Words with which a user agrees."""

REFUSAL = r"(?<!\w)(?:no|nope|don(?:'|’)?t|do not|not yet|wait|stop|never mind|leave it|nein|non)(?!\w)"
"""Words with which a user does not."""


class Needed(FileModel):
    """What must come before: a call, or the user's consent."""

    called: ClassVar[str] = "what is needed"
    call: AnyCall | None = None
    consent: Text | None = None

    @model_serializer
    def _as_written(self) -> Any:
        if self.call is not None:
            return self.call.model_dump()
        return {"consent": self.consent} if self.consent else "consent"

    def __str__(self) -> str:
        return str(self.call or "the user's consent")

    def is_given(self, transcript: Transcript, turn: int) -> bool:
        """Return whether the user agreed in some message up to this turn that answers a reply."""
        words = (self.consent or "")[1:-1]
        users = [
            one.user for one in transcript.turns if 1 < one.n <= turn or (one.n == 1 == turn and transcript.history)
        ]
        return any(
            matches_somewhere(words or CONSENT, text, ignore_case=True)
            and (bool(words) or not matches_somewhere(REFUSAL, text, ignore_case=True))
            for text in users
        )


def _needed(value: Any) -> Any:
    """Accept `consent`, `consent: /yes|ja/` and everything that names a call."""
    if value == "consent":
        return {"consent": ""}
    if isinstance(value, dict) and [*value] == ["consent"] and not isinstance(value["consent"], dict):
        return value
    return {"call": value}


_AnyNeeded = Annotated[Needed, BeforeValidator(_needed, json_schema_input_type=str | dict[str, str | dict[str, Any]])]
_OneOrMany = Annotated[
    list[_AnyNeeded],
    Field(min_length=1),
    BeforeValidator(
        lambda value: value if isinstance(value, list) else [value],
        json_schema_input_type=str | dict[str, Any] | list[str | dict[str, Any]],
    ),
]
NeededByTool = Annotated[dict[str, _OneOrMany], Field(min_length=1)]


class _Order(Grader):
    """What `after` and `before` share: one assertion for each tool and each thing that is needed."""

    def entries(self) -> Iterator[tuple[ValuePath, str, Needed]]:
        """Yield each tool with each thing that is needed for it, and where that stands."""
        for name, wanted in getattr(self, self.key()).items():
            yield from (((self.key(), name, n), name, needed) for n, needed in enumerate(wanted))

    def only(self) -> tuple[str, Needed]:
        """Return the tool and what is needed of one assertion."""
        [(_, tool, needed)] = self.entries()
        return tool, needed

    def label(self) -> str:
        tool, needed = self.only()
        return f"{self.kind} {tool}: {needed.call.name if needed.call else 'consent'}"

    def parts(self) -> Iterator[tuple[ValuePath, Self]]:
        for path, name, needed in self.entries():
            yield path[:2], self.model_copy(update={self.key(): {name: [needed]}})

    def problems(self) -> Iterator[Fault]:
        for path, _, needed in self.entries():
            if needed.call is not None:
                yield from needed.call.problems(path)

    def mentions(self) -> Iterator[Mention]:
        for path, name, needed in self.entries():
            yield Mention(name, path[:2])
            if needed.call is not None:
                yield needed.call.mention(path)


class After(_Order):
    """Require that each call of a tool comes after another call that worked, or after the user's consent.

    Why: nothing is returned before it was looked up, nothing is cancelled unasked. Example: `after: {start_return:
    lookup_order, cancel: consent}`. What was called in `history` came before. Consent is a user message that agrees and
    does not refuse, sent after a reply of the assistant; `/regex/` names other words for it. Instead of a whole order
    of calls, use `calls`.
    """

    kind = "tools.after"
    after: NeededByTool = Field(
        description="TOOL: what must have come before each of its calls: a call that worked, or `consent`.",
        examples=[{"start_return": ["lookup_order", "consent"]}],
    )
    match: MatchKey = SUBSET

    def problems(self) -> Iterator[Fault]:
        yield from super().problems()
        for path, _, needed in self.entries():
            if needed.consent and (pattern := pattern_of(needed.consent)):
                yield from pattern_faults((*path, "consent"), pattern)
            elif needed.consent:
                message = (
                    "words of consent are a regular expression, such as consent: '/\\byes\\b/'; or write just consent."
                )
                yield Fault(path, message)

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, None)  # what is needed may have come in an earlier turn, or before the first
        before = past_calls(transcript)
        tool, needed = self.only()
        expected = f"{tool} only after {needed}"
        for at, (number, call) in enumerate(zip(made.turns, made.calls, strict=True)):
            if call.name != tool or turn not in (None, number):
                continue
            if needed.call is None:
                is_ready = needed.is_given(transcript, number)
            else:
                earlier = (one for one in (*before, *made.calls[:at]) if not one.is_error)
                is_ready = any(needed.call.matches(one, self.match) for one in earlier)
            if not is_ready:
                return Finding(TrialVerdict.FAILED, shown_call(call.name, call.input), expected, turn=number)
        return made.passed("kept", expected, turn)


class Before(_Order):
    """Require that each call of a tool comes before the first call of another.

    Why: a check that comes too late checks nothing. Example: `before: {check_stock: place_order}`. Instead of asking
    that the first tool is called at all, use `calls`.
    """

    kind = "tools.before"
    before: NeededByTool = Field(
        description="TOOL: a call before which all its calls must come.", examples=[{"check_stock": "place_order"}]
    )
    match: MatchKey = SUBSET

    def problems(self) -> Iterator[Fault]:
        yield from super().problems()
        for path, _, needed in self.entries():
            if needed.call is None:
                yield Fault(path, "`consent` belongs under `after`; nothing can come before it.")

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made, (tool, needed) = made_calls(transcript, turn), self.only()
        expected, calls, other = f"{tool} before {needed}", made.calls, needed.call
        first = next((at for at, call in enumerate(calls) if other and other.matches(call, self.match)), len(calls))
        late = next((call for call in calls[first:] if call.name == tool), None)
        if late is not None:
            return Finding(TrialVerdict.FAILED, shown_call(late.name, late.input), expected, turn=made.turn_of(late))
        return made.passed("kept", expected, turn)


class Recovery(FileModel):
    """What may follow a tool error beside a retry."""

    called: ClassVar[str] = "recovers"
    hand_over: Texts | None = Field(None, description="Tools that hand over to a person.", examples=[["hand_over"]])


def _recovery(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    if unwrapped(value) is True:
        return {}
    raise refusal("'recovers' must be true, or a mapping with hand_over.")


class Recovers(Grader):
    """Require that each tool error is followed by a call of the same tool that works, or by a hand-over.

    Why: a customer must not be left with an error. Example: `recovers: {hand_over: [transfer]}`. A call that failed is
    not a sound retry when it is made a third time unchanged. A conversation without an error keeps the rule. Instead of
    forbidding a retry, use `times`.
    """

    kind = "tools.recovers"
    recovers: Annotated[Recovery, BeforeValidator(_recovery, json_schema_input_type=bool | Recovery)] = Field(
        description="Each tool error is followed by a sound retry, or by a hand-over.",
        examples=[{"hand_over": ["hand_over"]}],
    )

    def label(self) -> str:
        return "recovers"

    def mentions(self) -> Iterator[Mention]:
        for n, name in enumerate(self.recovers.hand_over or ()):
            yield Mention(name, ("recovers", "hand_over", n))

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, turn)
        hand_over = frozenset(self.recovers.hand_over or ())
        expected = "each tool error is followed by a sound retry" + (" or a hand-over" if hand_over else "")
        failed: dict[str, int] = {}
        for at, call in enumerate(made.calls):
            if not call.is_error:
                continue
            times = failed[_identity(call)] = failed.get(_identity(call), 0) + 1
            worked = [one.name for one in made.calls[at + 1 :] if not one.is_error]
            if times <= 2 and (call.name in worked or hand_over.intersection(worked)):
                continue
            if made.missing and times <= 2:
                return not_measured(made.missing, turn)
            observed = f"{shown_call(call.name, call.input)} failed{' again' if times > 2 else ''}"
            return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(call), note=call.output)
        return made.passed(f"{sum(failed.values())} errors", expected, turn)


class MaxRedundant(Grader):
    """Limit calls that repeat an earlier one with the same arguments and get the same result.

    Why: each costs time and money and tells nothing new. Example: `tools: {max_redundant: 0}`. Instead of limiting all
    calls, use `max_calls`.
    """

    kind = "tools.max_redundant"
    max_redundant: Count = Field(
        ge=0, description="At most this many calls repeat one with the same result.", examples=[0]
    )

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made, limit = made_calls(transcript, turn), self.max_redundant
        seen: set[tuple[str, str]] = set()
        repeated: list[ToolCall] = []
        for call in made.calls:
            key = (_identity(call), call.output)
            if key in seen and not call.is_error:
                repeated.append(call)
            seen.add(key)
        observed, expected = f"{len(repeated)} redundant calls", f"at most {limit}"
        if len(repeated) > limit:
            beyond = repeated[limit]
            note = shown_call(beyond.name, beyond.input)
            return limit_finding(observed, expected, holds=False, turn=made.turn_of(beyond), note=note)
        return made.passed(observed, expected, turn)


def _identity(call: ToolCall) -> str:
    return f"{call.name} {json.dumps(call.input, sort_keys=True, ensure_ascii=False)}"
