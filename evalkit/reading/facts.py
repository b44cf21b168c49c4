"""The facts a text states: dates, times, amounts, identifiers and names, where each stands and what it means.

Formats are read away: `$1,497.65` and `1497.65 USD` are the same amount, `24 November` the same day as `2026-11-24`.
Knows only text. Patterns take time in proportion to the text, whatever it is, so what could be long (an address, an
identifier) has a bound."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTH_OF = {name: number for number, name in enumerate(_MONTHS.split(), 1)}
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_WORDS = "zero one two three four five six seven eight nine ten eleven twelve"
NUMBER_WORDS = {name: float(number) for number, name in enumerate(_WORDS.split())}
_TOKEN = re.compile(
    rf"""(?<!\w)(?:
      (?P<link> (?=[hw])(?:https?://|www\.)[^\s<>"'`)\]}}]+ | [\w.+-]{{1,64}}+@[\w-]++(?:\.[\w-]++)+ )
    | (?=\d)(?:
        (?P<iso> \b(?P<y>\d{{4}})-(?P<m>\d{{2}})-(?P<d>\d{{2}})(?:T(?=\d\d:))? )
      | (?P<slashed> \b(?P<s1>\d{{1,2}})/(?P<s2>\d{{1,2}})/(?P<s3>\d{{4}})\b )
      | (?P<dayfirst> \b(?P<dd>\d{{1,2}})(?:st|nd|rd|th)?\ (?:of\ )?(?P<dm>{_MONTH})\b\.?(?:,?\ (?P<dy>\d{{4}})\b)? )
      | (?P<time> \b(?P<h>\d{{1,2}}):(?P<min>\d{{2}})(?::\d{{2}})?(?:\s?(?P<half>[ap])\.?m\b\.?)?
          | \b(?P<h2>\d{{1,2}})\s?(?P<half2>[ap])\.?m\b )
      )
    | (?=[jfmasond])(?P<named> \b(?P<nm>{_MONTH})\.?\ (?P<nd>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\ (?P<ny>\d{{4}})\b)? )
    | (?P<ident> \#?\b(?=(?:-?[^\W\d]{{0,64}}+){{0,8}}+\d)(?=(?:-?\d{{0,64}}+){{0,8}}+[A-Za-z_])
        [A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*\b | \#\w+ )
    | (?=\d)(?P<number> (?<![\w.])\d+(?:[.,'\ ]\d{{3}})*(?:[.,]\d+)?(?![\w]) )
    )""",
    re.VERBOSE | re.IGNORECASE,
)
"""What is looked for in turn; looking ahead at the first character spares the engine most of it."""

_GLUED = re.compile(r"(\d+(?:\.\d+)?)-?([a-z]{1,12}|[A-Za-z]{1,3})")
_UNIT = re.compile(r"(?:\s?(?:-|–|to|or|and)\s?\d[\d.,]*)?\+?\s?(%|[A-Za-z]+)")
_FACTUAL = re.compile(r"(?<!\S)(?:[^\s\d#@:wW]++|:(?!//)|[wW](?![wW]{2}\.))*+[\d#@:wW]\S*+")
"""A run of characters that a fact may begin in, or (a month's name) may end in."""

_MONTH_BEFORE = re.compile(rf"\b{_MONTH}\.? \Z", re.IGNORECASE)
_MOST_BEFORE, _MOST_AFTER, _NEXT_RUN = 12, 24, 2
"""How far a fact may begin before such a run (`September. 24`) and end after it (`24th of September, 2026`).

After a mark it goes on in the very next run at most (`September 24, 2026`).
"""

_LIST_MARKER = re.compile(r"^[ \t*_#>-]*(\d{1,2})[.)](?=\s)", re.MULTILINE)
_RANGE = re.compile(r"(\d(?<![\w.,-]\d)\d{0,3})\s?(?:-|–|to)\s?(\d{1,4})\s+([A-Za-z]+)")
_LABEL = re.compile(r"\b([A-Z][a-z]+)[ #:]{1,2}\Z")
_NAME = re.compile(r"\b[A-Z][a-z]+(?:[-'’][A-Z]?[a-z]+){0,4}(?: [A-Z][a-z]+(?:[-'’][A-Z]?[a-z]+){0,4})+")


class Fact(NamedTuple):
    """A stated fact: `kind` is date, time, amount, range, identifier, marker or name.

    `values` is what it may mean, `unit` the word after an amount, `label` the capitalised word before it (`Suite 641`).
    A range has two amounts and its unit as values; a marker is the number of a list item.
    """

    kind: str
    start: int
    end: int
    values: tuple[object, ...]
    unit: str = ""
    label: str = ""


@lru_cache(maxsize=512)
def facts_in(text: str) -> tuple[Fact, ...]:
    """Return the facts a text states in digits, in order."""
    parts = _factual_parts(text)
    if not parts:
        return ()
    markers = {match.start(1): match for match in _LIST_MARKER.finditer(text)}
    tokens = (match for part in parts for match in _TOKEN.finditer(text, *part))
    found = [_fact(match) for match in tokens if match.start() not in markers]
    found += [Fact("marker", *match.span(1), (int(match[1]),)) for match in markers.values()]
    for match in _RANGE.finditer(text):
        low, high = _amounts(match[1])[0], _amounts(match[2])[0]
        found.append(Fact("range", match.start(1), match.end(2), ((low, high, _singular(match[3])),)))
    return tuple(sorted(found, key=lambda fact: fact.start))


def _factual_parts(text: str) -> list[tuple[int, int]]:
    """Return the parts of a text outside which no fact stands; most of a reply is plain words."""
    parts: list[tuple[int, int]] = []
    for run in _FACTUAL.finditer(text):
        start, end = run.span()
        if text[max(0, start - 3) : start - 1].strip(".").isalpha():
            month = _MONTH_BEFORE.search(text, max(0, start - _MOST_BEFORE), start)
            start = month.start() if month else start
        end = min(len(text), end + (_MOST_AFTER if text[end - 1].isalnum() else _NEXT_RUN))
        if parts and start <= parts[-1][1]:
            parts[-1] = (parts[-1][0], end)
        else:
            parts.append((start, end))
    return parts


@lru_cache(maxsize=512)
def names_in(text: str) -> tuple[Fact, ...]:
    """Return runs of at least two capitalised words that do not begin a line or sentence."""
    found = []
    for match in _NAME.finditer(text):
        before = text[: match.start()].rstrip(" *_\"'(")
        if before and before[-1] not in ".!?:\n•-–>#|" and not before.endswith("\n"):
            found.append(Fact("name", match.start(), match.end(), (match.group().casefold(),)))
    return tuple(found)


def _fact(match: re.Match[str]) -> Fact:
    kind, text, span = match.lastgroup, match.group(), match.span()
    if kind == "number":
        if len(text) >= 5 and text.isdigit():
            return Fact("identifier", *span, (text, *_amounts(text)))
        return Fact("amount", *span, _amounts(text), _unit(match.string, span[1]), _label(match.string, span[0]))
    if kind == "link":
        text = text.rstrip(".,;:!?*_")
        return Fact("identifier", span[0], span[0] + len(text), (text.casefold(),))
    if kind == "time":
        return _time(match, span)
    if kind != "ident":
        return _date(match, span)
    glued = _GLUED.fullmatch(text)
    if glued:
        return Fact("amount", span[0], span[0] + len(glued[1]), _amounts(glued[1]), _singular(glued[2]))
    return Fact("identifier", *span, (text.lstrip("#").casefold(),))


def _unit(text: str, end: int) -> str:
    """Return the word that an amount is followed by; in a range, the one that its end is followed by."""
    following = text[end : end + 1]
    if not (following.isspace() or following.isalpha() or following in "-–+%"):
        return ""
    found = _UNIT.match(text, end)
    return _singular(found[1]) if found else ""


def _label(text: str, start: int) -> str:
    """Return the capitalised word that numbers a thing, as in `Suite 641`."""
    if not text[max(0, start - 1) : start].endswith((" ", "#", ":")):
        return ""
    found = _LABEL.search(text, max(0, start - 24), start)
    return found[1].casefold() if found else ""


def _singular(word: str) -> str:
    return word.casefold().removesuffix("s")


def _date(match: re.Match[str], span: tuple[int, int]) -> Fact:
    if match["iso"]:
        options = [(int(match["y"]), int(match["m"]), int(match["d"]))]
    elif match["slashed"]:
        year, one, two = int(match["s3"]), int(match["s1"]), int(match["s2"])
        options = [(year, one, two), (year, two, one)]
    else:
        month = match["nm"] or match["dm"]
        year_text, day = match["ny"] or match["dy"], int(match["nd"] or match["dd"])
        options = [(int(year_text) if year_text else 0, _MONTH_OF[month[:3].casefold()], day)]
    return Fact("date", *span, tuple(dict.fromkeys(options)))


def _time(match: re.Match[str], span: tuple[int, int]) -> Fact:
    hour, minute = int(match["h"] or match["h2"]), int(match["min"] or 0)
    half = (match["half"] or match["half2"] or "").casefold()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return Fact("time", *span, ((hour, minute),))


@lru_cache(maxsize=1024)
def _amounts(text: str) -> tuple[float, ...]:
    """Return what a written number may be: separators are read both ways where they allow it."""
    if text.isdigit():
        return (float(text),)
    bare = text.replace(" ", "").replace("'", "")
    values: list[float] = []
    for thousands, point in ((",", "."), (".", ",")):
        if bare.count(point) > 1:
            continue
        whole, _, fraction = bare.partition(point)
        groups = whole.split(thousands)
        if all(len(group) == 3 for group in groups[1:]) and fraction.isdigit() | (not fraction) and all(groups):
            values.append(float("".join(groups) + (f".{fraction}" if fraction else "")))
    return tuple(dict.fromkeys(values)) or (float(re.sub(r"\D", "", bare)),)


def shifted(day: tuple[int, int, int], days: int) -> tuple[int, int, int] | None:
    """Return the date some days later, or None when there is none."""
    try:
        later = date(*day) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return later.year, later.month, later.day
