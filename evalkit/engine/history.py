"""Messages as turns and as tokens: where a conversation may be cut, what may be left out, how much of it fits.

Knows the Messages API's pairing rules; must not know why somebody cuts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from evalkit.prompts.header import facts_of
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
        return round((self.fixed + _length(messages)) / self.per_token)

    def fits(self, messages: Sequence[JsonObject]) -> bool:
        """Tell whether a request with these messages and a reply to it fit the model's window."""
        return self.tokens(messages) <= self.room

    def after(self, request: Request) -> Gauge:
        """Return the gauge corrected by a request's real usage."""
        tokens = request.usage.prompt_tokens if request.usage else 0
        if not tokens:
            return self
        length = self.fixed + _length(request.body.get("messages", ()))
        return Gauge(self.fixed, max(1.0, length / tokens), self.room)


def gauge_of(prompt: PromptVersion) -> Gauge:
    """Return a gauge for a prompt version of which no request was made yet."""
    facts = facts_of(prompt.model)
    window = facts.context if facts else SMALLEST_WINDOW
    room = int((window - int(prompt.params.get("max_tokens", 0))) * MARGIN)
    fixed = _length(prompt.system) + _length(prompt.tools)
    return Gauge(fixed, facts.characters if facts else CHARACTERS_PER_TOKEN, max(room, 1))


def _length(objects: Sequence[JsonObject]) -> int:
    return sum(len(orjson.dumps(each).decode()) for each in objects)
