"""Where replies come from: the real API, or the stand-in, started here and stopped at the end.

Knows how a source is chosen, refused, named and opened, and what only the stand-in is told; runs, chats and products
open it the same way. Importing it loads neither the SDK nor the stand-in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING

from evalkit.engine import Door, SharedLimiter
from evalkit.engine.platforms import ANTHROPIC, check_platform, endpoint_name, is_configured
from evalkit.errors import UsageError
from evalkit.prompts.models import problems_of_model
from evalkit.records import JsonObject, Source

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from evalkit.standin.reply import Cue
    from evalkit.standin.script import Script

LIVE = "live"
STAND_IN = "stand-in"


@dataclass(frozen=True)
class OpenSource:
    """A door that is open, what is behind it, who keeps its rate limits, and how all is closed."""

    source: Source
    door: Door
    limiter: SharedLimiter
    close: Callable[[], Awaitable[None]]


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


def check_models(asked: Mapping[str, str], source: Source, today: date) -> tuple[str, ...]:
    """Return what is to be said of models before they are asked, such as that one is retired soon or unknown.

    `asked` says of each model who asks it. Raises UsageError for models that Anthropic's own endpoint answers no more;
    other platforms retire models on days of their own, and the stand-in has nobody to ask.
    """
    said = [
        (f"{who}: {message}", severity)
        for model, who in asked.items()
        for message, severity in problems_of_model(model, today)
    ]
    errors = [message for message, severity in said if severity == "error"]
    if errors and source.kind == LIVE and not source.detail:
        raise UsageError("\n".join(errors))
    return tuple(message for message, _ in said)


def load_source(via: str) -> None:
    """Load what opening a source needs, which takes about a second; a chat does so while the first message is typed."""
    import_module("evalkit.engine.claude")
    if via == STAND_IN:
        from evalkit.standin.server import build_server, make_settings

        build_server(make_settings())  # thrown away: it is the imports that take time


def stand_in_headers(
    source: Source,
    trial: int,
    cue: Cue | None = None,
    steps: Sequence[JsonObject] = (),
    replies_before: int = 0,
) -> dict[str, str]:
    """Return what the stand-in is told beside each request of a conversation; nothing for any other source.

    `trial` says which of several answers to give, `cue` whose script plays, `steps` what a case scripts before it;
    `replies_before` of the replies in the conversation were there before the first step.
    """
    if source.kind != "stand-in":
        return {}
    from evalkit.standin.directions import write_directions

    return write_directions(trial, cue, steps, replies_before)


def open_door(
    via: str,
    platform: str = ANTHROPIC,
    tracer_provider: TracerProvider | None = None,
    scripts: Mapping[str, Script] | None = None,
) -> OpenSource:
    """Open `live` or `stand-in` for the caller to close; spans go to `tracer_provider`, or to the global one.

    `scripts` are what the stand-in plays, by their sha; one called "" plays where a request names none. More may be
    added while it is open.
    """
    from evalkit.engine.claude import STAND_IN_KEY, ClaudeDoor

    source = describe_source(via, platform)
    if via == LIVE:
        door = ClaudeDoor(platform=platform, tracer_provider=tracer_provider)
        return OpenSource(source, door, SharedLimiter(door.account), door.close)
    from evalkit.standin import StandIn
    from evalkit.standin.script import player

    stand_in = StandIn(player({} if scripts is None else scripts))
    door = ClaudeDoor(stand_in.start(), STAND_IN_KEY, tracer_provider=tracer_provider)

    async def close() -> None:
        await door.close()
        stand_in.stop()

    return OpenSource(source, door, SharedLimiter(door.account), close)


@asynccontextmanager
async def open_source(
    via: str, platform: str = ANTHROPIC, scripts: Mapping[str, Script] | None = None
) -> AsyncIterator[OpenSource]:
    """Open `live` or `stand-in`, and close it at the end."""
    opened = open_door(via, platform, scripts=scripts)
    try:
        yield opened
    finally:
        await opened.close()
