"""What was typed, as a message: several lines by a trailing backslash or between triple quotes. Pure text."""

from __future__ import annotations

QUOTES = '"""'


def is_open(text: str) -> bool:
    """Tell whether a message goes on in the next line."""
    if text.lstrip().startswith(QUOTES):
        return text.count(QUOTES) < 2
    return text.endswith("\\") and not text.endswith("\\\\")


def as_message(text: str) -> str:
    """Return the message that was meant: without triple quotes around it, without backslashes at ends of lines."""
    stripped = text.strip()
    if stripped.startswith(QUOTES):
        return stripped[len(QUOTES) :].removesuffix(QUOTES).strip("\n")
    return "\n".join(line[:-1] if _goes_on(line) else line for line in text.split("\n")).strip()


def _goes_on(line: str) -> bool:
    return line.endswith("\\") and not line.endswith("\\\\")
