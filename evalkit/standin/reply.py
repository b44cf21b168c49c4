"""The one value that behaviour hands to the protocol: what the model says to one request.

Knows nothing of HTTP, ids or usage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """Hold complete content blocks; the protocol adds ids to tool calls and signatures to thinking.

    `cut_input_after` is for faults only: the JSON of the last tool call breaks off after that many characters.
    """

    content: tuple[JsonObject, ...]
    stop_reason: str = "end_turn"
    stop_details: JsonObject | None = None
    cut_input_after: int | None = None


Answer = Callable[[JsonObject, int, Sequence[JsonObject]], Reply]
"""Behaviour as the server sees it: (request, trial, scripted steps of this request) -> Reply."""
