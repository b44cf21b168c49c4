"""How a long conversation is kept short: where it may be cut, how much of it fits, and strategies.

Strategies are pure: the same messages and gauge give the same plan, so that a resumed session sends the same bytes.
`evalkit/prompts/memory.py` says what the `memory:` key of a prompt may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from evalkit.content import Weight, text_of, weigh
from evalkit.errors import UsageError
from evalkit.prompts.models import facts_of
from evalkit.records import JsonObject, PromptVersion, Request

THINKING = frozenset({"thinking", "redacted_thinking"})


def turn_starts(messages: Sequence[JsonObject]) -> tuple[int, ...]:
    """Return the positions of the user messages that begin a turn: those that answer no tool call.

    A conversation cut before one of them begins with a user's message, and no call is parted from its result.
    """
    return tuple(
        position
        for position, message in enumerate(messages)
        if message.get("role") == "user" and "tool_result" not in _kinds(message)
    )


def last_turns(messages: Sequence[JsonObject], count: int) -> tuple[JsonObject, ...]:
    """Return the last `count` turns, at least one; everything when there are no more."""
    starts = turn_starts(messages)
    return tuple(messages[starts[-count] :]) if len(starts) > count else tuple(messages)


def without_thinking(messages: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """Return the messages without any thinking; a message that held nothing else is left out.

    Models that bind thinking to its prefix refuse a block whose earlier messages were dropped, and a run of blocks with
    gaps; without all of them they take the rest. Source: platform.claude.com, preserved thinking, read November 2026.
    """
    bare = (
        {**message, "content": [block for block in message["content"] if block.get("type") not in THINKING]}
        if _kinds(message) & THINKING
        else message
        for message in messages
    )
    return tuple(message for message in bare if message["content"])


def echoable(content: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the blocks of a reply that later requests may repeat: no empty text, no thinking at the very end.

    The API takes neither back, and a reply of which nothing else is left is not repeated at all.
    """
    blocks = [block for block in content if block.get("type") != "text" or block.get("text")]
    while blocks and blocks[-1].get("type") in THINKING:
        blocks.pop()
    return blocks


def _kinds(message: JsonObject) -> frozenset[str]:
    content = message.get("content")
    return frozenset() if isinstance(content, str) or not content else frozenset(str(each["type"]) for each in content)


CHARACTERS_PER_TOKEN = 3.0  # for a model that is not in the table: cautious for English text and JSON
SMALLEST_WINDOW = 200_000  # of the models in use in November 2026; taken where a model's own is unknown
MARGIN = 0.95  # an estimate that is off by a twentieth must still fit


@dataclass(frozen=True)
class Gauge:
    """Measures a prompt version's messages.

    `fixed` is the length of system and tools in characters, `per_token` how many characters make a token, `room` how
    many tokens system, tools and messages may have together so that the longest reply still fits the model's window.
    """

    fixed: int
    per_token: float
    room: int

    def tokens(self, messages: Sequence[JsonObject]) -> int:
        """Return the estimated tokens of a request with these messages, system and tools included."""
        return (Weight(self.fixed) + weigh(messages)).tokens_at(self.per_token)

    def fits(self, messages: Sequence[JsonObject]) -> bool:
        """Tell whether a request with these messages and a reply to it fit the model's window."""
        return self.tokens(messages) <= self.room

    def after(self, request: Request) -> Gauge:
        """Return the gauge corrected by a request's real usage."""
        tokens = request.usage.prompt_tokens if request.usage else 0
        if not tokens:
            return self
        sent = weigh(request.body.get("messages", ()))
        fixed = sum(weigh(request.body.get(part) or ()).characters for part in ("system", "tools"))
        # What files weigh is an estimate of its own; what is left of the prompt is text.
        text_tokens = max(1, tokens - sent.tokens)
        return replace(self, per_token=max(1.0, (fixed + sent.characters) / text_tokens))

    def beside(self, notes: str) -> Gauge:
        """Return the gauge of requests that carry these notes behind the system prompt."""
        return replace(self, fixed=self.fixed + weigh(notes_blocks(notes)).characters)


