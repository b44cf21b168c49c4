"""The loose readings of a reply: what it says when marks or its first or last line are left out.

Knows only text. Instruction-following checkers read a reply strictly and loosely; loosely a rule holds when one of
these readings keeps it, since many replies frame the wanted text with a sentence of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

STEPS = ("asterisks", "commas", "first_line", "last_line")
"""What may be left out: Markdown's asterisks, commas, the first line, the last line."""


def readings(reply: str, steps: Sequence[str]) -> tuple[str, ...]:
    """Return the reply and every reading of it with some of the steps taken, each once, empty ones left out."""
    lines = reply.split("\n")
    first, last = "first_line" in steps, "last_line" in steps
    texts = [reply]
    texts += ["\n".join(lines[1:]).strip()] if first else []
    texts += ["\n".join(lines[:-1]).strip()] if last else []
    texts += ["\n".join(lines[1:-1]).strip()] if first and last else []
    for step, mark in (("asterisks", "*"), ("commas", ",")):
        if step in steps:
            texts += [text.replace(mark, "") for text in texts]
    return tuple(text for text in dict.fromkeys(texts) if text.strip())
