"""`evalkit replay`: send one request of a log or a run again, and show the old reply beside the new one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.errors import NoVerdict, UsageError

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

    from evalkit.cli.project import root_for
    from evalkit.reporting.terminal import render_reply
    from evalkit.store import read_session

    root = root_for(session)
    stored = read_session(session, root)
    if stored.hashed:
        msg = (
            f'{session}: this log keeps hashes instead of texts (content="hashed"), so nothing can be sent again; '
            "rates and costs are in: evalkit report."
        )
        raise UsageError(msg)
    requests = {request.n: request for request in stored.transcript.requests}
    if not requests:
        raise UsageError(f"{session}: no request in this session; nothing can be sent again.")
    wanted = max(requests) if number is None else number
    if wanted not in requests:
        raise UsageError(f"{session}: no request {wanted}; expected one of {min(requests)} to {max(requests)}.")
    request = requests[wanted]
    if dry_run:
        click.echo(orjson.dumps(request.body))
        return
    again = asyncio.run(_send(request, stored, via, root))
    click.echo(render_reply("recorded", request))
    click.echo(render_reply("now", again))
    if again.failure is not None:
        raise NoVerdict(f"request {request.n} got no reply: {again.failure.kind}: {again.failure.message}")


async def _send(request: Request, stored: StoredSession, via: str | None, root: Path) -> Request:
    from evalkit.cli.project import load_config
    from evalkit.engine.requests import resend
    from evalkit.pricing import parse_prices, price_with
    from evalkit.source import STAND_IN, open_source, require_credential, usual_source
    from evalkit.standin.script import load_script

    config = load_config(root)
    platform = config.get("platform", "anthropic")
    via = via or usual_source(platform)
    require_credential(via, platform)
    prompt = stored.prompts[-1] if stored.prompts else None
    # the prompt's script answers; what a case says in its stead is not in a record
    script = load_script(root, prompt.name) if prompt and via == STAND_IN else None
    async with open_source(via, platform, {"": script} if script else {}) as source:
        click.echo(f"request {request.n} of {stored.transcript.session_id}, sent to: {via}", err=True)
        return await resend(
            request, prompt.memory if prompt else {}, source.door, price_with(parse_prices(config.get("prices", [])))
        )