def gauge_of(prompt: PromptVersion) -> Gauge:
    """Return a gauge for a prompt version of which no request was made yet."""
    facts = facts_of(prompt.model)
    window = facts.context if facts else SMALLEST_WINDOW
    room = int((window - int(prompt.params.get("max_tokens", 0))) * MARGIN)
    fixed = weigh(prompt.system).characters + weigh(prompt.tools).characters
    return Gauge(fixed, facts.characters if facts else CHARACTERS_PER_TOKEN, max(room, 1))


Messages = tuple[JsonObject, ...]


BlockPlace = Literal["messages", "system"]
"""Where a memory block stands: in the first message, or behind the system prompt."""


@dataclass(frozen=True)
class Fold:
    """Old turns are to become a memory block, by a request of the engine's own.

    `ask` are the messages of that request and `reply_tokens` what it may write beside the prompt's own `max_tokens`.
    `kept` goes on word for word behind the block, which stands where `place` says; `otherwise` is sent when no summary
    could be had.
    """

    ask: Messages
    reply_tokens: int
    kept: Messages
    otherwise: Messages
    place: BlockPlace = "messages"


class Memory:
    """A strategy. `fields` join every request body and `headers` every request; most strategies have none."""

    @property
    def fields(self) -> JsonObject:
        """Request fields beside the prompt's."""
        return {}

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of every request."""
        return {}

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages | Fold:
        """Return what to send, everything unless a strategy says otherwise; the last message is the user's new one."""
        return tuple(messages)


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
    the request for it. In the system prompt the block stands behind what the cache keeps, and it changes by folds only:
    they take the thinking out of what they keep, so that none is left that was bound to another system prompt.
    """

    above_tokens: int
    keep_turns: int
    tokens: int
    instructions: str = ""
    place: BlockPlace = "messages"

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages | Fold:
        """Return the messages, or the fold that makes them shorter."""
        everything = tuple(messages)
        too_long = not gauge.fits(everything)
        if not too_long and gauge.tokens(everything) <= self.above_tokens:
            return everything
        kept = last_turns(everything, self.keep_turns + 1)
        has_memory = text_of(everything[0].get("content")).startswith(OPENING)
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
            place=self.place,
        )


def summary_of(request: Request) -> str:
    """Return the summary that a request brought; empty when it failed, was cut off, refused or called tools."""
    if request.failure or request.stop_reason not in {"end_turn", "stop_sequence"}:
        return ""
    return "".join(str(block["text"]) for block in request.content if block.get("type") == "text").strip()


def remembered(summary: str, fold: Fold) -> tuple[str, Messages]:
    """Return what to go on with: the notes behind the system prompt, if any, and the messages.

    The memory block is a user's message before what was kept, or those notes.
    """
    block = f"{OPENING}\n{summary}\n{CLOSING}\n"
    if fold.place == "system":
        return f"{block}Above: notes on the part of this conversation that came before its first message.", fold.kept
    text = f"{block}Above: notes on the older part of this conversation, in its place."
    return "", ({"role": "user", "content": text}, *fold.kept)


def notes_blocks(notes: str) -> tuple[JsonObject, ...]:
    """Return the blocks that follow the prompt's own in `system`; none without notes."""
    return ({"type": "text", "text": notes},) if notes else ()


def notes_in(body: JsonObject) -> str:
    """Return the notes behind the system prompt of a request; empty where there are none."""
    texts = [str(block.get("text", "")) for block in body.get("system") or () if isinstance(block, Mapping)]
    return texts[-1] if texts and texts[-1].startswith(OPENING) else ""


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


_STRATEGIES: Mapping[str, Callable[[Any], Memory]] = {
    "window": WindowMemory,
    "summary": lambda settings: SummaryMemory(**{"place" if key == "in" else key: settings[key] for key in settings}),
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
