"""Where a reply ends early: at a stop sequence, at `max_tokens`, in the middle of a tool call.

Knows how much text a token stands for; knows nothing of usage, ids or streaming.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.standin.models import Model
from evalkit.standin.reply import JsonObject
from evalkit.standin.tokens import count_block


@dataclass(frozen=True)
class Cut:
    """Content after a limit was applied; `cut_input` is the unfinished JSON of a last tool call."""

    content: list[JsonObject]
    stop_reason: str
    stop_sequence: str | None = None
    cut_input: str | None = None


def encode_input(value: JsonObject) -> str:
    """Return a tool input as the JSON text the API streams."""
    return json.dumps(value, ensure_ascii=False)


def cut_input(content: list[JsonObject], characters: int) -> Cut:
    """Break the last block, a tool call, off after some characters of its input."""
    encoded = encode_input(content[-1]["input"])
    kept = max(1, min(characters, len(encoded) - 1))
    return Cut([*content[:-1], {**content[-1], "input": {}}], "max_tokens", cut_input=encoded[:kept])


def stop_at_sequence(cut: Cut, sequences: Sequence[str]) -> Cut:
    """End the content before the first stop sequence that occurs in a text block."""
    for index, block in enumerate(cut.content):
        if block["type"] != "text":
            continue
        hits = [(block["text"].find(each), each) for each in sequences if each and each in block["text"]]
        if hits:
            at, sequence = min(hits)
            kept = [{**block, "text": block["text"][:at]}] if at else []
            return Cut(cut.content[:index] + kept, "stop_sequence", sequence)
    return cut


def stop_at_limit(cut: Cut, limit: int, model: Model) -> Cut:
    """End the content where `limit` output tokens are used up."""
    left = limit - 1
    for index, block in enumerate(cut.content):
        cost = count_block(block, model)
        if cost <= left:
            left -= cost
            continue
        kept = cut.content[:index]
        characters = int(left * model.characters_per_token)
        if block["type"] == "text" and characters:
            return Cut([*kept, {**block, "text": block["text"][:characters]}], "max_tokens")
        if block["type"] == "tool_use" and characters:
            return cut_input([*kept, block], characters)
        return Cut(kept, "max_tokens")
    return cut
