"""Finding a written pattern in a text: literal text as a person means it, and regular expressions with a time limit.

The patterns of brand-voice rules come from many wordings, joined into one regular expression the way Vale joins them.
The one door to the `regex` package for what suites and voice files ask for; knows nothing of transcripts or rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import TypeVar

import regex

from evalkit.reading.sentences import Range

Made = TypeVar("Made")

MATCH_SECONDS = 0.5
"""How long one pattern may search one text; beyond it nothing is decided."""

_INTERCHANGEABLE = ("'’‘ʼ", '"“”„', "-‐‑–")
_CLASS_OF = {char: f"[{chars}]" for chars in _INTERCHANGEABLE for char in chars}
# Of a pattern as text: flags at its start, groups that capture (what is escaped or in a class is no group), and what
# makes it more than a phrase.
_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)")
_GROUP = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?!\?)", re.DOTALL)
_META = frozenset("\\^$.|?*+()[]{}")


class Undecided(Exception):
    """A pattern gave no answer; the message says which and why."""


def pattern_of(text: str) -> str | None:
    """Return the regular expression in `/.../`, or None where a suite file means the text itself."""
    return text[1:-1] if len(text) > 2 and text.startswith("/") and text.endswith("/") else None


@cache
def compile_pattern(source: str, *, ignore_case: bool = False) -> regex.Pattern[str]:
    """Return the compiled regular expression; `^` and `$` match at every line, as in Vale.

    Raises Undecided when `source` is not a regular expression.
    """
    flags = regex.MULTILINE | (regex.IGNORECASE if ignore_case else 0)
    try:
        return regex.compile(source, flags)
    except (regex.error, RecursionError, OverflowError) as exc:
        raise Undecided(f"{source!r} is not a regular expression: {exc}") from exc


@cache
def literal_source(text: str) -> str:
    """Return the regular expression for text as a person reads it.

    Any run of white space stands for any other, straight and typographic quotes and apostrophes are the same, so are
    hyphens and the en dash, and accents count the same composed or decomposed. Markup is not looked through.
    """
    words = unicodedata.normalize("NFC", text).split()
    return r"\s+".join("".join(map(_char_source, word)) for word in words)


def _char_source(char: str) -> str:
    if char in _CLASS_OF:
        return _CLASS_OF[char]
    spellings = dict.fromkeys([char, unicodedata.normalize("NFD", char)])
    if len(char.casefold()) > 1:  # ß is SS in capitals
        spellings[char.casefold()] = None
    sources = [regex.escape(spelling) for spelling in spellings]
    return sources[0] if len(sources) == 1 else f"(?:{'|'.join(sources)})"


def find_all(source: str, text: str, *, ignore_case: bool = False) -> tuple[Range, ...]:
    """Return every match in `text`, empty ones included. Raises Undecided after `MATCH_SECONDS`."""
    return tuple([match.span() for match in _matches(source, text, ignore_case=ignore_case)])


def find_groups(source: str, text: str, *, ignore_case: bool = False) -> tuple[tuple[Range, int], ...]:
    """Return every match but empty ones, each with the number of its last group. Raises Undecided as `find_all`."""
    found = _matches(source, text, ignore_case=ignore_case)
    return tuple([(match.span(), match.lastindex or 0) for match in found if match.end() > match.start()])


def find_captures(source: str, text: str, *, ignore_case: bool = False) -> tuple[str, ...]:
    """Return what the groups of `source` hold at every match; the whole match where it has no group.

    Raises Undecided as `find_all`.
    """
    found = _matches(source, text, ignore_case=ignore_case)
    return tuple([held for match in found for held in (match.groups() or (match.group(),)) if held])


def _matches(source: str, text: str, *, ignore_case: bool) -> list[regex.Match[str]]:
    return _in_time(source, lambda pattern: list(pattern.finditer(text, timeout=MATCH_SECONDS)), ignore_case)


def matches_somewhere(source: str, text: str, *, ignore_case: bool = False) -> bool:
    """Return whether `source` matches anywhere in `text`. Raises Undecided after `MATCH_SECONDS`."""
    return _in_time(source, lambda pattern: bool(pattern.search(text, timeout=MATCH_SECONDS)), ignore_case)


def matches_at(source: str, text: str, position: int, *, ignore_case: bool = False) -> bool:
    """Return whether `source` matches at a position of `text`. Raises Undecided after `MATCH_SECONDS`."""
    return _in_time(source, lambda pattern: bool(pattern.match(text, position, timeout=MATCH_SECONDS)), ignore_case)


def expand_groups(source: str, found: str, template: str, *, ignore_case: bool = False) -> str:
    """Return `template` with `$1`, `$2`, ... replaced by what the groups of `source` hold in `found`."""
    if "$" not in template:
        return template
    match = _in_time(source, lambda pattern: pattern.fullmatch(found, timeout=MATCH_SECONDS), ignore_case)
    return _filled(template, match.groups() if match else ())


def replace_all(source: str, text: str, template: str) -> str:
    """Return `text` with every match replaced by `template`, in which `$1`, `$2`, ... stand for groups.

    Raises Undecided as `find_all`.
    """

    def sub(pattern: regex.Pattern[str]) -> str:
        return pattern.sub(lambda match: _filled(template, match.groups()), text, timeout=MATCH_SECONDS)

    return _in_time(source, sub)


def _in_time(source: str, use: Callable[[regex.Pattern[str]], Made], ignore_case: bool = False) -> Made:
    """Return what is made of a pattern. Raises Undecided where that takes longer than `MATCH_SECONDS`."""
    try:
        return use(compile_pattern(source, ignore_case=ignore_case))
    except TimeoutError as exc:
        raise Undecided(f"pattern {source!r} took longer than {MATCH_SECONDS} s; make it simpler") from exc


def _filled(template: str, groups: Sequence[str | None]) -> str:
    for number in range(len(groups), 0, -1):
        template = template.replace(f"${number}", groups[number - 1] or "")
    return template


def outermost(ranges: Sequence[Range]) -> tuple[Range, ...]:
    """Return the ranges in order without empty ones; of overlapping ones the first, and the longest of those, stays."""
    kept: list[Range] = []
    for start, end in sorted(ranges, key=lambda found: (found[0], -found[1])):
        if end > start and (not kept or start >= kept[-1][1]):
            kept.append((start, end))
    return tuple(kept)


@lru_cache(maxsize=1024)
def any_of(tokens: tuple[str, ...], raw: tuple[str, ...] = (), *, nonword: bool = False, append: bool = False) -> str:
    """Return one pattern for any of the tokens, between word boundaries unless `nonword` or there is only `raw`.

    `raw` parts are joined in front of it, or behind it with `append`.
    """
    joined = "|".join(_scoped(token) for token in tokens if token.strip())
    body = f"(?:{joined})" if nonword or not tokens else rf"\b(?:{joined})\b"
    front = "".join(raw)
    return body + front if append else front + body


@lru_cache(maxsize=1024)
def any_key(keys: tuple[str, ...], *, nonword: bool = False) -> str:
    """Return one pattern with a group for each key, in order; groups inside keys capture nothing."""
    joined = "|".join(f"({uncaptured(_scoped(key))})" for key in keys)
    return f"(?:{joined})" if nonword else rf"\b(?:{joined})\b"


def uncaptured(pattern: str) -> str:
    """Return a pattern whose groups capture nothing."""
    return _GROUP.sub(lambda found: "(?:" if found.group() == "(" else found.group(), pattern)


def shields(exceptions: tuple[str, ...], found: str, text: str, at: Range, *, ignore_case: bool) -> bool:
    """Return whether an exception lets a found text stand: it is in the found text, or is a phrase around it."""
    if not exceptions:
        return False
    longest_first = tuple(sorted(exceptions, key=len, reverse=True))
    if find_all(any_of(longest_first), found, ignore_case=ignore_case):
        return True
    # An exception that stands for itself may be longer than what was found; a pattern's length says nothing.
    phrases = tuple(one for one in longest_first if _META.isdisjoint(one) and len(one) > len(found))
    if not phrases:
        return False
    around = find_all(any_of(phrases), text, ignore_case=ignore_case)
    return any(start <= at[0] and at[1] <= end for start, end in around)


def _scoped(token: str) -> str:
    """Return a token whose leading `(?i)` holds for itself alone."""
    flags = _FLAGS.match(token)
    return f"(?{flags.group(1)}:{token[flags.end() :]})" if flags else token
