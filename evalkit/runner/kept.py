"""Replies that were paid for already are given again: those of an earlier run, and those from before a run was cut off.

Only live runs have a cache of replies: the stand-in costs nothing and a replay asks nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

import orjson

from evalkit.engine import Ask, Replies, RequestEvent, RequestFinished
from evalkit.engine.requests import body_sha
from evalkit.errors import UsageError
from evalkit.records import Request
from evalkit.store import ResponseCache, cache_key


class CachedReplies:
    """Answers from the cache where it can, else from `onwards`.

    `trial` says who asks. The same body asked twice, as for two votes of a judge, is two questions; `asked` holds the
    hashes of bodies that were asked before this conversation was taken up again.
    """

    def __init__(
        self, cache: ResponseCache, onwards: Replies, *, endpoint: str, trial: str, asked: Iterable[str] = ()
    ) -> None:
        self._cache = cache
        self._onwards = onwards
        self._endpoint = endpoint
        self._trial = trial
        self._asked = Counter(asked)

    async def ask(self, ask: Ask) -> AsyncGenerator[RequestEvent]:
        """Give the kept reply with the times it took then, or ask for one and keep it when it is complete."""
        sha = body_sha(ask.body)
        self._asked[sha] += 1
        key = cache_key(self._endpoint, ask.body, ask.headers, f"{self._trial}#{self._asked[sha]}")
        known = self._cache.load(key)
        if known is not None:
            here = replace(known, n=ask.n, turn=ask.turn, body=ask.body, purpose=ask.purpose, from_cache=True)
            yield RequestFinished(here)
            return
        async with aclosing(self._onwards.ask(ask)) as events:
            async for event in events:
                if isinstance(event, RequestFinished):
                    self._cache.save(key, event.request)
                yield event


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
