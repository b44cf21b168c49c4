"""A small project and a chat without a terminal on it, for tests of the chat."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from evalkit.engine import EngineEvent, TurnFinished
from evalkit.records import Turn
from evalkit.repl.chat import Chat
from evalkit.repl.command_line import ChatOptions
from evalkit.repl.opening import close_chat, connect, read_setup
from evalkit.repl.screen import Screen
from tests.project_files import write_files

PROMPT = """\
---
model: claude-sonnet-5-5
max_tokens: 700
cache: 5m
tools: [tools/lookup_order.yaml]
inputs:
  today: {required: true}
---
You are Tess, the assistant of a shop.

# How you work
- Never state anything about an order before `lookup_order` has returned it.
- If a tool fails, try it once more; then say so plainly.
- %s

{# evalkit: cache here #}
Today is {{ today }}.
"""
LOOKUP = """\
name: lookup_order
description: Looks an order up by its number. Use it before saying anything about an order.
input_schema:
  type: object
  properties:
    order_id: {type: string, description: "Order number, like TN-20418"}
  required: [order_id]
  additionalProperties: false
"""
VOICE = """\
rules:
  - id: no-exclamation
    extends: occurrence
    message: No exclamation marks
    level: error
    token: "!"
    max: 0
"""
SUITE = """\
# parcels, and what the shop knows of them
prompt: support
voice: voice.yaml
inputs: {today: "2026-11-22"}
trials: 1
min_pass: 1
tools:
  lookup_order:
    - when: {order_id: TN-20977}
      returns: {status: in_transit, carrier: Northpost}
    - when: {order_id: TN-31005}
      error: upstream timeout
      times: 1
    - when: {order_id: TN-31005}
      returns: {status: lost}
cases:
  - id: parcel
    user: Where is TN-20977?
    expect: {says: [Northpost]}   # the carrier
  # the last word of the file
"""
FAULTS = """\
prompt: support
inputs: {today: "2026-11-22"}
cases:
  - id: stalls
    user: Tell me about lamps.
    stand_in: [{fault: stall}]
  - id: breaks
    user: Tell me about lamps.
    stand_in:
      - {fault: overloaded_mid_stream, times: 1}
      - {say: Lamps give light.}
  - id: two-turns
    turns: [{user: Hello}, {user: Thank you}]
  - id: refused
    user: Tell me about lamps.
    stand_in: [{fault: unauthorized}]
  - id: fails
    user: Tell me about lamps.
    stand_in: [{say: "Great lamps!"}]
    expect: {never_says: [great]}
"""
SCRIPT = """\
words: {order: '/TN-\\d{5}/'}
prompt:
  strict: No exclamation marks
  retries: try it once more
rules:
  - {if: failed.times == 1, has: retries, call: again}
  - {if: failed.tool, say: I could not look that up.}
  - user: "{order}"
    call: {lookup_order: {order_id: "{{ order | upper }}"}}
    say: >-
      Order {{ order | upper }} is {{ lookup_order.status | replace('_', ' ') }}{% if lookup_order.carrier %} with
      {{ lookup_order.carrier }}{% endif %}.
  - {user: hello|hi, say: Good to hear from you.}
  - {user: thank you|thanks, say: Glad that is sorted.}
  - user: lamp|lamps
    say: Lamps give light. Some of them stand on a table, others hang from the ceiling, and a few can do both.
  - {user: "/./", say: "You said: {{ user }}"}
style:
  - {lacks: strict, replace: {'/\\.$/': "!"}}
"""
STRICT = "No exclamation marks. Keep replies under 60 words. Do not use emoji."
FILES = {
    "prompts/support/CURRENT": "v2\n",
    "prompts/support/v1.md": PROMPT % "Be enthusiastic!",
    "prompts/support/v2.md": PROMPT % STRICT,
    "prompts/support/tools/lookup_order.yaml": LOOKUP,
    "prompts/support/stand-in.yaml": SCRIPT,
    "suites/voice.yaml": VOICE,
    "suites/parcels.yaml": SUITE,
    "faults/faults.yaml": FAULTS,
}


def write_shop(root: Path) -> Path:
    """Write the project and return its folder."""
    return write_files(root, FILES)


@asynccontextmanager
async def open_shop(
    root: Path, ask_line: Callable[[str], Awaitable[str]] | None = None, **asked: object
) -> AsyncIterator[Chat]:
    """Open a chat on the stand-in whose screen is a text buffer."""
    if not (root / "prompts").exists():
        write_shop(root)
    settings = {"ref": "support", "via": "stand-in", **asked}
    screen = Screen(io.StringIO(), io.StringIO())
    chat = connect(read_setup(ChatOptions(root, **settings)), screen, ask_line)  # type: ignore[arg-type]
    try:
        yield chat
    finally:
        await close_chat(chat)


async def say(chat: Chat, text: str) -> Turn:
    """Send a message through the session alone and return its turn."""
    last: EngineEvent | None = None
    async for event in chat.session.send(text):
        last = event
    assert isinstance(last, TurnFinished)
    return last.turn


def shown(chat: Chat) -> str:
    """Return what the chat has printed, on both streams."""
    return chat.screen.out.getvalue() + chat.screen.err.getvalue()  # type: ignore[attr-defined]
