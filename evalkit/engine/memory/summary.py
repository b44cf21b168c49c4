"""Old turns as a memory block that a model wrote: rare and in big steps, so that the cached prefix lives in between.

The request for the summary repeats the conversation as it was sent last and only adds a message, so nearly all of it is
read from the cache and thinking in it stays valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.engine.memory.gauge import Gauge
from evalkit.engine.memory.plan import Fold, Messages, fitted
from evalkit.engine.memory.turns import last_turns, turn_starts, without_thinking
from evalkit.records import JsonObject, Request

OPENING = "<conversation_memory>"
CLOSING = "</conversation_memory>"
REQUEST = (
    "[Automatic message, not from the user] Write a memory of the conversation so far. It replaces the older messages, "
    "so whatever it leaves out is lost. Keep, one short line each and in the exact words where they matter: what the "
    "user told about themselves and what they want; names, numbers, dates, codes and amounts; what tools returned that "
    "still holds; what was decided, promised or refused; what is still open. Take over what an earlier "
    f"{OPENING} block says. Leave out greetings and small talk. Call no tools, answer nothing, address nobody: write "
    "only the lines."
)


@dataclass(frozen=True)
class Summary:
    """Folds all but the last turns once the conversation is longer than `above_tokens`, system and tools included.

    `keep_turns` finished turns stay word for word; `tokens` is the room for the summary; `instructions` are added to
    the request for it.
    """

    above_tokens: int
    keep_turns: int
    tokens: int
    instructions: str = ""
    fields: JsonObject = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages | Fold:
        """Return the messages, or the fold that makes them shorter."""
        everything = tuple(messages)
        too_long = not gauge.fits(everything)
        if not too_long and gauge.tokens(everything) <= self.above_tokens:
            return everything
        kept = last_turns(everything, self.keep_turns + 1)
        folded = len(turn_starts(everything)) - self.keep_turns - 1 - _has_memory(everything)
        # A fold that takes away less than it keeps would come again a turn later, and each one costs the cached prefix.
        if folded < 1 or (folded < self.keep_turns and not too_long):
            return fitted(everything, gauge)
        request: JsonObject = {"role": "user", "content": f"{REQUEST} {self.instructions}".strip()}
        return Fold(
            ask=(*fitted(everything[:-1], gauge, self.tokens + gauge.tokens((request,)) - gauge.tokens(())), request),
            reply_tokens=self.tokens,
            kept=fitted(without_thinking(kept), gauge, self.tokens),
            otherwise=fitted(everything, gauge),
        )


def summary_of(request: Request) -> str:
    """Return the summary that a request brought; empty when it failed, was cut off, refused or called tools."""
    if request.failure or request.stop_reason not in {"end_turn", "stop_sequence"}:
        return ""
    return "".join(str(block["text"]) for block in request.content if block.get("type") == "text").strip()


def remembered(summary: str, kept: Messages) -> Messages:
    """Return the messages to go on with: the memory block as a user's message, then what was kept."""
    text = f"{OPENING}\n{summary}\n{CLOSING}\nAbove: notes on the older part of this conversation, in its place."
    return ({"role": "user", "content": text}, *kept)


def _has_memory(messages: Messages) -> bool:
    return bool(messages) and str(messages[0].get("content", "")).startswith(OPENING)
