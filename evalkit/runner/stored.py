"""Replies that an interrupted run has already: they are given again instead of being asked and paid for again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import orjson

from evalkit.engine import Ask, Replies, RequestEvent, RequestFinished
from evalkit.errors import UsageError
from evalkit.records import Request


class StoredReplies:
    """Answers from stored requests while there are some, then from `onwards`."""

    def __init__(self, stored: Sequence[Request], onwards: Replies) -> None:
        self._stored = {request.n: request for request in stored}
        self._onwards = onwards

    async def ask(self, ask: Ask) -> AsyncGenerator[RequestEvent]:
        """Give the stored reply of this request, or ask for one; UsageError when the stored body is another one."""
        stored = self._stored.get(ask.n)
        if stored is None:
            async with aclosing(self._onwards.ask(ask)) as events:
                async for event in events:
                    yield event
            return
        if orjson.dumps(stored.body) != orjson.dumps(ask.body):
            msg = f"request {ask.n} would be sent differently now than it was recorded; start a new run."
            raise UsageError(msg)
        yield RequestFinished(stored)
