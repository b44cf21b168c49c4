"""How long a character takes from the API's socket to the terminal, and a chat from its start to its prompt.

A server that speaks just enough SSE sends one delta at a time and notes when; a pseudo-terminal notes when it shows.
Run: python -m tests.bench.chat_latency
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import pexpect

from tests.repl.shop import write_shop

DELTAS = 200
PAUSE_S = 0.02


class Server:
    """Streams `<n>` as deltas; `sent` holds when each was written."""

    def __init__(self) -> None:
        self.sent: dict[int, float] = {}
        self.port = 0
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": [], "usage": usage}
        self._event(writer, {"type": "message_start", "message": message})
        self._event(writer, {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        for number in range(DELTAS):
            await asyncio.sleep(PAUSE_S)
            self.sent[number] = time.perf_counter()
            delta = {"type": "text_delta", "text": f"<{number}>"}
            self._event(writer, {"type": "content_block_delta", "index": 0, "delta": delta})
            await writer.drain()
        self._event(writer, {"type": "content_block_stop", "index": 0})
        self._event(writer, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage})
        self._event(writer, {"type": "message_stop"})
        await writer.drain()
        writer.close()

    def _event(self, writer: asyncio.StreamWriter, data: dict[str, object]) -> None:
        writer.write(f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode())


def main() -> None:
    """Measure and print."""
    server = Server()
    root = write_shop(Path(tempfile.mkdtemp()))
    env = {
        **os.environ,
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.port}",
        "ANTHROPIC_API_KEY": "any",
        "XDG_STATE_HOME": str(root),
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "TERM": "xterm",
    }
    began = time.perf_counter()
    child = pexpect.spawn(sys.executable, ["-m", "evalkit", "chat", "support"], cwd=root, env=env, timeout=60)
    child.delaybeforesend = None
    child.expect("you>")
    started_s = time.perf_counter() - began
    child.expect("/help")
    child.send("Hello\r")
    late = []
    for number in range(DELTAS):
        child.expect_exact(f"<{number}>")
        late.append((time.perf_counter() - server.sent[number]) * 1000)
    child.close(force=True)
    late.sort()
    median, slow = late[len(late) // 2], late[int(len(late) * 0.99)]
    print(f"start to prompt {started_s:.2f} s")
    print(f"socket to screen: p50 {median:.1f} ms, p99 {slow:.1f} ms, max {late[-1]:.1f} ms")


if __name__ == "__main__":
    main()
