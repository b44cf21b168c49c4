"""A blocking call in a thread that nobody has to wait for.

The event loop's own pool is joined when the loop closes, so one function that hangs would keep the whole program from
ending; and it has few threads, so hanging ones would starve the others.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def run_in_thread(work: Callable[[], T]) -> T:
    """Return what `work` returns or raise what it raises; when the wait is cancelled the thread is left to itself."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(result)  # type: ignore[arg-type]
        elif isinstance(error, StopIteration):  # a future refuses to carry one
            outcome.set_exception(RuntimeError(f"StopIteration: {error}"))
        else:
            outcome.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = context.run(work)
        except BaseException as exc:  # noqa: BLE001 - it is raised where the call is awaited
            error = exc
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    Thread(target=run, name="evalkit-tool", daemon=True).start()
    return await outcome
