"""What a memory strategy is: it looks at the messages before a turn is sent and says which of them go out.

Strategies are pure: the same messages and gauge give the same plan, so that a resumed session sends the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from evalkit.engine.memory.gauge import Gauge
from evalkit.engine.memory.turns import turn_starts, without_thinking
from evalkit.records import JsonObject

Messages = tuple[JsonObject, ...]


@dataclass(frozen=True)
class Fold:
    """Old turns are to become a memory block, by a request of the engine's own.

    `ask` are the messages of that request and `reply_tokens` what it may write beside the prompt's own `max_tokens`.
    `kept` goes on word for word behind the block; `otherwise` is sent when no summary could be had.
    """

    ask: Messages
    reply_tokens: int
    kept: Messages
    otherwise: Messages


class Memory(Protocol):
    """A strategy. `fields` join every request body and `headers` every request; most strategies have none."""

    @property
    def fields(self) -> JsonObject:
        """Request fields beside the prompt's."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of every request."""
        ...

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages | Fold:
        """Return what to send; the last message is the user's new one."""
        ...


def fitted(messages: Sequence[JsonObject], gauge: Gauge, reserve: int = 0) -> Messages:
    """Return the messages without as many of the oldest turns as it takes to fit the model's window.

    `reserve` tokens stay free. The last turn always stays: what does not fit alone is for the API to refuse.
    """
    kept, starts = tuple(messages), turn_starts(messages)
    for start in starts[1:]:
        if gauge.tokens(kept) + reserve <= gauge.room:
            break
        kept = without_thinking(messages[start:])
    return kept
