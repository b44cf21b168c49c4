"""What can be counted in a text, and where each stands: words, sentences, paragraphs, sections and so on.

By rule: no language model, no download. `sentences` splits a chat reply as a reader sees it: a line break ends a
sentence, so each list item is one of its own. `running_sentences` splits running text as the field's
instruction-following checkers (IFEval) do, and the other units are theirs too, so that counts agree. They use Punkt
(Kiss and Strunk 2006) with its English model, for which a line break is only white space: a list without full stops is
one sentence. Punkt's rules are kept, its learned lists shrunk to what chat replies hold. Those checkers read a reply
strictly and loosely: `readings` gives what it says when marks or its first or last line are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

Range = tuple[int, int]
"""Start and end (excluded) of a part of a text."""

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


def trimmed(text: str, part: Range) -> Range:
    """Return a part of a text without its outer white space."""
    inner = text[slice(*part)]
    return part[0] + len(inner) - len(inner.lstrip()), part[1] - (len(inner) - len(inner.rstrip()))


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
    return tuple([trimmed(line, item) for item in found if _WORD.search(line, *item)])


def _ends_sentence(line: str, start: int, stop: re.Match[str]) -> bool:
    after = _AFTER.match(line, stop.end(), stop.end() + _NEAR)
    first, has_word = after.groups() if after else ("", "")
    marks = stop.group()
    if not has_word or (marks != "." and not _ALWAYS.isdisjoint(marks)):
        return True
    if first.islower():
        return False
    before = line[max(start, stop.start() - _NEAR) : stop.start()].rsplit(None, 1)
    # An ellipsis before a capital ends a sentence; one full stop does unless a short form stands before it.
    if not before or not marks.startswith(".") or marks.startswith(".."):
        return True
    return not _is_abbreviation(before[-1].lstrip(_OPENING), next_is_digit=first.isdigit())


def _is_abbreviation(word: str, *, next_is_digit: bool) -> bool:
    if len(word) > _LONGEST:
        return False
    is_initial = len(word) == 1 and word.isalpha() and word.isupper() and word != "I"
    needs_more = _NEVER_LAST.fullmatch(word) or (next_is_digit and _BEFORE_A_NUMBER.fullmatch(word))
    return is_initial or bool(needs_more)


_RUNNING_STOP = re.compile(r"[.!?]++[\"'”’»)\]}*_`]*+(?=\s)|[.!?]++(?=[)\"'”’\]}*]*[?!)\";}\]*:@'({\[])")
_TOKEN_BEFORE = re.compile(r"\S*\Z")
_TOKEN_AFTER = re.compile(r"[\s\"'“”‘’(\[{*_`~#>|-]*(\w[\w'’-]*)?")

_SHORT_FORM_WORDS = """
    mr mrs ms dr prof rev gen sen rep gov sgt capt col lt st mt ft jr sr inc ltd corp cos bros vs cf dept vol approx adm
    maj mg messrs e.g i.e a.m p.m u.s u.k u.n d.c n.y l.a ph.d m.d b.a m.a b.s jan feb aug sep sept oct nov dec mon tue
    tues thurs fri ave blvd rd ct va ga fla calif conn colo kan minn neb nev okla ore penn tenn tex wash wis wyo ariz
"""
_SHORT_FORMS = frozenset(_SHORT_FORM_WORDS.split())
"""What Punkt's English model takes for abbreviations, as far as chat replies have them."""

_FIRST_WORDS = """
    the this that these those it he she they we you i in on at a an and but or so if when while as for however there
    here what who how why where his her their our my its by with to from after before once then also
"""
_STARTERS = frozenset(_FIRST_WORDS.split())
"""Words that, with a capital, begin a sentence even after an abbreviation."""


def running_sentences(text: str) -> tuple[Range, ...]:
    """Return where the sentences of running text stand, outer white space left out."""
    found: list[Range] = []
    start = 0
    for stop in _RUNNING_STOP.finditer(text):
        if stop.end() > start and _ends_running(text, start, stop):
            found.append((start, stop.end()))
            start = stop.end()
    found.append((start, len(text)))
    return tuple(part for part in (trimmed(text, item) for item in found) if part[0] < part[1])


def _ends_running(text: str, start: int, stop: re.Match[str]) -> bool:
    mark = re.match(r"[.!?]+", stop.group())
    marks = mark.group() if mark else "."
    if marks[-1] in "!?":
        return True
    after = _TOKEN_AFTER.match(text, stop.end(), stop.end() + _NEAR)
    following = (after.group(1) if after else None) or ""
    begins = following.lower() in _STARTERS and following[:1].isupper()
    if len(marks) > 1:
        return begins
    before = _TOKEN_BEFORE.search(text, max(start, stop.start() - _NEAR), stop.start())
    word = (before.group() if before else "").lstrip("\"'“‘([{*_`#")
    if re.fullmatch(r"[-+]?\d[\d.,]*", word):
        return not following[:1].islower()
    is_initial = len(word) == 1 and word.isalpha()
    is_short_form = word.lower() in _SHORT_FORMS or re.fullmatch(r"(?:[a-z]\.)+[a-z]", word.lower())
    return begins if is_initial or is_short_form else True


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


def _marked(text: str, marks: str, *patterns: re.Pattern[str]) -> tuple[Range, ...]:
    """Return the parts of a text that patterns find and that hold more than their marks."""
    found = (match for pattern in patterns for match in pattern.finditer(text))
    return tuple(sorted(match.span() for match in found if match.group().strip(marks).strip()))


UNITS: Mapping[str, Callable[[str], tuple[Range, ...]]] = {
    "words": words,
    "capitals": lambda text: tuple(one.span() for one in _HYPHENATED.finditer(text) if one.group().isupper()),
    "sentences": running_sentences,
    "paragraphs": lambda text: sections(text, "\n\n"),
    "bullets": lambda text: _marked(text, "", _BULLET),
    "emphasis": lambda text: _marked(text, "*", _EMPHASIS, _STRONG),
    "titles": lambda text: _marked(text, "<>", _TITLE),
    "placeholders": lambda text: _marked(text, "", _PLACEHOLDER),
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
