"""Makes text from models, tools and files safe inside Markdown on GitHub: it pings nobody and hides nothing.

Knows GitHub's Markdown (code spans are shown as they are; mentions, references and links are found in the rendered
text, so that a backslash alone does not stop them); knows nothing of runs.
"""

from __future__ import annotations

import re

from evalkit.reporting.safe_text import one_line, shorten_middle

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
    return f"{fence}{padding}{_unpiped(shown)}{padding}{fence}"


def _unpiped(text: str) -> str:
    """Return text without a bar that would end a cell; outside tables a backslash before it would be shown."""
    return text.replace("|", "¦")
