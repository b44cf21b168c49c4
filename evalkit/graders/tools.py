"""Graders of which tools are called: tools.none, calls, never, max_calls, min_calls, times.

A call counts from the moment the assistant asked for it, whatever the tool answered. With a turn, only that turn's
calls count; without one, those of the whole conversation.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from evalkit.graders.difference import describe_difference
from evalkit.graders.findings import limit_finding, limits_text, not_measured
from evalkit.graders.grader import Grader
from evalkit.graders.matching import aligned, matches_call, matching_of, unmet_entry
from evalkit.graders.shown import shown_call, shown_calls
from evalkit.graders.tool_calls import Calls, made_calls
from evalkit.records import Assertion, Finding, JsonObject, ToolCall, Transcript, TrialVerdict
from evalkit.yamlsource import Count


def none(transcript: Transcript, assertion: Assertion) -> Finding:
    """Forbid every tool call.

    Why: a question back to the customer needs no lookup. Example: `tools: none`. Instead of forbidding all to keep
    one tool out, use `tools.never`.
    """
    made = made_calls(transcript, assertion.turn)
    return _forbidden(made, made.calls, "no tool call")


def never(transcript: Transcript, assertion: Assertion) -> Finding:
    """Forbid a call, with any arguments or only with those that match.

    Why: an action may need consent first. Example: `tools: {never: [start_return]}`. Instead of naming every other
    tool, use `tools: none`.
    """
    made = made_calls(transcript, assertion.turn)
    how = matching_of(assertion.params)
    found = tuple(call for call in made.calls if matches_call(assertion.params, call, how))
    return _forbidden(made, found, f"never {shown_entry(assertion.params)}")


class MaxCalls(Grader):
    """Limit the number of tool calls.

    Why: a model that keeps trying costs time and money. Example: `tools: {max_calls: 3}`. Instead of a limit that
    means "exactly these", use `order: exact`.
    """

    kind = "tools.max_calls"
    max_calls: Count = Field(ge=0, description="At most this many calls.", examples=[2])

    def label(self) -> str:
        return f"{self.kind} {self.max_calls}"

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made, limit = made_calls(transcript, turn), self.max_calls
        observed, expected = f"{len(made.calls)} calls", f"at most {limit}"
        if len(made.calls) > limit:
            return limit_finding(observed, expected, holds=False, turn=made.turns[limit])
        if made.missing:
            return not_measured(made.missing, turn)
        return limit_finding(observed, expected, holds=True, turn=turn)


def min_calls(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require some tool calls, whichever.

    Why: an answer that needs a lookup can't come from nowhere. Example: `tools: {min_calls: 1}`. Instead of a number
    when the tool is known, name it in `calls`.
    """
    made, limit = made_calls(transcript, assertion.turn), int(assertion.params["min"])
    observed = shown_calls(made.calls)
    if len(made.calls) < limit and made.missing:
        return not_measured(made.missing, assertion.turn)
    return limit_finding(observed, f"at least {limit} calls", holds=len(made.calls) >= limit, turn=assertion.turn)


def times(transcript: Transcript, assertion: Assertion) -> Finding:
    """Limit how often one tool is called.

    Why: a second booking is a second bill. Example: `tools: {times: {book: 1, lookup: {max: 3}}}`. Instead of
    counting all tools together, use `max_calls`.
    """
    made = made_calls(transcript, assertion.turn)
    name, low, high = assertion.params["name"], assertion.params.get("min"), assertion.params.get("max")
    found = [call for call in made.calls if call.name == name]
    observed, expected = f"{len(found)} calls of {name}", f"{limits_text(low, high)} calls of {name}"
    if high is not None and len(found) > high:
        return limit_finding(observed, expected, holds=False, turn=made.turn_of(found[high]))
    if made.missing:
        return not_measured(made.missing, assertion.turn)
    return limit_finding(observed, expected, holds=low is None or len(found) >= low, turn=assertion.turn)


def calls(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require that these calls were made, in this order.

    Why: a right answer without the lookup is luck. Example: `calls: [{lookup_order: {order_id: TN-20977}}]`.
    `relative`: others may come between; `exact`: these and no others; `any`: in any order, each by a call of its own.
    An argument may name what is accepted: `{one_of: [a, b]}`, `{min: 1, max: 5}`, `{value: a, optional: true}`,
    `{absent: true}`, `/regex/`; `match` says how strictly values are compared. Instead of repeating all arguments, name
    those that matter: the rest is free unless `match: {arguments: exact}`.
    """
    made = made_calls(transcript, assertion.turn)
    entries: Sequence[JsonObject] = assertion.params["calls"]
    order = assertion.params.get("order", "relative")
    unmet = unmet_entry(entries, made.calls, order, matching_of(assertion.params))
    if made.missing and (unmet is not None or order == "exact"):
        return not_measured(made.missing, assertion.turn)
    expected = f"{', '.join(map(shown_entry, entries)) or 'no call'} ({order} order)"
    observed = shown_calls(made.calls)
    if unmet is None:
        return Finding(TrialVerdict.PASSED, observed, expected, turn=assertion.turn)
    if unmet == len(entries):
        extra = made.calls[unmet]
        note = f"not expected: {shown_call(extra.name, extra.input)}"
        return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(extra), note=note)
    return _unmet_finding(made, unmet, assertion, Finding(TrialVerdict.FAILED, observed, expected))


def _unmet_finding(made: Calls, unmet: int, assertion: Assertion, found: Finding) -> Finding:
    entry = assertion.params["calls"][unmet]
    missed = f"entry {unmet + 1} was not met: {shown_entry(entry)}"
    nearest = nearest_call(entry, made.calls)
    if nearest is None:
        note = f"{missed}; {entry['name']} was not called"
        return Finding(found.verdict, found.observed, found.expected, turn=assertion.turn, note=note)
    how = matching_of(assertion.params)
    difference = describe_difference(*aligned(entry.get("input") or {}, nearest.input, how))
    reason = difference or "it was made, but not where this order asks for it"
    note = f"{missed}; nearest call: {shown_call(nearest.name, nearest.input)}\n{reason}"
    return Finding(found.verdict, found.observed, found.expected, turn=made.turn_of(nearest), note=note)


def nearest_call(entry: JsonObject, made: Sequence[ToolCall]) -> ToolCall | None:
    """Return the call of the same tool in which the most of the expected arguments match; the first of equals."""
    wanted = entry.get("input") or {}

    def fitting(call: ToolCall) -> int:
        return sum(matches_call({"name": call.name, "input": {key: value}}, call) for key, value in wanted.items())

    return max((call for call in made if call.name == entry["name"]), key=fitting, default=None)


def _forbidden(made: Calls, found: Sequence[ToolCall], expected: str) -> Finding:
    if found:
        return Finding(TrialVerdict.FAILED, shown_calls(found), expected, turn=made.turn_of(found[0]))
    if made.missing:
        return not_measured(made.missing)
    return Finding(TrialVerdict.PASSED, shown_calls(made.calls), expected)


def shown_entry(entry: JsonObject) -> str:
    return shown_call(entry["name"], entry.get("input"))
