"""`evalkit replay`: send one request of a log or a run again, and show the old reply beside the new one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from evalkit.records import Request
    from evalkit.store import StoredSession


@click.command(
    epilog="""\b
Examples:
  evalkit replay logs#customer-42
  evalkit replay last#return-inside-window --request 2 --dry-run"""
)
@click.argument("session", metavar="LOG#SESSION|RUN#SESSION")
@click.option("--request", "number", type=click.IntRange(1), metavar="N", help="Which request.  [the last]")
@click.option("--dry-run", is_flag=True, help="Print the body that would be sent, and send nothing.")
@click.option("--via", type=click.Choice(["live", "stand-in"]), help="[auto: live if a key is set]")
def replay(session: str, number: int | None, via: str | None, *, dry_run: bool) -> None:
    """Send a recorded request again, byte for byte.

    SESSION is a session's id or a part of it that is unique. A request that is sent live costs what it costs.
    """
    import orjson

    from evalkit.store import read_session

    root = _root(session)
    stored = read_session(session, root)
    _refuse_hashed(stored, session)
    request = _pick(stored, session, number)
    if dry_run:
        click.echo(orjson.dumps(request.body))
        return
    again = asyncio.run(_send(request, stored, via, root))
    click.echo(_shown("recorded", request))
    click.echo(_shown("now", again))
    if again.failure is not None:
        from evalkit.errors import NoVerdict

        raise NoVerdict(f"request {request.n} got no reply: {again.failure.kind}: {again.failure.message}")


def _root(name: str) -> Path:
    """Return the project's folder; a record given by its path needs none."""
    from evalkit.cli.project_root import find_root

    return Path.cwd() if Path(name.partition("#")[0]).exists() else find_root()


def _refuse_hashed(stored: StoredSession, name: str) -> None:
    from evalkit.errors import UsageError

    if stored.hashed:
        msg = (
            f'{name}: this log keeps hashes instead of texts (content="hashed"), so nothing can be sent again; '
            "rates and costs are in: evalkit report."
        )
        raise UsageError(msg)


def _pick(stored: StoredSession, name: str, number: int | None) -> Request:
    from evalkit.errors import UsageError

    requests = {request.n: request for request in stored.transcript.requests}
    if not requests:
        raise UsageError(f"{name}: no request in this session; nothing can be sent again.")
    wanted = max(requests) if number is None else number
    if wanted not in requests:
        raise UsageError(f"{name}: no request {wanted}; expected one of {min(requests)} to {max(requests)}.")
    return requests[wanted]


async def _send(request: Request, stored: StoredSession, via: str | None, root: Path) -> Request:
    from evalkit.cli.config import load_config
    from evalkit.engine.requests import resend
    from evalkit.pricing import parse_prices, price_with
    from evalkit.source import open_source, require_credential, usual_source

    config = load_config(root)
    platform = config.get("platform", "anthropic")
    via = via or usual_source(platform)
    require_credential(via, platform)
    memory = stored.prompts[-1].memory if stored.prompts else {}
    async with open_source(via, platform) as source:
        click.echo(f"request {request.n} of {stored.transcript.session_id}, sent to: {via}", err=True)
        return await resend(request, memory, source.door, price_with(parse_prices(config.get("prices", []))))


def _shown(title: str, request: Request) -> str:
    """Return a reply as text: how it ended, what it said and called, what it took."""
    from evalkit.reporting.terminal import render_reply

    return render_reply(title, request)
