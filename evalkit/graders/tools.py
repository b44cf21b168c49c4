"""Graders of which tools are called, and how often: `tools: none`, calls, never, max_calls, min_calls, times.

A call counts from the moment the assistant asked for it, whatever the tool answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from pydantic import Field

from evalkit.graders.grader import AnyLimits, Grader, Mention, limit_finding, limits_text, not_measured
from evalkit.graders.matching import (
    SUBSET,
    AnyCall,
    CallsGrader,
    MadeCalls,
    MatchKey,
    Order,
    made_calls,
    shown_call,
    shown_calls,
    unmet_entry,
)
from evalkit.records import Finding, ToolCall, Transcript, TrialVerdict
from evalkit.yamlsource import Count, ValuePath

Calls = Annotated[list[AnyCall], Field(min_length=1)]


class NoTools(Grader):
    """Forbid every tool call.

    Why: a question back to the customer needs no lookup. Example: `tools: none`. Instead of forbidding all to keep
    one tool out, use `tools.never`.
    """

    kind = "tools.none"

    def label(self) -> str:
        return "tools: none"

    def parts(self) -> Iterator[tuple[ValuePath, Self]]:
        yield (), self  # it stands for the whole mapping

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, turn)
        return _forbidden(made, made.calls, "no tool call")


class RequiredCalls(CallsGrader):
    """Require that these calls were made, in this order.

    Why: a right answer without the lookup is luck. Example: `calls: [{lookup_order: {order_id: TN-20977}}]`.
    `relative`: others may come between; `exact`: these and no others; `any`: in any order, each by a call of its own.
    An argument may name what is accepted: `{one_of: [a, b]}`, `{min: 1, max: 5}`, `{value: a, optional: true}`,
    `{absent: true}`, `/regex/`; `match` says how strictly values are compared. Instead of repeating all arguments, name
    those that matter: the rest is free unless `match: {arguments: exact}`.
    """

    kind = "tools.calls"
    calls: Calls = Field(
        description=(
            "Calls that must happen. An argument is a value, /regex/, {one_of: [..]}, {min:, max:}, "
            "{value:, optional: true} or {absent: true}; others are free."
        ),
        examples=[["lookup_order", {"start_return": {"order_id": "TN-20418", "qty": {"max": 2}}}]],
    )
    order: Order = Field(
        "relative",
        description="relative: in this order, others may come between; exact: these and no others; any: in any order.",
        examples=["exact"],
    )
    match: MatchKey = SUBSET

    def label(self) -> str:
        return "tools.calls " + ", ".join(call.name for call in self.calls)

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, turn)
        unmet = unmet_entry(self.calls, made.calls, self.order, self.match)
        if made.missing and (unmet is not None or self.order == "exact"):
            return not_measured(made.missing, turn)
        expected = f"{', '.join(map(str, self.calls))} ({self.order} order)"
        observed = shown_calls(made.calls)
        if unmet is None:
            return Finding(TrialVerdict.PASSED, observed, expected, turn=turn)
        if unmet == len(self.calls):  # all were made, and one more
            extra = made.calls[unmet]
            note = f"not expected: {shown_call(extra.name, extra.input)}"
            return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(extra), note=note)
        entry = self.calls[unmet]
        note = f"entry {unmet + 1} was not met: {entry}"
        nearest = entry.nearest(made.calls)
        if nearest is None:
            note += f"; {entry.name} was not called"
            return Finding(TrialVerdict.FAILED, observed, expected, turn=turn, note=note)
        reason = entry.difference(nearest, self.match) or "it was made, but not where this order asks for it"
        note += f"; nearest call: {shown_call(nearest.name, nearest.input)}\n{reason}"
        return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(nearest), note=note)


class ForbiddenCalls(CallsGrader):
    """Forbid a call, with any arguments or only with those that match.

    Why: an action may need consent first. Example: `tools: {never: [start_return]}`. Instead of naming every other
    tool, use `tools: none`.
    """

    kind = "tools.never"
    apart = True
    never: Calls = Field(description="Calls that must not happen.", examples=[["start_return"]])
    match: MatchKey = SUBSET

    def label(self) -> str:
        return f"tools.never {self.never[0].name}"

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, turn)
        found = [call for call in made.calls if any(one.matches(call, self.match) for one in self.never)]
        return _forbidden(made, found, f"never {', '.join(map(str, self.never))}")


class MaxCalls(Grader):
    """Limit the number of tool calls.

    Why: a model that keeps trying costs time and money. Example: `tools: {max_calls: 3}`. Instead of a limit that
    means "exactly these", use `order: exact`.
    """

    kind = "tools.max_calls"
    max_calls: Count = Field(ge=0, description="At most this many calls.", examples=[2])

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made, limit = made_calls(transcript, turn), self.max_calls
        observed, expected = f"{len(made.calls)} calls", f"at most {limit}"
        if len(made.calls) > limit:
            return limit_finding(observed, expected, holds=False, turn=made.turns[limit])
        return made.passed(observed, expected, turn)


class MinCalls(Grader):
    """Require some tool calls, whichever.

    Why: an answer that needs a lookup can't come from nowhere. Example: `tools: {min_calls: 1}`. Instead of a number
    when the tool is known, name it in `calls`.
    """

    kind = "tools.min_calls"
    min_calls: Count = Field(ge=1, description="At least this many calls, whichever.", examples=[1])

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, turn)
        holds = len(made.calls) >= self.min_calls
        if made.missing and not holds:
            return not_measured(made.missing, turn)
        return limit_finding(shown_calls(made.calls), f"at least {self.min_calls} calls", holds=holds, turn=turn)


class CallTimes(Grader):
    """Limit how often one tool is called.

    Why: a second booking is a second bill. Example: `tools: {times: {book: 1, lookup: {max: 3}}}`. Instead of
    counting all tools together, use `max_calls`.
    """

    kind = "tools.times"
    apart = True
    times: Annotated[dict[str, AnyLimits], Field(min_length=1)] = Field(
        description="How often single tools are called; a number alone means exactly.",
        examples=[{"start_return": 1, "lookup_order": {"max": 3}}],
    )

    def label(self) -> str:
        return f"tools.times {next(iter(self.times))}"

    def mentions(self) -> Iterator[Mention]:
        yield from (Mention(name, ("times", name)) for name in self.times)

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, turn)
        [(name, limits)] = self.times.items()
        found = [call for call in made.calls if call.name == name]
        observed, expected = f"{len(found)} calls of {name}", f"{limits_text(limits.low, limits.high)} calls of {name}"
        if limits.high is not None and len(found) > limits.high:
            return limit_finding(observed, expected, holds=False, turn=made.turn_of(found[limits.high]))
        if made.missing:
            return not_measured(made.missing, turn)
        return limit_finding(observed, expected, holds=limits.hold(len(found)), turn=turn)


def _forbidden(made: MadeCalls, found: Sequence[ToolCall], expected: str) -> Finding:
    if found:
        return Finding(TrialVerdict.FAILED, shown_calls(found), expected, turn=made.turn_of(found[0]))
    return made.passed(shown_calls(made.calls), expected, None)
