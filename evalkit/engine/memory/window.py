"""The two plain strategies: send everything, or only the last turns. They call nothing and remember nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.engine.memory.gauge import Gauge
from evalkit.engine.memory.plan import Messages, fitted
from evalkit.engine.memory.turns import last_turns, without_thinking
from evalkit.records import JsonObject


@dataclass(frozen=True)
class Everything:
    """The whole conversation, every time; what the API makes of one that is too long is the API's word."""

    fields: JsonObject = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages:
        """Return the messages as they are."""
        return tuple(messages)


@dataclass(frozen=True)
class Window:
    """The last `turns` turns, the new message's included; what came before is forgotten.

    Cheap in tokens and dear in cache: once the window is full its start moves with every turn, so nothing behind the
    system prompt is ever read from the cache again.
    """

    turns: int
    fields: JsonObject = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages:
        """Return the turns that are left, without thinking as soon as one is missing."""
        kept = last_turns(messages, self.turns)
        if len(kept) < len(messages):
            kept = without_thinking(kept)
        return fitted(kept, gauge)
