"""Replies that an earlier run has paid for, given again to the same trial; everything else is asked for and kept.

Only live runs have such a cache: the stand-in costs nothing and a replay asks nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace

from evalkit.engine import Ask, Replies, RequestEvent, RequestFinished
from evalkit.engine.aside import body_sha
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
