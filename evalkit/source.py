"""Where replies come from: the real API, or the stand-in, started here and stopped at the end.

Knows how a source is chosen, refused, named and opened; runs and chats open it the same way. Importing it loads neither
the SDK nor the stand-in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module

from evalkit.engine import Door
from evalkit.engine.platforms import ANTHROPIC, check_platform, endpoint_name, is_configured
from evalkit.errors import UsageError
from evalkit.records import Source

LIVE = "live"
STAND_IN = "stand-in"


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


def usual_source(platform: str = ANTHROPIC) -> str:
    """Return where replies come from when nobody says: live where the environment names what the platform needs."""
    return LIVE if is_configured(platform) else STAND_IN


def require_credential(via: str, platform: str = ANTHROPIC) -> None:
    """Refuse a live run without a key before anything is written or loaded; UsageError."""
    if via != LIVE:
        return
    if platform == ANTHROPIC and not is_configured(platform):
        msg = "--via live needs a key; set ANTHROPIC_API_KEY, or use --via stand-in."
        raise UsageError(msg)
    check_platform(platform)


def load_source(via: str) -> None:
    """Load what opening a source needs, which takes about a second; a chat does so while the first message is typed."""
    import_module("evalkit.engine.claude")
    if via == STAND_IN:
        from evalkit.standin.server import build_server, default_answer
        from evalkit.standin.settings import Settings

        build_server(Settings(answer=default_answer()))  # thrown away: it is the imports that take time


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
