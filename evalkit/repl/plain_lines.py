"""Reads lines from a dumb terminal, which can only print line below line: no drawing, no completion, no history."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from evalkit.repl.message_text import is_open


class PlainLines:
    """Does what `LineEditor` does, as far as plain lines can."""

    async def read(self, prompt: str, prefill: str = "") -> str:
        """Return what was entered, or `prefill` for an empty line; EOFError when the person leaves."""
        if prefill:
            sys.stdout.write(f"  Enter sends: {prefill}\n")
        text = await self.ask(prompt)
        while is_open(text):
            text += "\n" + await self.ask("...  ")
        return text or prefill

    async def ask(self, question: str) -> str:
        """Return one line; EOFError at the end of input."""
        sys.stdout.write(question)
        sys.stdout.flush()
        line = await _line()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    async def above(self, write: Callable[[], None]) -> None:
        """Print something; nothing is being typed, because lines are only read when the chat is ready."""
        write()

    def redraw(self) -> None:
        """Do nothing: what was printed stays."""

    def leave(self, reason: BaseException) -> None:
        """Do nothing: no line is being read before the chat is ready."""


async def _line() -> str:
    """Read a line in a thread that nobody has to wait for when the chat ends."""
    loop = asyncio.get_running_loop()
    read: asyncio.Future[str] = loop.create_future()

    def settle(line: str) -> None:
        if not read.done():
            read.set_result(line)

    def work() -> None:
        line = sys.stdin.readline()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, line)

    Thread(target=work, name="evalkit-chat-line", daemon=True).start()
    return await read
