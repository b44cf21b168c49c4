"""The README's endpoint under 500 customers at once, two turns each: how many turns ended whole.

Run with `make bench`. Real sockets on both sides: customers, the endpoint in uvicorn, the SDK, the stand-in. The
endpoint is a process of its own, as in production.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evalkit.standin import StandIn
from evalkit.standin.script import player, read_script
from evalkit.yamlsource import SourceText
from tests.endpoint import example, play_sessions

SESSIONS = 500
PROMPT = """---
description: A shop's bot.
model: claude-sonnet-5-5
max_tokens: 300
inputs: {customer: {required: true}}
---
You are the assistant of a shop. Look up orders with lookup_order before you speak of them.
{# evalkit: cache here #}
You are talking to {{ customer }}.
"""
SCRIPT = """
words: {order: '/PR26-\\d{4}/'}
rules:
  - user: "{order}"
    call: {lookup_order: {order_number: "{{ order }}"}}
    say: "It is {{ lookup_order.status }}. Ask me again when it has not come by Friday."
  - say: Glad to hear from you.
"""


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name, StandIn(player({"": read_script(SourceText("s.yaml", SCRIPT))})) as api:
        folder = Path(name)
        (folder / "prompts").mkdir()
        (folder / "prompts" / "shop.md").write_text(PROMPT)
        (folder / "shop.py").write_text(example())
        environment = {**os.environ, "ANTHROPIC_BASE_URL": api.base_url, "ANTHROPIC_API_KEY": "any"}
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "shop:app",
            "--port",
            "0",
            "--timeout-keep-alive",
            "75",
            "--no-access-log",
        ]
        with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            said = []
            while "running on" not in (said or [""])[-1]:
                said.append(next(server.stderr))
            url = said[-1].partition("http://")[2].split()[0]
            began = time.monotonic()
            played = asyncio.run(play_sessions(url, SESSIONS))
            took_s = time.monotonic() - began
            server.terminate()
            said = server.stderr.read()
    print("| sessions | turns | whole | apologies | refused | lost | retries | took s |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {SESSIONS} | {2 * SESSIONS} | {played.whole} | {played.apologies} | {played.refused} | {played.lost} |"
        f" {played.retries} | {took_s:.1f} |"
    )
    print(said)


if __name__ == "__main__":
    main()
