"""What can be counted in a reply: letters, words, sentences, paragraphs, sections and so on, and where each stands.

Definitions are those of the field's instruction-following checkers (IFEval), so that counts agree with theirs. Knows
only text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from evalkit.graders.punkt import running_sentences
from evalkit.graders.sentences import words
from evalkit.records import JsonObject

Range = tuple[int, int]

_HYPHENATED = re.compile(r"\w+(?:-\w+)*")
_BULLET = re.compile(r"^\s*(?:\*[^*]|-).*$", re.MULTILINE)
_EMPHASIS = re.compile(r"\*[^\n*]*\*")
_STRONG = re.compile(r"\*\*[^\n*]*\*\*")
_TITLE = re.compile(r"<<[^\n]+>>")
_PLACEHOLDER = re.compile(r"\[.*?\]")


def blocks(text: str, separator: str) -> tuple[Range, ...]:
    """Return the parts of a text between separators, empty ones included, without the separators."""
    found: list[Range] = []
    start = 0
    while (at := text.find(separator, start)) >= 0:
        found.append((start, at))
        start = at + len(separator)
    return (*found, (start, len(text)))


def paragraphs(text: str) -> tuple[Range, ...]:
    """Return the parts of a text between empty lines, empty ones included."""
    return blocks(text, "\n\n")


def is_blank(text: str, found: Range) -> bool:
    """Return whether there is nothing but white space in a range."""
    return not text[slice(*found)].strip()


def find_units(unit: str, text: str, params: JsonObject) -> tuple[Range, ...]:
    """Return where the units stand; `of` (letters), `separator` and `heading` (sections) come from `params`."""
    if unit == "letters":
        return _letters(text, str(params.get("of") or "").lower())
    if unit == "sections":
        return _sections(text, params)
    return _FINDERS[unit](text)


def _letters(text: str, wanted: str) -> tuple[Range, ...]:
    return tuple((at, at + 1) for at, char in enumerate(text) if (char.lower() == wanted if wanted else char.isalpha()))


def _sections(text: str, params: JsonObject) -> tuple[Range, ...]:
    """Return sections: numbered headings such as `SECTION 2`, or the parts between separators."""
    if params.get("heading"):
        heading = re.compile(rf"{re.escape(str(params['heading']))}\s?\d+")
        return tuple(match.span() for match in heading.finditer(text))
    return tuple(found for found in blocks(text, str(params["separator"])) if not is_blank(text, found))


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


def _bullets(text: str) -> tuple[Range, ...]:
    return tuple(match.span() for match in _BULLET.finditer(text))


def _placeholders(text: str) -> tuple[Range, ...]:
    return tuple(match.span() for match in _PLACEHOLDER.finditer(text))


_FINDERS: Mapping[str, Callable[[str], tuple[Range, ...]]] = {
    "words": words,
    "capitals": _capitals,
    "sentences": running_sentences,
    "paragraphs": _full_paragraphs,
    "bullets": _bullets,
    "emphasis": _emphasis,
    "titles": _titles,
    "placeholders": _placeholders,
}
UNITS = ("letters", "sections", *_FINDERS)
"""Every unit that can be counted."""
