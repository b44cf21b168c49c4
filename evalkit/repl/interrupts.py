"""Ctrl-C in a chat: stops the reply that is coming, and nothing else. Keeps typed-ahead keys from showing meanwhile."""

from __future__ import annotations

import asyncio
import signal
import sys
import termios
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


class Interrupts:
    """Holds the signal while the chat lives; `arm` again after whatever took it (the line editor does)."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def arm(self) -> None:
        """Take the signal: from here on it stops a reply or does nothing."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self.stop)

    def stop(self) -> None:
        """Stop the reply that is coming, if one is."""
        if self._task is not None:
            self._task.cancel()

    async def run(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do something that Ctrl-C may stop, and tell whether it came to its end."""
        self._task = asyncio.ensure_future(work)
        self.arm()
        try:
            with _silent_keys():
                await self._task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            return False
        finally:
            self._task = None
        return True


@contextmanager
def _silent_keys() -> Iterator[None]:
    """Let the terminal keep what is typed for the next line without showing it in the middle of a reply."""
    if not sys.stdin.isatty():
        yield
        return
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    quiet = list(before)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(file, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
