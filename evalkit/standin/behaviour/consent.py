"""Whether the last reply asked for a yes, and whether the user gave it. Knows question forms and answers; not what
was asked for."""

from __future__ import annotations

import re

from .scene import Scene
from .tables import load_table, matches_any
from .toolbook import Tool
from .words import sentences, stems

_OFFERS = re.compile(
    r"\b(shall i|should i|may i|would you like me|do you want me|do you want to go ahead|is that ok)\b", re.IGNORECASE
)


def offered(scene: Scene, tool: Tool) -> bool:
    """Say whether the assistant's last text offered to use this tool."""
    if not scene.dialogue.past:
        return False
    questions = [part for part in sentences(scene.dialogue.past[-1].said) if part.endswith("?")]
    return any(_OFFERS.search(part) and stems(part) & (tool.own | tool.named) for part in questions)


def agrees(text: str) -> bool:
    """Say whether a message is a yes."""
    return matches_any(load_table("intents")["agrees"], text) and not declines(text)


def declines(text: str) -> bool:
    """Say whether a message is a no."""
    return matches_any(load_table("intents")["declines"], text)
