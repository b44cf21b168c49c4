"""Words and sentences of a chat reply, by rule: no language model, no download. Knows only text."""

from __future__ import annotations

import re
from functools import lru_cache

Range = tuple[int, int]

_WORD = re.compile(r"\w+")
_LINE = re.compile(r"[^\n\r]+")
_LINE_MARKER = re.compile(r"\s*(?:(?:[-*+•–]|\(?\d{1,3}[.)]|#{1,6}|>)\s+)*")
_STOP = re.compile(
    r"[.!?…。！？](?:(?<=[。！？])[。！？]*+[」』”’）]*+"
    r"|(?<=[.!?…])(?<![.!?…][.!?…])[.!?…]*+[\"'”’»)\]*_`]*+(?=\s|$))"
)
_AFTER = re.compile(r"\s*+(?=(.?))\W*+(\w?)", re.DOTALL)
"""The first character after a full stop, and the first that belongs to a word."""

_ALWAYS = frozenset("!?。！？")
_LONGEST = len("approx")
"""No abbreviation below is longer."""

_OPENING = "([\"'“‘*_"
_NEAR = 80
"""How many characters around a full stop tell what it is; a bound, so that no reply takes long."""

_NEVER_LAST = re.compile(r"(?:mr|mrs|ms|dr|prof|st|mt|vs|e\.?g|i\.?e|cf|viz|fig)", re.IGNORECASE)
"""Abbreviations that something always follows."""

_BEFORE_A_NUMBER = re.compile(
    r"(?:nos?|nr|pp?|art|vol|ch|sec|approx|ca|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|mon|tues?|wed|thu(?:rs?)?|fri"
    r"|sat|sun)",
    re.IGNORECASE,
)
"""Abbreviations when a digit follows, whole sentences or last words otherwise ("No. We can't.")."""


@lru_cache(maxsize=512)
def count_words(text: str) -> int:
    """Return how many words there are, as `words` tells them; where they stand costs more to find."""
    return len(_WORD.findall(text))


def count_words_in(text: str, part: Range) -> int:
    """Return how many words there are in a part of a text."""
    return len(_WORD.findall(text, *part))


def words(text: str) -> tuple[Range, ...]:
    r"""Return where the words stand: runs of `\w`.

    An apostrophe or hyphen ends a word, so "don't" and "well-known" count two: the count that the field's
    instruction-following checkers use, never below a word processor's.
    """
    return tuple([match.span() for match in _WORD.finditer(text)])


@lru_cache(maxsize=512)
def sentences(text: str) -> tuple[Range, ...]:
    """Return where the sentences stand, without list markers and outer white space.

    A line break ends a sentence, since chat replies are not wrapped by hand: each list item is a sentence of its own.
    A full stop does not end one after an abbreviation or an initial, inside a number, address or file name, nor
    before a lower-case letter.
    """
    found: list[Range] = []
    for line in _LINE.finditer(text):
        told = line.group()
        marker = _LINE_MARKER.match(told)
        start = marker.end() if marker else 0
        offset = line.start() + start
        found += [(first + offset, last + offset) for first, last in _in_line(told[start:])]
    return tuple(found)


@lru_cache(maxsize=4096)
def _in_line(line: str) -> tuple[Range, ...]:
    """Return where the sentences of one line stand; kept, since the same line is read as part of several scopes."""
    found: list[Range] = []
    start = 0
    for stop in _STOP.finditer(line):
        if _ends_sentence(line, start, stop):
            found.append((start, stop.end()))
            start = stop.end()
    found.append((start, len(line)))
    return tuple([_trim(line, *item) for item in found if _WORD.search(line, *item)])


def _ends_sentence(line: str, start: int, stop: re.Match[str]) -> bool:
    after = _AFTER.match(line, stop.end(), stop.end() + _NEAR)
    first, has_word = after.groups() if after else ("", "")
    marks = stop.group()
    if not has_word or (marks != "." and not _ALWAYS.isdisjoint(marks)):
        return True
    if first.islower():
        return False
    before = line[max(start, stop.start() - _NEAR) : stop.start()].rsplit(None, 1)
    if not before or not marks.startswith(".") or marks.startswith(".."):
        return True
    return not _is_abbreviation(before[-1].lstrip(_OPENING), next_is_digit=first.isdigit())


def _is_abbreviation(word: str, *, next_is_digit: bool) -> bool:
    if len(word) > _LONGEST:
        return False
    is_initial = len(word) == 1 and word.isalpha() and word.isupper() and word != "I"
    needs_more = _NEVER_LAST.fullmatch(word) or (next_is_digit and _BEFORE_A_NUMBER.fullmatch(word))
    return is_initial or bool(needs_more)


def _trim(text: str, start: int, end: int) -> Range:
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), end - (len(inner) - len(inner.rstrip()))
