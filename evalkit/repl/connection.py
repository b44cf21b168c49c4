"""Where a chat's replies come from: live or the stand-in, opened while the person types the first message.

Loading the SDK takes a second and starting the stand-in some more; both happen in a thread of their own.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from evalkit.engine import ApiReplies, Door, Limits, Price, RateLimiter, Replies
from evalkit.engine.platforms import ANTHROPIC
from evalkit.engine.tools import run_in_thread
from evalkit.errors import UsageError
from evalkit.records import JsonObject
from evalkit.source import (
    LIVE,
    STAND_IN,
    describe_source,
    load_source,
    open_source,
    require_credential,
    stand_in_headers,
    usual_source,
)

LIMITS = Limits(turn_s=300.0)  # a person is waiting


@dataclass(frozen=True)
class Script:
    """What the stand-in does in a case, and how many replies stood before it; live replies know nothing of it."""

    steps: tuple[JsonObject, ...] = ()
    replies_before: int = 0


class Connection:
    """Replies for one chat over one pool of connections; `warm_up` early, close at the end."""

    def __init__(self, via: str, platform: str, price: Price) -> None:
        self.source = describe_source(via, platform)
        self._via = via
        self._platform = platform
        self._price = price
        self._limiter = RateLimiter()
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[Door] | None = None

    def warm_up(self) -> None:
        """Begin to load and open, and return at once."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())

    async def replies(self, trial: int = 1, script: Script | None = None) -> Replies:
        """Return a source of replies; `trial` tells the stand-in which of several answers to give."""
        if self._opening is not None and self._opening.done() and self._opening.exception() is not None:
            self._opening = None  # what was missing may be there now
        self.warm_up()
        assert self._opening is not None  # noqa: S101 - set by the line above
        door = await asyncio.shield(self._opening)
        script = script or Script()
        headers = stand_in_headers(self.source, trial, script.steps, script.replies_before)
        return ApiReplies(door, self._price, headers=headers, limits=LIMITS, limiter=self._limiter)

    async def close(self) -> None:
        """Close what was opened."""
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._stack.aclose()

    async def _open(self) -> Door:
        await run_in_thread(partial(load_source, self._via))
        opened = await self._stack.enter_async_context(open_source(self._via, self._platform))
        return opened.door


def choose_source(asked: str | None, platform: str = ANTHROPIC) -> str:
    """Return `live` or `stand-in`: what was asked for, else the usual one. UsageError when it can't be used."""
    via = asked or usual_source(platform)
    if via not in {LIVE, STAND_IN}:
        raise UsageError(f"--via {via}: a chat needs replies that are made now; expected live or stand-in.")
    require_credential(via, platform)
    return via
