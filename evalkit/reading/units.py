"""What can be counted in a reply: letters, words, sentences, paragraphs, sections and so on, and where each stands.

Definitions are those of the field's instruction-following checkers (IFEval), so that counts agree with theirs. Those
checkers read a reply strictly and loosely: `readings` gives what it says when marks or its first or last line are left
out. Knows only text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from evalkit.reading.sentences import Range, running_sentences, words

_HYPHENATED = re.compile(r"\w+(?:-\w+)*")
_BULLET = re.compile(r"^\s*(?:\*[^*]|-).*$", re.MULTILINE)
_EMPHASIS = re.compile(r"\*[^\n*]*\*")
_STRONG = re.compile(r"\*\*[^\n*]*\*\*")
_TITLE = re.compile(r"<<[^\n]+>>")
_PLACEHOLDER = re.compile(r"\[.*?\]")


def parts_between(text: str, separator: str) -> tuple[Range, ...]:
    """Return the parts of a text between separators, empty ones included, without the separators."""
    found: list[Range] = []
    start = 0
    while (at := text.find(separator, start)) >= 0:
        found.append((start, at))
        start = at + len(separator)
    return (*found, (start, len(text)))


def paragraphs(text: str) -> tuple[Range, ...]:
    """Return the parts of a text between empty lines, empty ones included."""
    return parts_between(text, "\n\n")


def is_blank(text: str, found: Range) -> bool:
    """Return whether there is nothing but white space in a range."""
    return not text[slice(*found)].strip()


def letters(text: str, only: str = "") -> tuple[Range, ...]:
    """Return where the letters stand, or those of one character, either case."""
    wanted = only.lower()
    return tuple((at, at + 1) for at, char in enumerate(text) if (char.lower() == wanted if wanted else char.isalpha()))


def sections(text: str, separator: str) -> tuple[Range, ...]:
    """Return the parts between separators that are not blank."""
    return tuple(found for found in parts_between(text, separator) if not is_blank(text, found))


def numbered_headings(text: str, word: str) -> tuple[Range, ...]:
    """Return headings such as `SECTION 2`: a word and a number."""
    return tuple(match.span() for match in re.finditer(rf"{re.escape(word)}\s?\d+", text))


def _full_paragraphs(text: str) -> tuple[Range, ...]:
    return tuple(found for found in paragraphs(text) if not is_blank(text, found))


def _emphasis(text: str) -> tuple[Range, ...]:
    """Return `*so*` and `**so**` marked parts that hold something."""
    found = [*_EMPHASIS.finditer(text), *_STRONG.finditer(text)]
    return tuple(sorted(match.span() for match in found if match.group().strip("*").strip()))


def _titles(text: str) -> tuple[Range, ...]:
    return tuple(match.span() for match in _TITLE.finditer(text) if match.group().strip("<>").strip())


def _capitals(text: str) -> tuple[Range, ...]:
    return tuple(match.span() for match in _HYPHENATED.finditer(text) if match.group().isupper())


UNITS: Mapping[str, Callable[[str], tuple[Range, ...]]] = {
    "words": words,
    "capitals": _capitals,
    "sentences": running_sentences,
    "paragraphs": _full_paragraphs,
    "bullets": lambda text: tuple(match.span() for match in _BULLET.finditer(text)),
    "emphasis": _emphasis,
    "titles": _titles,
    "placeholders": lambda text: tuple(match.span() for match in _PLACEHOLDER.finditer(text)),
}
"""How to find each unit that needs no more to be known."""

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
