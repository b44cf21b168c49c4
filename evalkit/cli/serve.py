"""`evalkit serve`: the stand-in model as a server of its own."""

from __future__ import annotations

import click


@click.command(
    epilog="""\b
Examples:
  evalkit serve --port 8123
  ANTHROPIC_BASE_URL=http://127.0.0.1:8123 ANTHROPIC_API_KEY=any python my_chatbot.py"""
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8123, show_default=True, help="Port to listen on; 0 picks a free one.")
def serve(host: str, port: int) -> None:
    """Run the stand-in model as a server, for your own tests."""
    from evalkit.standin.server import open_listener, url_of
    from evalkit.standin.server import serve as serve_stand_in

    try:
        listener = open_listener(host, port)
    except OSError as exc:
        msg = f"can't listen on {host}:{port}: {exc.strerror}. Choose another --port."
        raise click.ClickException(msg) from exc
    url = url_of(listener)
    click.echo(f"stand-in model at {url}: set ANTHROPIC_BASE_URL={url} and any key. Ctrl-C stops it.", err=True)
    serve_stand_in(listener)
