"""The tool calls that a transcript holds: those an assertion speaks of, and how they are shown to people.

A call counts from the moment the assistant asked for it, whatever the tool answered. With a turn, only that turn's
calls count; without one, those of the whole conversation. Knows records only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.graders.findings import not_measured
from evalkit.graders.replies import complete_turns
from evalkit.records import Finding, JsonObject, ToolCall, Transcript, TrialVerdict

_MAX_ARGUMENTS = 160
_MAX_CALLS = 10


@dataclass(frozen=True)
class MadeCalls:
    """The calls to judge in their order, the turn of each, and why some may be missing (empty: none is)."""

    calls: tuple[ToolCall, ...]
    turns: tuple[int, ...]
    missing: str

    def turn_of(self, call: ToolCall) -> int:
        """Return the turn in which a call was made."""
        return next(turn for turn, candidate in zip(self.turns, self.calls, strict=True) if candidate is call)

    def passed(self, observed: str, expected: str, turn: int | None) -> Finding:
        """Return that nothing breaks the rule: passed, unless a call that could break it may be missing."""
        if self.missing:
            return not_measured(self.missing, turn)
        return Finding(TrialVerdict.PASSED, observed, expected, turn=turn)


def made_calls(transcript: Transcript, turn: int | None) -> MadeCalls:
    """Return the calls of a turn, or those of the whole conversation."""
    judged = complete_turns(transcript, turn)
    made = [(turn.n, call) for turn in judged.turns for call in turn.tool_calls]
    return MadeCalls(tuple(call for _, call in made), tuple(turn for turn, _ in made), judged.missing)


def shown_call(name: str, arguments: JsonObject | None) -> str:
    """Return `name {"key": "value"}`, long arguments cut; only the name when there are none."""
    if not arguments:
        return name
    text = json.dumps(arguments, ensure_ascii=False, default=dict)
    return f"{name} {text if len(text) <= _MAX_ARGUMENTS else text[:_MAX_ARGUMENTS] + '…'}"


def shown_calls(calls: Sequence[ToolCall]) -> str:
    """Return the calls one after the other, or `no tool call`."""
    texts = [shown_call(call.name, call.input) for call in calls[:_MAX_CALLS]]
    more = [f"and {len(calls) - _MAX_CALLS} more"] if len(calls) > _MAX_CALLS else []
    return ", ".join(texts + more) or "no tool call"
