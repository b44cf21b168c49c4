"""A loopback server that stands for any platform: keeps what it is sent, answers with a stream wrapped as asked."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Seen:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as JSON."""
        value: dict[str, Any] = json.loads(self.body)
        return value


@dataclass
class PlatformServer:
    """The server's address, what it answers, and what it was sent."""

    url: str = ""
    answer: bytes = b""
    kind: str = "text/event-stream"
    status: str = "200 OK"
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close the connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.seen.append(Seen(first.split()[1], headers, body))
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        top = f"HTTP/1.1 {self.status}\r\ncontent-type: {self.kind}\r\nconnection: close\r\n{extra}\r\n"
        writer.write(top.encode() + self.answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def platform_server(**settings: Any) -> AsyncIterator[PlatformServer]:
    """Serve on loopback until the end of the block."""
    platform = PlatformServer(**settings)
    server = await asyncio.start_server(platform.serve, "127.0.0.1", 0)
    platform.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield platform
    finally:
        server.close()
        await server.wait_closed()


def frames(events: list[dict[str, Any]]) -> bytes:
    """Wrap events as Bedrock does: each in a chunk frame of Amazon's event stream."""
    return b"".join(chunk_frame(event) for event in events)


def chunk_frame(event: dict[str, Any]) -> bytes:
    """Wrap one event."""
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()
    return frame({":message-type": "event", ":event-type": "chunk", ":content-type": "application/json"}, payload)


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Build a frame: lengths, their checksum, headers, payload, the checksum of it all (vnd.amazon.eventstream)."""
    packed = b"".join(
        struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    checked = prelude + struct.pack("!I", binascii.crc32(prelude)) + packed + payload
    return checked + struct.pack("!I", binascii.crc32(checked))
