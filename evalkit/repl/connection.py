"""A chat's line to its replies: live or the stand-in, opened while the person types the first message.

Loading the SDK takes a second and starting the stand-in some more; both happen in a thread of their own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from evalkit.engine import ApiReplies, Limits, Price, RateLimiter, Replies
from evalkit.engine.platforms import ANTHROPIC
from evalkit.engine.tools import run_in_thread
from evalkit.errors import UsageError
from evalkit.records import JsonObject
from evalkit.repl.setting import Setting
from evalkit.source import (
    LIVE,
    STAND_IN,
    OpenSource,
    describe_source,
    load_source,
    open_door,
    require_credential,
    stand_in_headers,
    usual_source,
)
from evalkit.standin.reply import Cue
from evalkit.standin.script import Script, load_script

LIMITS = Limits(turn_s=300.0)  # a person is waiting


@dataclass(frozen=True)
class CaseSteps:
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
        self._opening: asyncio.Task[OpenSource] | None = None
        self._scripts: dict[str, Script] = {}

    def warm_up(self) -> asyncio.Task[OpenSource]:
        """Begin to load and open, if that is not done or under way, and return at once."""
        failed = self._opening is not None and self._opening.done() and self._opening.exception() is not None
        if self._opening is None or failed:  # what was missing may be there now
            self._opening = asyncio.create_task(self._open())
        return self._opening

    async def replies(self, setting: Setting, trial: int = 1, case: CaseSteps | None = None) -> Replies:
        """Return a source of replies; `trial` tells the stand-in which of several answers to give.

        The stand-in plays the script of the setting's prompt as it stands now; FileProblems when it can't be read.
        """
        opened = await asyncio.shield(self.warm_up())
        case = case or CaseSteps()
        script = load_script(setting.root, setting.prompt.name) if self.source.kind == "stand-in" else None
        if script is not None:
            self._scripts.setdefault(script.sha, script)
        cue = Cue(script.sha if script else "")
        headers = stand_in_headers(self.source, trial, cue, case.steps, case.replies_before)
        return ApiReplies(opened.door, self._price, headers=headers, limits=LIMITS, limiter=self._limiter)

    async def close(self) -> None:
        """Close what was opened."""
        if self._opening is not None:
            await asyncio.wait([self._opening])
            if self._opening.exception() is None:
                await self._opening.result().close()

    async def _open(self) -> OpenSource:
        await run_in_thread(partial(load_source, self._via))
        return open_door(self._via, self._platform, scripts=self._scripts)


def choose_source(asked: str | None, platform: str = ANTHROPIC) -> str:
    """Return `live` or `stand-in`: what was asked for, else the usual one. UsageError when it can't be used."""
    via = asked or usual_source(platform)
    if via not in {LIVE, STAND_IN}:
        raise UsageError(f"--via {via}: a chat needs replies that are made now; expected live or stand-in.")
    require_credential(via, platform)
    return via
