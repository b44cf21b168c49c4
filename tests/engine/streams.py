"""Hand-made streams: events to bytes, and a loopback server that plays scripts of bytes to the real SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any


def sse(*events: dict[str, Any]) -> bytes:
    """Write events as the API does."""
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events
    )


def start(**usage: Any) -> dict[str, Any]:
    """Make a message_start event."""
    usage = {"input_tokens": 10, "output_tokens": 1, **usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "content": []}
    return {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}}


def text_block(index: int, *pieces: str) -> list[dict[str, Any]]:
    """Make the events of a text block."""
    return _block(index, {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces])


def tool_block(index: int, name: str, *fragments: str) -> list[dict[str, Any]]:
    """Make the events of a tool call."""
    begin = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    return _block(index, begin, [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *fragments)])


def end(stop_reason: str = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    """Make the closing events."""
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7, **usage}}, {"type": "message_stop"}]


def _block(index: int, begin: dict[str, Any], deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": begin},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def http(body: bytes, status: str = "200 OK", kind: str = "text/event-stream", extra: str = "") -> bytes:
    """Wrap a body in a close-delimited HTTP response."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nrequest-id: req_1\r\nconnection: close\r\n{extra}\r\n"
    return head.encode() + body


@asynccontextmanager
async def byte_server(
    responses: Sequence[bytes], *, hold: bool = False
) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Serve the given bytes, one response a request (the last one again and again); give address and seen bodies.

    With `hold` a response stays open until the client leaves.
    """
    seen: list[dict[str, Any]] = []
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        seen.append(json.loads(await reader.readexactly(length)))
        writer.write(responses[min(len(seen), len(responses)) - 1])
        await writer.drain()
        if hold:
            await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", seen
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*tasks)
