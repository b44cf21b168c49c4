"""Opens the source of replies: the real API, or the stand-in, started here and stopped with the run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from evalkit.engine import Door
from evalkit.engine.platforms import ANTHROPIC, check_platform, endpoint_name, is_configured
from evalkit.errors import UsageError
from evalkit.records import Source
from evalkit.runner.settings import LIVE, STAND_IN


@dataclass(frozen=True)
class OpenSource:
    """A door that is open, and what is behind it."""

    source: Source
    door: Door


def describe_source(via: str, platform: str = ANTHROPIC) -> Source:
    """Return what a run's header says of `live` or `stand-in`; for another endpoint than Anthropic's also its host."""
    if via == STAND_IN:
        return Source("stand-in")
    return Source("live", endpoint_name(platform))


def has_credential(platform: str = ANTHROPIC, environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether the environment names what the platform needs."""
    return is_configured(platform, environment)


def require_credential(via: str, platform: str = ANTHROPIC) -> None:
    """Refuse a live run without a key before anything is written or loaded; UsageError."""
    if via != LIVE:
        return
    if platform == ANTHROPIC and not has_credential():
        msg = "--via live needs a key; set ANTHROPIC_API_KEY, or use --via stand-in."
        raise UsageError(msg)
    check_platform(platform)


@asynccontextmanager
async def open_source(via: str, platform: str = ANTHROPIC) -> AsyncIterator[OpenSource]:
    """Open `live` or `stand-in`, and close it at the end."""
    from evalkit.engine.claude import STAND_IN_KEY, ClaudeDoor

    if via == LIVE:
        door = ClaudeDoor(platform=platform)
        try:
            yield OpenSource(describe_source(via, platform), door)
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
