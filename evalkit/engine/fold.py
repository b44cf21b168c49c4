"""A reply from its stream events: `fold` takes a message and an event and gives the next message. Pure.

Usage in `message_delta` is cumulative, so it overwrites and never adds. Unknown events, blocks and stop reasons
survive.
Source of the event shapes: platform.claude.com, streaming messages, read 2026-09-26.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import orjson

from evalkit.engine.sse import MalformedStream
from evalkit.records import JsonObject, Usage

INVALID_JSON = "INVALID_JSON"
"""The one key of a tool input that could not be parsed; its value is the raw text (the API's own convention)."""

_TOKENS = tuple(each.name for each in fields(Usage) if each.name.endswith("_tokens"))

Pieces = tuple[Any, ...] | None  # a chain (earlier pieces, piece): appending costs the same however long it is


@dataclass(frozen=True, slots=True)
class Block:
    """A content block while it is being received; `done` once its stop event came."""

    start: JsonObject
    pieces: Pieces = None
    signature: str = ""
    citations: tuple[JsonObject, ...] = ()
    done: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A reply while it is being received; `finished` once `message_stop` came."""

    id: str | None = None
    model: str | None = None
    blocks: tuple[Block, ...] = ()
    stop_reason: str | None = None
    stop_details: JsonObject | None = None
    usage: JsonObject | None = None
    cache_miss_reason: str | None = None
    finished: bool = False

    def content(self) -> tuple[JsonObject, ...]:
        """Return the content blocks as the API would have sent them in one piece."""
        return tuple(_whole(block) for block in self.blocks)


def fold(message: Message, event: Mapping[str, Any]) -> Message:
    """Return the message after one more event; MalformedStream when the event can't follow."""
    try:
        match event.get("type"):
            case "content_block_delta":
                return _with_delta(message, event["index"], event["delta"])
            case "content_block_start":
                if event["index"] != len(message.blocks):
                    msg = f"block {event['index']} starts after {len(message.blocks)} blocks"
                    raise MalformedStream(msg)
                return replace(message, blocks=(*message.blocks, Block(event["content_block"])))
            case "content_block_stop":
                return _change(message, event["index"], done=True)
            case "message_start":
                return _started(event["message"])
            case "message_delta":
                return _ended(message, event["delta"], event.get("usage") or {})
            case "message_stop":
                return replace(message, finished=True)
            case _:
                return message
    except (KeyError, TypeError, IndexError, AttributeError) as exc:
        msg = f"a {event.get('type')!r} event that can't follow here: {exc!r}"
        raise MalformedStream(msg) from exc


def usage_of(raw: JsonObject | None) -> Usage | None:
    """Return the API's usage object as a value, None for none.

    The 5m/1h split stands in `cache_creation`; what `cache_creation_input_tokens` says beyond it was written for five
    minutes (server tools do that without being asked). A compaction that the server made on the way is paid for but
    stands outside the API's totals, in `iterations`; here it is counted in.
    """
    if raw is None:
        return None
    parts = [_usage(raw), *(_usage(each) for each in raw.get("iterations") or () if each.get("type") == "compaction")]
    tokens = {name: sum(getattr(part, name) for part in parts) for name in _TOKENS}
    return replace(parts[0], **tokens)


def _usage(raw: JsonObject) -> Usage:
    split = raw.get("cache_creation") or {}
    hour = split.get("ephemeral_1h_input_tokens") or 0
    five = split.get("ephemeral_5m_input_tokens") or 0
    written = raw.get("cache_creation_input_tokens") or 0
    details = raw.get("output_tokens_details") or {}
    return Usage(
        input_tokens=raw.get("input_tokens") or 0,
        ephemeral_5m_input_tokens=max(five, written - hour),
        ephemeral_1h_input_tokens=hour,
        cache_read_input_tokens=raw.get("cache_read_input_tokens") or 0,
        output_tokens=raw.get("output_tokens") or 0,
        thinking_tokens=details.get("thinking_tokens") or 0,
        service_tier=raw.get("service_tier") or "standard",
    )


def _started(start: Mapping[str, Any]) -> Message:
    diagnostics = start.get("diagnostics") or {}
    reason = diagnostics.get("cache_miss_reason") or {}
    return Message(
        id=start.get("id"), model=start.get("model"), usage=start.get("usage"), cache_miss_reason=reason.get("type")
    )


def _with_delta(message: Message, index: int, delta: Mapping[str, Any]) -> Message:
    block = message.blocks[index]
    match delta.get("type"):
        case "text_delta":
            return _with_piece(message, index, block, delta["text"])
        case "input_json_delta":
            return _with_piece(message, index, block, delta["partial_json"])
        case "thinking_delta":
            return _with_piece(message, index, block, delta["thinking"])
        case "signature_delta":
            return _change(message, index, signature=delta["signature"])
        case "citations_delta":
            return _change(message, index, citations=(*block.citations, delta["citation"]))
        case "compaction_delta":  # comes once and whole; later requests must repeat the block
            content = {key: value for key, value in delta.items() if key != "type"}
            return _change(message, index, start={**block.start, **content})
        case _:
            return message


def _change(message: Message, index: int, **changes: Any) -> Message:
    return _with_changed(message, index, replace(message.blocks[index], **changes))


def _with_piece(message: Message, index: int, block: Block, piece: str) -> Message:
    """Add a piece to a block. Nearly every event ends here, and `replace` would cost three times as much."""
    longer = Block(block.start, (block.pieces, piece), block.signature, block.citations, block.done)
    return _with_changed(message, index, longer)


def _with_changed(message: Message, index: int, block: Block) -> Message:
    blocks = message.blocks
    return Message(
        message.id,
        message.model,
        (*blocks[:index], block, *blocks[index + 1 :]),
        message.stop_reason,
        message.stop_details,
        message.usage,
        message.cache_miss_reason,
        message.finished,
    )


def _ended(message: Message, delta: Mapping[str, Any], usage: Mapping[str, Any]) -> Message:
    newer = {key: value for key, value in usage.items() if value is not None}
    return replace(
        message,
        stop_reason=delta.get("stop_reason"),
        stop_details=delta.get("stop_details"),
        usage={**(message.usage or {}), **newer},
    )


def _whole(block: Block) -> JsonObject:
    parts: list[str] = []
    pieces = block.pieces
    while pieces is not None:
        pieces, part = pieces
        parts.append(part)
    text = "".join(reversed(parts))
    match block.start.get("type"):
        case "text":
            whole = {**block.start, "text": block.start.get("text", "") + text}
            return {**whole, "citations": list(block.citations)} if block.citations else whole
        case "thinking":
            signature = block.signature or block.start.get("signature", "")
            return {**block.start, "thinking": block.start.get("thinking", "") + text, "signature": signature}
        case "tool_use" | "server_tool_use" if text:
            try:
                value = orjson.loads(text)
            except orjson.JSONDecodeError:
                value = None
            return {**block.start, "input": value if isinstance(value, dict) else {INVALID_JSON: text}}
        case _:
            return block.start
