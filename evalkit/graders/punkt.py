"""Sentences of running text as the field's instruction-following checkers count them.

They use Punkt (Kiss and Strunk 2006) with its English model, for which a line break is only white space: a list without
full stops is one sentence. Punkt's rules are kept, its learned lists shrunk to what chat replies hold. `sentences.py`
splits a reply as a reader sees it instead. Knows only text.
"""

from __future__ import annotations

import re

Range = tuple[int, int]

_STOP = re.compile(r"[.!?]++[\"'”’»)\]}*_`]*+(?=\s)|[.!?]++(?=[)\"'”’\]}*]*[?!)\";}\]*:@'({\[])")
_TOKEN_BEFORE = re.compile(r"\S*\Z")
_TOKEN_AFTER = re.compile(r"[\s\"'“”‘’(\[{*_`~#>|-]*(\w[\w'’-]*)?")
_NEAR = 80

_SHORT_FORMS = """
    mr mrs ms dr prof rev gen sen rep gov sgt capt col lt st mt ft jr sr inc ltd corp cos bros vs cf dept vol approx adm
    maj mg messrs e.g i.e a.m p.m u.s u.k u.n d.c n.y l.a ph.d m.d b.a m.a b.s jan feb aug sep sept oct nov dec mon tue
    tues thurs fri ave blvd rd ct va ga fla calif conn colo kan minn neb nev okla ore penn tenn tex wash wis wyo ariz
"""
_FIRST_WORDS = """
    the this that these those it he she they we you i in on at a an and but or so if when while as for however there
    here what who how why where his her their our my its by with to from after before once then also
"""
_ABBREVIATIONS = frozenset(_SHORT_FORMS.split())
_STARTERS = frozenset(_FIRST_WORDS.split())


def running_sentences(text: str) -> tuple[Range, ...]:
    """Return where the sentences of running text stand, outer white space left out."""
    found: list[Range] = []
    start = 0
    for stop in _STOP.finditer(text):
        if stop.end() > start and _ends(text, start, stop):
            found.append((start, stop.end()))
            start = stop.end()
    found.append((start, len(text)))
    return tuple(trimmed for trimmed in (_trim(text, *item) for item in found) if trimmed[0] < trimmed[1])


def _ends(text: str, start: int, stop: re.Match[str]) -> bool:
    mark = re.match(r"[.!?]+", stop.group())
    marks = mark.group() if mark else "."
    after = _TOKEN_AFTER.match(text, stop.end(), stop.end() + _NEAR)
    following = (after.group(1) if after else None) or ""
    if marks[-1] in "!?":
        return True
    if len(marks) > 1:
        return following.lower() in _STARTERS and following[:1].isupper()
    before = _TOKEN_BEFORE.search(text, max(start, stop.start() - _NEAR), stop.start())
    word = (before.group() if before else "").lstrip("\"'“‘([{*_`#")
    if _is_number(word):
        return not following[:1].islower()
    if _is_initial(word):
        return following.lower() in _STARTERS and following[:1].isupper()
    if word.lower() in _ABBREVIATIONS or re.fullmatch(r"(?:[a-z]\.)+[a-z]", word.lower()):
        return following.lower() in _STARTERS and following[:1].isupper()
    return True


def _is_number(word: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\d[\d.,]*", word))


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word.isalpha()


def _trim(text: str, start: int, end: int) -> Range:
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), end - (len(inner) - len(inner.rstrip()))
