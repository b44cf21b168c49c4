"""How a long conversation is kept short: strategies that say, before a turn is sent, which messages go out.

Strategies are pure: the same messages and gauge give the same plan, so that a resumed session sends the same bytes.
`evalkit/prompts/memory.py` says what the `memory:` key of a prompt may hold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.engine.history import Gauge, last_turns, turn_starts, without_thinking
from evalkit.errors import UsageError
from evalkit.records import JsonObject, Request

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


class Memory(ABC):
    """A strategy. `fields` join every request body and `headers` every request; most strategies have none."""

    @property
    def fields(self) -> JsonObject:
        """Request fields beside the prompt's."""
        return {}

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of every request."""
        return {}

    @abstractmethod
    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages | Fold:
        """Return what to send; the last message is the user's new one."""


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


@dataclass(frozen=True)
class WholeMemory(Memory):
    """The whole conversation, every time; what the API makes of one that is too long is the API's word."""

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages:
        """Return the messages as they are."""
        return tuple(messages)


@dataclass(frozen=True)
class WindowMemory(Memory):
    """The last `turns` turns, the new message's included; what came before is forgotten.

    Cheap in tokens and dear in cache: once the window is full its start moves with every turn, so nothing behind the
    system prompt is ever read from the cache again.
    """

    turns: int

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages:
        """Return the turns that are left, without thinking as soon as one is missing."""
        kept = last_turns(messages, self.turns)
        if len(kept) < len(messages):
            kept = without_thinking(kept)
        return fitted(kept, gauge)


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
class SummaryMemory(Memory):
    """Folds all but the last turns once the conversation is longer than `above_tokens`, system and tools included.

    Old turns become a block that the model itself wrote: rarely and in big steps, so that the cached prefix lives in
    between. The request for it repeats the conversation as it was sent last and only adds a message, so nearly all of
    it is read from the cache and thinking in it stays valid.

    `keep_turns` finished turns stay word for word; `tokens` is the room for the summary; `instructions` are added to
    the request for it.
    """

    above_tokens: int
    keep_turns: int
    tokens: int
    instructions: str = ""

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages | Fold:
        """Return the messages, or the fold that makes them shorter."""
        everything = tuple(messages)
        too_long = not gauge.fits(everything)
        if not too_long and gauge.tokens(everything) <= self.above_tokens:
            return everything
        kept = last_turns(everything, self.keep_turns + 1)
        has_memory = str(everything[0].get("content", "")).startswith(OPENING)
        folded = len(turn_starts(everything)) - self.keep_turns - 1 - has_memory
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


BETA = "compact-2026-01-12"


@dataclass(frozen=True)
class CompactionMemory(Memory):
    """Leaves shortening to the API, from `above_tokens` on: a beta, asked for by a field and switched on by a header.

    The client goes on sending the whole conversation; the server passes over what its latest compaction block covers,
    which stands in a reply. Source: platform.claude.com, compaction, read November 2026.
    """

    above_tokens: int
    instructions: str = ""

    @property
    def fields(self) -> JsonObject:
        """The field that asks for it."""
        edit: dict[str, object] = {
            "type": "compact_20260112",
            "trigger": {"type": "input_tokens", "value": self.above_tokens},
        }
        if self.instructions:
            edit["instructions"] = self.instructions
        return {"context_management": {"edits": [edit]}}

    @property
    def headers(self) -> Mapping[str, str]:
        """The header that allows it."""
        return {"anthropic-beta": BETA}

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages:
        """Return everything: the server decides."""
        return tuple(messages)


_STRATEGIES: Mapping[str, Callable[[Any], Memory]] = {
    "window": WindowMemory,
    "summary": lambda settings: SummaryMemory(**settings),
    "compact": lambda settings: CompactionMemory(**settings),
}


def memory_named(memory: JsonObject) -> Memory:
    """Return the strategy; UsageError for one that this version does not know (a record of a newer one)."""
    if not memory:
        return WholeMemory()
    (name, settings), *others = memory.items()
    if name not in _STRATEGIES or others:
        msg = f"memory: unknown strategy {name!r}; expected {', '.join(_STRATEGIES)}. Update evalkit."
        raise UsageError(msg)
    return _STRATEGIES[name](settings)
