"""Makes text from models, tools and files safe to show: on a terminal or page, and inside Markdown on GitHub.

Knows which characters can move a cursor, hide text or reverse its order, and how to make them visible; knows GitHub's
Markdown, where such a text must ping nobody and hide nothing. Nothing of HTML (Jinja escapes that), nothing of runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"  # direction, invisible
    "\U000e0000-\U000e007f\ud800-\udfff]"  # tags, lone surrogates
)
_CONTROL_PICTURES = 0x2400


def visible(text: str) -> str:
    """Return the text with every control, direction and invisible character replaced by a visible name of it.

    Tab and newline stay; carriage return before newline is dropped. Emoji joiners stay.
    """
    return _UNSAFE.sub(_name, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return visible text on one line, white space collapsed."""
    return " ".join(visible(text).split())


def _name(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return "␡" if code == 0x7F else f"‹U+{code:04X}›"


@dataclass(frozen=True)
class Excerpt:
    """A marked stretch of text with some of what stands around it, on one line."""

    before: str
    marked: str
    after: str


def excerpt(text: str, start: int, end: int, room: int) -> Excerpt:
    """Return characters `start` to `end` of a text with as much around them as fits in `room` characters.

    An ellipsis stands where something was left out; a mark longer than the room is shortened in its middle.
    """
    marked = shorten_middle(one_line(text[start:end]), max(room - 2, 8))
    around = max(room - len(marked), 2)
    before, after = _flat(text[max(0, start - 4 * around) : start]), _flat(text[end : end + 4 * around])
    tail = min(len(after), max(around // 2, around - len(before)))
    head = min(len(before), around - tail)
    cut_before = head < len(before) or start > 4 * around
    cut_after = tail < len(after) or len(text) - end > 4 * around
    shown_before = before[len(before) - head :]
    return Excerpt(
        ("…" + shown_before[1:] if cut_before else shown_before),
        marked,
        (after[: max(tail - 1, 0)] + "…" if cut_after else after[:tail]),
    )


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", visible(text))


def shorten_middle(text: str, room: int) -> str:
    """Return the text, its middle replaced by an ellipsis when it is longer than `room`."""
    if len(text) <= room:
        return text
    head = (room - 1) // 2
    return f"{text[:head]}…{text[len(text) - (room - 1 - head) :]}"


# GitHub shows code spans as they are, but it finds mentions, references and links in the rendered text, where a
# backslash is gone: they have to be interrupted.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~>-])")
_LINKS = re.compile(r"(@|#|(?<![A-Za-z])GH-|://|(?<![A-Za-z])www\.)", re.IGNORECASE)
_BREAK = "\u200b"
"""A space of no width: what GitHub looks for is interrupted, and a reader sees no difference."""


def plain(text: str, room: int = 1000) -> str:
    """Return text on one line that GitHub shows as it is: no mark-up, HTML, mention, reference or link in it."""
    shown = shorten_middle(one_line(text), room)
    shown = _LINKS.sub(lambda found: found[1] + _BREAK, shown.replace("&", "&amp;").replace("<", "&lt;"))
    return _SPECIAL.sub(r"\\\1", shown)


def code(text: str, room: int = 300) -> str:
    """Return text on one line as a code span that also holds inside a table; an empty text is a dash."""
    shown = shorten_middle(one_line(text), room)
    if not shown:
        return "–"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", shown)), default=0) + 1)
    padding = " " if shown.startswith("`") or shown.endswith("`") or len(fence) > 1 else ""
    shown = shown.replace("|", "¦")  # a bar ends a cell; a backslash before it would be shown outside tables
    return f"{fence}{padding}{shown}{padding}{fence}"
