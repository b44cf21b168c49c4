"""A server process that plays one canned 30-event reply to every request: as little work as can be, so that it is not
what a bench measures. Each event travels in its own chunk and its own write, as the API sends them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine.streams import end, sse, start, text_block

EVENTS = 30
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
        self._transport.write(HEAD)
        for chunk in self._chunks:
            self._transport.write(chunk)
        self._transport.write(b"0\r\n\r\n")


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
