"""`evalkit serve`: the stand-in model as a server of its own."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  evalkit serve --script prompts/support/stand-in.yaml
  ANTHROPIC_BASE_URL=http://127.0.0.1:8123 ANTHROPIC_API_KEY=any python my_chatbot.py"""
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8123, show_default=True, help="Port to listen on; 0 picks a free one.")
@click.option(
    "--script",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What it says, such as prompts/support/stand-in.yaml.",
)
def serve(host: str, port: int, script: Path | None) -> None:
    """Run the stand-in model as a server, for your own tests."""
    from evalkit.standin.script import player, read_script
    from evalkit.standin.server import open_listener, url_of
    from evalkit.standin.server import serve as serve_stand_in
    from evalkit.yamlsource import read_text

    scripts = {"": read_script(read_text(script, str(script)))} if script else {}
    try:
        listener = open_listener(host, port)
    except OSError as exc:
        msg = f"can't listen on {host}:{port}: {exc.strerror}. Choose another --port."
        raise click.ClickException(msg) from exc
    url = url_of(listener)
    click.echo(f"stand-in model at {url}: set ANTHROPIC_BASE_URL={url} and any key. Ctrl-C stops it.", err=True)
    serve_stand_in(listener, player(scripts))
