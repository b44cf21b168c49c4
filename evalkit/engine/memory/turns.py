"""Messages as turns: where a conversation may be cut, and what of it may be left out. Knows the Messages API's pairing
rules; must not know why somebody cuts.
"""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.records import JsonObject

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
    bare = (_bare(message) for message in messages)
    return tuple(message for message in bare if message["content"])


def echoable(content: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the blocks of a reply that later requests may repeat: no empty text, no thinking at the very end.

    The API takes neither back, and a reply of which nothing else is left is not repeated at all.
    """
    blocks = [block for block in content if block.get("type") != "text" or block.get("text")]
    while blocks and blocks[-1].get("type") in THINKING:
        blocks.pop()
    return blocks


def _bare(message: JsonObject) -> JsonObject:
    content = message["content"]
    if isinstance(content, str) or not _kinds(message) & THINKING:
        return message
    return {**message, "content": [block for block in content if block.get("type") not in THINKING]}


def _kinds(message: JsonObject) -> frozenset[str]:
    content = message.get("content")
    return frozenset() if isinstance(content, str) or not content else frozenset(str(each["type"]) for each in content)
