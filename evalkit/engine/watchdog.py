"""Ends a wait for bytes that takes too long. One timer per try instead of one per piece; knows nothing of replies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Watchdog:
    """Guards the waits of one try: each ends with TimeoutError after `idle_s` seconds or at `deadline` (loop time).

    Between two waits it never bites: what the consumer of a stream does meanwhile is not the server's silence.
    """

    def __init__(self, idle_s: float, deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle_s = idle_s
        self._deadline = deadline
        self._since = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self._bitten = False
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Await; TimeoutError when it takes too long, CancelledError only when somebody else cancelled."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        cancelled_before = task.cancelling()
        self._since = self._loop.time()
        self._waiting = task
        if self._timer is None:
            self._timer = self._loop.call_at(self._due(), self._look)
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._bitten and task.uncancel() <= cancelled_before:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> float:
        return min(self._deadline, self._since + self._idle_s)

    def _look(self) -> None:
        """Bite when a wait is overdue; else look again when the current one would be."""
        self._timer = None
        if self._waiting is None:
            return  # the next wait sets the timer again
        due = self._due()
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._look)
            return
        self._bitten = True
        self._waiting.cancel()
