"""The tool calls an assertion speaks of, in order, each with its turn. Knows records only."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.graders.replies import complete_turns
from evalkit.records import ToolCall, Transcript


@dataclass(frozen=True)
class Calls:
    """The calls to judge, the turn of each, and why some may be missing."""

    calls: tuple[ToolCall, ...]
    turns: tuple[int, ...]
    missing: str

    def turn_of(self, call: ToolCall) -> int:
        """Return the turn in which a call was made."""
        return next(turn for turn, candidate in zip(self.turns, self.calls, strict=True) if candidate is call)


def made_calls(transcript: Transcript, turn: int | None) -> Calls:
    """Return the calls of a turn, or those of the whole conversation."""
    judged = complete_turns(transcript, turn)
    made = [(turn.n, call) for turn in judged.turns for call in turn.tool_calls]
    return Calls(tuple(call for _, call in made), tuple(turn for turn, _ in made), judged.missing)
