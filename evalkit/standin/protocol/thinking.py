"""Signatures of thinking blocks: made here, checked when the blocks come back.

On models that bind thinking, a signature names the model, the prompt before the block (without other thinking) and
the thinking block before it, so that an edited prefix or a gap in the kept blocks is noticed without the server
remembering anything (platform.claude.com, preserved thinking, read November 2026).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from evalkit.standin.cache import THINKING, as_blocks, blocks_of
from evalkit.standin.errors import bad_request
from evalkit.standin.models import Model
from evalkit.standin.reply import JsonObject


@dataclass(frozen=True)
class ThinkingBlock:
    """A thinking block of the request: where it stands, its signature, and the digest of the prompt before it."""

    place: str
    message: int
    block: int
    signature: str
    prefix: str


def check_thinking_blocks(
    request: JsonObject, model: Model, *, drop_mismatches: bool = False
) -> tuple[JsonObject, list[JsonObject]]:
    """Return the request without the blocks the model may not see, and the `input_transformations` that says so.

    Raises the API's 400 for a forged signature, and for an edited prefix unless the request asks to drop such blocks.
    """
    if not any(block["type"] in THINKING for _, _, block in blocks_of(request["messages"])):
        return request, []  # most requests; walking one takes a digest of all of it
    binding = (request.get("thinking") or {}).get("block_binding") or {}
    behaviour = binding.get("prefix_mismatch_behavior")
    drops_mismatches = drop_mismatches if behaviour is None else behaviour == "drop_block"
    drops: set[tuple[int, int]] = set()
    reports: list[JsonObject] = []
    previous = ""
    for entry in _walk(request):
        if isinstance(entry, str):
            continue
        maker, prefix, before = _read_signature(entry)
        # The signature names the block before it, so that a block taken out of the middle is noticed like an edit.
        if maker != model.id:  # another model's thinking is dropped without a word
            drops.add((entry.message, entry.block))
            continue
        gap = bool(previous) and before != _short(previous)
        if model.binds_thinking and (prefix != entry.prefix or gap):
            if not drops_mismatches:
                raise bad_request(
                    f"{entry.place}: Invalid `signature` in `thinking` block. The block is bound to a different "
                    "conversation: `system`, `tools` and all earlier messages must be unchanged."
                )
            drops.add((entry.message, entry.block))
            reports.append({"type": "thinking_dropped", "path": entry.place, "reason": "prefix_mismatch"})
            continue
        previous = entry.signature
    if not drops:
        return request, reports
    messages = [
        message
        if isinstance(message["content"], str)
        else {**message, "content": [b for j, b in enumerate(message["content"]) if (i, j) not in drops]}
        for i, message in enumerate(request["messages"])
    ]
    return {**request, "messages": messages}, reports


def sign_thinking(request: JsonObject, model: Model) -> str:
    """Return the signature for a thinking block that answers this request."""
    prefix, last = "", ""
    for entry in _walk(request):
        if isinstance(entry, ThinkingBlock):
            last = entry.signature
        else:
            prefix = entry
    parts = orjson.dumps(["standin", model.id, prefix, _short(last)])
    return b64encode(parts).decode()


def _walk(request: JsonObject) -> Iterator[ThinkingBlock | str]:
    """Yield each thinking block, then the digest of the whole prompt without thinking, tool choice and markers."""
    head = orjson.dumps([_plain(request.get("tools") or []), _plain(as_blocks(request.get("system")))])
    digest = blake2b(head, digest_size=12)
    role = ""
    for index, message in enumerate(request["messages"]):
        for position, block in enumerate(as_blocks(message["content"])):
            if block["type"] in THINKING:
                signature = block.get("signature") or block.get("data") or ""
                yield ThinkingBlock(
                    f"messages.{index}.content.{position}", index, position, signature, digest.hexdigest()
                )
                continue
            digest.update(b"" if role == message["role"] else message["role"].encode())
            digest.update(orjson.dumps(_plain(block)))
            role = message["role"]
    yield digest.hexdigest()


def _read_signature(entry: ThinkingBlock) -> tuple[str, str, str]:
    try:
        mark, maker, prefix, before = orjson.loads(b64decode(entry.signature, validate=True))
    except (ValueError, TypeError) as exc:
        raise bad_request(f"{entry.place}: Invalid `signature` in `thinking` block") from exc
    if mark != "standin":
        raise bad_request(f"{entry.place}: Invalid `signature` in `thinking` block")
    return maker, prefix, before


def _short(signature: str) -> str:
    return blake2b(signature.encode(), digest_size=6).hexdigest() if signature else ""


def _plain(value: Any) -> Any:
    """Return the value without cache markers, which are no part of what thinking is bound to."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and ("cache_control" in value or isinstance(value.get("content"), list)):
        return {key: _plain(item) for key, item in value.items() if key != "cache_control"}
    return value
