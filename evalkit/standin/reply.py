"""What passes between the protocol and whoever answers: the cue for a reply, and what is said to one request.

Knows nothing of HTTP, ids or usage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

JsonObject = dict[str, Any]


Part = Literal["rules", "judge", "simulate"]
"""Whom a request is addressed to: the assistant itself, a judge, or a simulated user."""


@dataclass(frozen=True)
class Cue:
    """What the sender of a request says about its reply: whose script plays, which part of it, or what to say at once.

    `script` is the sha of one of the scripts that the server was given; `step` is the case's own step, if it has one.
    """

    script: str = ""
    part: Part = "rules"
    step: JsonObject | None = None


@dataclass(frozen=True)
class NoScript:
    """Why a reply is only a placeholder, and the `file:line:column` of the rule that is to blame, if one is."""

    reason: str
    place: str = ""


@dataclass(frozen=True)
class Reply:
    """Hold complete content blocks; the protocol adds ids to tool calls and signatures to thinking.

    `cut_input_after` is for faults only: the JSON of the last tool call breaks off after that many characters.
    `no_script` marks a placeholder; it travels beside the message, in a header.
    """

    content: tuple[JsonObject, ...]
    stop_reason: str = "end_turn"
    stop_details: JsonObject | None = None
    cut_input_after: int | None = None
    no_script: NoScript | None = None


Answer = Callable[[JsonObject, int, Cue], Reply]
"""Whoever answers, as the server sees it: (request, trial, cue) -> Reply."""
