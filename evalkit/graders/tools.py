"""Graders of tool use: tools.none, tools.calls, tools.never, tools.max_calls.

A call counts from the moment the assistant asked for it, whatever the tool answered. With a turn, only that turn's
calls count; without one, those of the whole conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.graders.difference import describe_difference
from evalkit.graders.findings import limit_finding, not_measured
from evalkit.graders.matching import aligned, matches_call, unmet_entry
from evalkit.graders.replies import complete_turns
from evalkit.graders.shown import shown_call, shown_calls
from evalkit.records import Assertion, Finding, JsonObject, ToolCall, Transcript, TrialVerdict


@dataclass(frozen=True)
class _Calls:
    """The calls to judge, the turn of each, and why some may be missing."""

    calls: tuple[ToolCall, ...]
    turns: tuple[int, ...]
    missing: str

    def turn_of(self, call: ToolCall) -> int:
        return next(turn for turn, candidate in zip(self.turns, self.calls, strict=True) if candidate is call)


def none(transcript: Transcript, assertion: Assertion) -> Finding:
    """Forbid every tool call.

    Why: a question back to the customer needs no lookup. Example: `tools: none`. Instead of forbidding all to keep
    one tool out, use `tools.never`.
    """
    made = _made(transcript, assertion)
    return _forbidden(made, made.calls, "no tool call")


def never(transcript: Transcript, assertion: Assertion) -> Finding:
    """Forbid a call, with any arguments or only with those that match.

    Why: an action may need consent first. Example: `tools: {never: [start_return]}`. Instead of naming every other
    tool, use `tools: none`.
    """
    made = _made(transcript, assertion)
    found = tuple(call for call in made.calls if matches_call(assertion.params, call))
    return _forbidden(made, found, f"never {_shown_entry(assertion.params)}")


def max_calls(transcript: Transcript, assertion: Assertion) -> Finding:
    """Limit the number of tool calls.

    Why: a model that keeps trying costs time and money. Example: `tools: {max_calls: 3}`. Instead of a limit that
    means "exactly these", use `order: exact`.
    """
    made, limit = _made(transcript, assertion), int(assertion.params["max"])
    if len(made.calls) > limit:
        beyond = made.turns[limit]
        return limit_finding(f"{len(made.calls)} calls", f"at most {limit}", holds=False, turn=beyond)
    if made.missing:
        return not_measured(made.missing, assertion.turn)
    return limit_finding(f"{len(made.calls)} calls", f"at most {limit}", holds=True, turn=assertion.turn)


def calls(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require that these calls were made, in this order.

    Why: a right answer without the lookup is luck. Example: `calls: [{lookup_order: {order_id: TN-20977}}]`.
    `relative`: others may come between; `exact`: these and no others; `any`: in any order, each by a call of its own.
    Instead of repeating all arguments, name those that matter: the rest is free.
    """
    made = _made(transcript, assertion)
    entries: Sequence[JsonObject] = assertion.params["calls"]
    order = assertion.params.get("order", "relative")
    unmet = unmet_entry(entries, made.calls, order)
    if made.missing and (unmet is not None or order == "exact"):
        return not_measured(made.missing, assertion.turn)
    expected = f"{', '.join(map(_shown_entry, entries)) or 'no call'} ({order} order)"
    observed = shown_calls(made.calls)
    if unmet is None:
        return Finding(TrialVerdict.PASSED, observed, expected, turn=assertion.turn)
    if unmet == len(entries):
        extra = made.calls[unmet]
        note = f"not expected: {shown_call(extra.name, extra.input)}"
        return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(extra), note=note)
    return _unmet_finding(made, unmet, assertion, Finding(TrialVerdict.FAILED, observed, expected))


def _unmet_finding(made: _Calls, unmet: int, assertion: Assertion, found: Finding) -> Finding:
    entry = assertion.params["calls"][unmet]
    missed = f"entry {unmet + 1} was not met: {_shown_entry(entry)}"
    nearest = _nearest(entry, made.calls)
    if nearest is None:
        note = f"{missed}; {entry['name']} was not called"
        return Finding(found.verdict, found.observed, found.expected, turn=assertion.turn, note=note)
    difference = describe_difference(*aligned(entry.get("input") or {}, nearest.input))
    reason = difference or "it was made, but not where this order asks for it"
    note = f"{missed}; nearest call: {shown_call(nearest.name, nearest.input)}\n{reason}"
    return Finding(found.verdict, found.observed, found.expected, turn=made.turn_of(nearest), note=note)


def _nearest(entry: JsonObject, made: Sequence[ToolCall]) -> ToolCall | None:
    """Return the call of the same tool in which the most of the expected arguments match; the first of equals."""
    wanted = entry.get("input") or {}

    def fitting(call: ToolCall) -> int:
        return sum(matches_call({"name": call.name, "input": {key: value}}, call) for key, value in wanted.items())

    return max((call for call in made if call.name == entry["name"]), key=fitting, default=None)


def _forbidden(made: _Calls, found: Sequence[ToolCall], expected: str) -> Finding:
    if found:
        return Finding(TrialVerdict.FAILED, shown_calls(found), expected, turn=made.turn_of(found[0]))
    if made.missing:
        return not_measured(made.missing)
    return Finding(TrialVerdict.PASSED, shown_calls(made.calls), expected)


def _made(transcript: Transcript, assertion: Assertion) -> _Calls:
    judged = complete_turns(transcript, assertion.turn)
    made = [(turn.n, call) for turn in judged.turns for call in turn.tool_calls]
    return _Calls(tuple(call for _, call in made), tuple(turn for turn, _ in made), judged.missing)


def _shown_entry(entry: JsonObject) -> str:
    return shown_call(entry["name"], entry.get("input"))
