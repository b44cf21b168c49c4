"""Server-sent events from raw bytes: any chunking in, parsed event objects out. Knows nothing of what they mean."""

from __future__ import annotations

from collections.abc import Iterator
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
