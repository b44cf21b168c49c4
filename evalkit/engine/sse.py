"""Server-sent events from raw bytes: any chunking in, parsed event objects out. Knows nothing of what they mean.

Amazon's event stream (Bedrock) is unwrapped into the server-sent events it carries, so that nothing needs a second way.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson


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
