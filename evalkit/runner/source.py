"""Opens the source of replies: the real API, or the stand-in, started here and stopped with the run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from evalkit.engine import Door
from evalkit.errors import UsageError
from evalkit.records import Source
from evalkit.runner.settings import LIVE, STAND_IN

CREDENTIALS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE")
ANTHROPIC_HOST = "api.anthropic.com"


@dataclass(frozen=True)
class OpenSource:
    """A door that is open, and what is behind it."""

    source: Source
    door: Door


def describe_source(via: str) -> Source:
    """Return what a run's header says of `live` or `stand-in`; for another endpoint than Anthropic's also its host."""
    if via == STAND_IN:
        return Source("stand-in")
    host = urlsplit(os.environ.get("ANTHROPIC_BASE_URL") or f"https://{ANTHROPIC_HOST}").netloc
    return Source("live", "" if host == ANTHROPIC_HOST else host)


def has_credential(environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether the environment names a credential that the SDK would use."""
    env = os.environ if environment is None else environment
    return any(env.get(name) for name in CREDENTIALS)


def require_credential(via: str) -> None:
    """Refuse a live run without a key before anything is written or loaded; UsageError."""
    if via == LIVE and not has_credential():
        msg = "--via live needs a key; set ANTHROPIC_API_KEY, or use --via stand-in."
        raise UsageError(msg)


@asynccontextmanager
async def open_source(via: str) -> AsyncIterator[OpenSource]:
    """Open `live` or `stand-in`, and close it at the end."""
    from evalkit.engine.claude import STAND_IN_KEY, ClaudeDoor

    if via == LIVE:
        door = ClaudeDoor()
        try:
            yield OpenSource(describe_source(via), door)
        finally:
            await door.close()
        return
    from evalkit.standin import StandIn

    stand_in = StandIn()
    door = ClaudeDoor(stand_in.start(), STAND_IN_KEY)
    try:
        yield OpenSource(describe_source(via), door)
    finally:
        await door.close()
        stand_in.stop()
