"""A reply from its bytes: server-sent events out of any chunking, and `fold`, which adds one to a message.

Pure. Amazon's event stream (Bedrock) is unwrapped into the server-sent events it carries, so that nothing needs a
second way. Usage in `message_delta` is cumulative, so it overwrites and never adds. Unknown events, blocks and stop
reasons survive. Source of the event shapes: platform.claude.com, streaming messages, read 2026-09-26.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import orjson

from evalkit.records import JsonObject, Usage


class MalformedStream(ValueError):
    """The bytes are no event stream of JSON objects."""


class EventDecoder:
    """Cuts bytes into events and parses each one's data.

    The API writes one JSON object a `data:` line whose `type` repeats the event's name, so the name is not needed.
    Comment lines, `ping` events and events without data are passed over, line ends may be LF, CRLF or CR.
    Source: platform.claude.com, streaming messages, read 2026-09-26, and the WHATWG event stream format.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Yield the events that are complete with this chunk; MalformedStream where data is no JSON object.

        What came before the broken data is still yielded: it holds what an abandoned reply has cost.
        """
        buffer = self._rest + chunk
        if b"\r" in buffer:
            if buffer.endswith(b"\r"):  # the LF of this line end may be in the next chunk
                self._rest = buffer
                return
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = buffer.split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:])
            elif not line and self._data:
                event = self._parse()
                if event.get("type") != "ping":
                    yield event

    def _parse(self) -> dict[str, Any]:
        data = b"\n".join(self._data)
        self._data = []
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError as exc:
            msg = f"an event's data is no JSON: {data[:80]!r}"
            raise MalformedStream(msg) from exc
        if not isinstance(event, dict):
            msg = f"an event's data is no JSON object: {data[:80]!r}"
            raise MalformedStream(msg)
        return event


CONTENT_TYPE = "application/vnd.amazon.eventstream"
# Bedrock's names for what the API calls otherwise.
_ERROR_TYPES = {
    "throttlingException": "rate_limit_error",
    "serviceUnavailableException": "overloaded_error",
    "modelTimeoutException": "timeout_error",
    "modelStreamErrorException": "api_error",
    "internalServerException": "api_error",
    "validationException": "invalid_request_error",
}


async def events_from_frames(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the events of a framed stream as server-sent events; MalformedStream when a frame is broken."""
    from botocore.eventstream import EventStreamBuffer, ParserError

    buffer = EventStreamBuffer()
    async for chunk in chunks:
        buffer.add_data(chunk)
        try:
            for frame in buffer:  # one by one: what came before a broken frame arrives, its usage was billed
                yield _event(frame.headers, frame.payload)
        except (ParserError, orjson.JSONDecodeError, binascii.Error, KeyError) as exc:
            msg = f"a broken frame in the event stream: {type(exc).__name__}: {exc}"
            raise MalformedStream(msg) from exc


def _event(headers: dict[str, Any], payload: bytes) -> bytes:
    if headers.get(":message-type") != "event":
        return b"data: " + orjson.dumps(_error(headers, payload)) + b"\n\n"
    if headers.get(":event-type") != "chunk":
        return b""
    return b"data: " + base64.b64decode(orjson.loads(payload)["bytes"]) + b"\n\n"


def _error(headers: dict[str, Any], payload: bytes) -> dict[str, Any]:
    name = str(headers.get(":exception-type") or headers.get(":error-code") or "unknown exception")
    message = headers.get(":error-message") or (orjson.loads(payload).get("message") if payload else None) or name
    return {"type": "error", "error": {"type": _ERROR_TYPES.get(name, "api_error"), "message": f"{message} ({name})"}}


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
                start = event["message"]
                reason = (start.get("diagnostics") or {}).get("cache_miss_reason") or {}
                return Message(
                    id=start.get("id"),
                    model=start.get("model"),
                    usage=start.get("usage"),
                    cache_miss_reason=reason.get("type"),
                )
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
