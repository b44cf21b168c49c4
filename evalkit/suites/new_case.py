"""A conversation as the text of a case: what the user said, the fixtures it needs, and suggestions in comments.

The replies stand as comments and never as expectations: they may be the very thing that was wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.suites.yaml_text import block, flow, quoted, scalar

COMMENT_WIDTH = 160


@dataclass(frozen=True)
class NewFixture:
    """What a tool answered to an input: a JSON value, or the message of an error; `once` for the next call only."""

    tool: str
    when: Any
    returns: Any = None
    error: str | None = None
    once: bool = False


@dataclass(frozen=True)
class NewTurn:
    """A user message, the calls that the assistant made, and what it replied."""

    user: str
    calls: tuple[tuple[str, Any], ...] = ()
    reply: str = ""


@dataclass(frozen=True)
class NewCase:
    """A case to be written. `history` holds what was said before as (role, text), `origin` where it came from."""

    id: str
    turns: tuple[NewTurn, ...]
    origin: str = ""
    history: tuple[tuple[str, str], ...] = ()
    fixtures: tuple[NewFixture, ...] = ()
    notes: tuple[str, ...] = field(default=())


def case_id_of(text: str, taken: Iterable[str] = ()) -> str:
    """Return an id for a case that begins with a message: its first words, and a number where they are taken."""
    words = re.findall(r"[A-Za-z0-9]+", text.lower())
    made = ""
    for word in words:
        if made and len(made) + len(word) > 40:
            break
        made = f"{made}-{word}" if made else word[:40]
    made = made or "case"
    known, number, free = set(taken), 2, made
    while free in known:
        free, number = f"{made}-{number}", number + 1
    return free


def case_lines(case: NewCase, dash: int, step: int) -> list[str]:
    """Return the lines of a case as an item of a list whose dashes stand at column `dash`, indented by `step`."""
    key, pad = dash + step, " " * (dash + step)
    lines = [f"{' ' * dash}-{' ' * (step - 1)}id: {scalar(case.id)}"]
    lines += [f"{pad}from: {quoted(case.origin)}"] if case.origin else []
    lines += [f"{pad}gate: false   # only watched: write what you expect (see the comments), then remove this line"]
    lines += [f"{pad}# {note}" for note in case.notes]
    if case.history:
        lines.append(f"{pad}history:")
        lines += [f"{pad}  - {role}: {block(text, key + 6)}" for role, text in case.history]
    if len(case.turns) == 1:
        turn = case.turns[0]
        lines.append(f"{pad}user: {block(turn.user, key + 2)}")
        lines += _suggestions(turn, pad)
    else:
        lines.append(f"{pad}turns:")
        for turn in case.turns:
            lines.append(f"{pad}  - user: {block(turn.user, key + 6)}")
            lines += _suggestions(turn, f"{pad}    ")
    return [line for part in [*lines, *_fixtures(case.fixtures, pad)] for line in part.split("\n")]


def _suggestions(turn: NewTurn, pad: str) -> list[str]:
    """Return the calls as an expectation to be uncommented, and the reply to be read."""
    tools = "none"
    if turn.calls:
        calls = ", ".join(
            f"{{{flow(name)}: {flow(tool_input)}}}" if tool_input else flow(name) for name, tool_input in turn.calls
        )
        tools = f"{{calls: [{calls}]}}"
    lines = [f"{pad}# expect:", f"{pad}#   tools: {tools}"]
    reply = " ".join("".join(char if char.isprintable() else " " for char in turn.reply).split())
    shown = reply if len(reply) <= COMMENT_WIDTH else f"{reply[: COMMENT_WIDTH - 1]}…"
    return [*lines, f"{pad}# it replied: {shown}"] if shown else lines


def _fixtures(fixtures: Sequence[NewFixture], pad: str) -> list[str]:
    if not fixtures:
        return []
    lines = [f"{pad}tools:"]
    for tool in dict.fromkeys(one.tool for one in fixtures):
        lines.append(f"{pad}  {scalar(tool)}:")
        for one in fixtures:
            if one.tool == tool:
                lines += _fixture(one, pad)
    return lines


def _fixture(one: NewFixture, pad: str) -> list[str]:
    answer = f"error: {scalar(one.error)}" if one.error is not None else f"returns: {flow(one.returns)}"
    lines = [f"when: {flow(one.when)}"] if one.when else []
    lines += [answer, *(["times: 1"] if one.once else [])]
    return [f"{pad}    {'- ' if index == 0 else '  '}{line}" for index, line in enumerate(lines)]
