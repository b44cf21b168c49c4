"""A server process that plays one canned 30-event reply to every request, with so little work that it is not measured.

Each event travels in its own chunk and its own write: at once, or (below `/slowly`) a millisecond after the other, so
that the client wakes up for each of them.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine.streams import end, sse, start, text_block

EVENTS = 30
PAUSE_S = 0.001
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nrequest-id: req_canned\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def canned_chunks() -> list[bytes]:
    """Return the reply's chunks: 30 events, 25 of them text."""
    texts = [f"word {n} and a few more " for n in range(EVENTS - 5)]
    events = [start(cache_read_input_tokens=900), *text_block(0, *texts), *end()]
    assert len(events) == EVENTS
    return [b"%x\r\n%s\r\n" % (len(data), data) for data in (sse(event) for event in events)]


class Canned(asyncio.Protocol):
    """Answers each request on a connection with the canned reply."""

    def __init__(self) -> None:
        self._chunks = canned_chunks()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once a request is complete."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._buffer = b""
        pieces = [HEAD + self._chunks[0], *self._chunks[1:], b"0\r\n\r\n"]
        if head.startswith(b"POST /slowly/"):
            self._write_slowly(iter(pieces))
        else:
            for piece in pieces:
                self._transport.write(piece)

    def _write_slowly(self, pieces: Iterator[bytes]) -> None:
        piece = next(pieces, None)
        if piece is not None:
            self._transport.write(piece)
            asyncio.get_running_loop().call_later(PAUSE_S, self._write_slowly, pieces)


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length"))


@contextmanager
def canned_server() -> Iterator[str]:
    """Run the server in another process and give its base URL."""
    command = [sys.executable, "-m", "tests.bench.canned_server"]
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
