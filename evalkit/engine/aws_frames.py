"""Amazon's event stream (Bedrock) as the server-sent events it carries, so that what decodes them needs no second way.

Frames are cut and checked by botocore, which comes with the extra `bedrock`. Each `chunk` frame holds one event of the
Messages API in base64; an exception frame becomes the `error` event that Anthropic's own endpoint would have sent.
Source: the frame handling of anthropic 2.12.0 (`lib/bedrock/_stream_decoder.py`) and Bedrock's ResponseStream shape.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any

import orjson

from evalkit.engine.sse import MalformedStream

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
