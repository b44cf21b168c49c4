"""Token counts from the length of the text: a stable estimate, not a tokenizer.

Text counts one token per 3.6 characters (4.7 on models with the older tokenizer), structured blocks by their JSON,
pictures and PDF pages a flat figure. What matters for an evaluation is that the same bytes always count the same
and longer text counts more.
"""

from __future__ import annotations

from math import ceil

import orjson

from evalkit.standin.models import Model
from evalkit.standin.reply import JsonObject

MESSAGE_OVERHEAD_TOKENS = 4
TOOLS_OVERHEAD_TOKENS = 290  # the instructions the API adds once tools are present
IMAGE_TOKENS = 1_500
PDF_TOKENS = 3_000


def count_text(text: str, model: Model) -> int:
    """Return the estimate for plain text; 0 only for the empty string."""
    return ceil(len(text) / model.characters_per_token)


def count_block(block: JsonObject, model: Model, encoded: bytes | None = None) -> int:
    """Return the estimate for one content block; `encoded` is its JSON, if the caller has it already."""
    kind = block.get("type")
    if kind == "text":
        return count_text(str(block.get("text", "")), model)
    if kind == "compaction":
        return count_text(str(block.get("content") or ""), model)
    if kind == "thinking":
        return count_text(str(block.get("thinking", "")), model)
    if kind == "image":
        return IMAGE_TOKENS
    if kind == "document" and block.get("source", {}).get("type") in {"base64", "url", "file"}:
        return PDF_TOKENS
    if kind == "tool_result":
        return _count_result(block, model)
    return ceil(len(encoded if encoded is not None else orjson.dumps(block)) / model.characters_per_token)


def count_output(content: list[JsonObject], model: Model) -> int:
    """Return the output tokens of finished blocks; never 0, as the API bills the end of the turn too."""
    return 1 + sum(count_block(block, model) for block in content)


def _count_result(block: JsonObject, model: Model) -> int:
    content = block.get("content")
    envelope = ceil(40 / model.characters_per_token)
    if isinstance(content, list):
        return envelope + sum(count_block(part, model) for part in content)
    return envelope + count_text(content or "", model)
