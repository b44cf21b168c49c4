"""What a conversation has stated up to a reply: the facts of its tool results, its system prompt and the user's words.

Formats are read away, as in `reading.facts`; what follows from the facts (sums, rounding) is in `grounding.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, combinations

from evalkit.reading.facts import NUMBER_WORDS, Fact, facts_in, shifted

Day = tuple[int, int, int]
"""Year (0 where none is named), month and day."""

_WORD = re.compile(r"\w+")
_KEY_WORD = re.compile(r"[a-z]+")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b", re.IGNORECASE)
_TODAY = re.compile(r"\b(?:today|current (?:date|time|day)|now)\b[^.\n]{0,40}", re.IGNORECASE)
_DAYS_AWAY = {"today": 0, "tomorrow": 1, "yesterday": -1}
_FEW_RECORDS = 8
"""Sums are added up over lists this short; sums over long ones would be found by chance."""


@dataclass
class Evidence:
    """The facts that sources state; grows turn by turn."""

    today: Day | None = None
    amounts: set[float] = field(default_factory=set)
    by_unit: dict[str, set[float]] = field(default_factory=dict)
    by_label: dict[str, set[float]] = field(default_factory=dict)
    ranges: set[tuple[float, float, str]] = field(default_factory=set)
    totals: set[float] = field(default_factory=set)
    dates: set[Day] = field(default_factory=set)
    times: set[tuple[int, int]] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)
    _words: list[frozenset[str]] = field(default_factory=list)

    def learn(self, text: str) -> None:
        """Add what a source states."""
        source = _read(text)
        self.amounts |= source.amounts
        self.totals |= source.totals
        for known, stated in ((self.by_unit, source.by_unit), (self.by_label, source.by_label)):
            for name, values in stated.items():
                known.setdefault(name, set()).update(values)
        for fact in source.others:
            kept: set[object] = getattr(self, _KEPT_IN[fact.kind])
            kept.update(value for value in fact.values if fact.kind != "identifier" or isinstance(value, str))
        self._words.append(words_of(text))

    def learn_days(self, said: str) -> None:
        """Add the days that a user's message counts from today: `tomorrow`, `yesterday`, and today itself."""
        if self.today:
            away = [days for word, days in _DAYS_AWAY.items() if word == "today" or word in said.casefold()]
            self.dates.update(day for days in away if (day := shifted(self.today, days)))

    def has_words(self, text: str) -> bool:
        """Return whether each word of a text is in some source."""
        return all(any(word in some for some in self._words) for word in words_of(text))

    def has_ending(self, text: str) -> bool:
        """Return whether an identifier, an amount as it is written or a word ends with a text."""
        amounts = (f"{value:g}" for value in self.amounts)
        return any(one.endswith(text) for one in chain(self.identifiers, amounts, *self._words))

    def has_day(self, stated: object) -> bool:
        """Return whether a date is known; where one side names no year, any year that is known will do."""
        if not isinstance(stated, tuple):
            return False
        year, month, number = stated
        years = {day[0] for day in self.dates if day[0]}
        days = [day for day in self.dates if day[1:] == (month, number)]
        return any(not year or year == day[0] or (not day[0] and (year in years or not years)) for day in days)

    def has_day_in(self, days: int) -> bool:
        """Return whether a date is known that is so many days from today, later or earlier."""
        if self.today is None:
            return False
        return any(day in self.dates for away in (days, -days) if (day := shifted(self.today, away)))


_KEPT_IN = {"date": "dates", "range": "ranges", "time": "times", "identifier": "identifiers"}


def day_today(text: str) -> Day | None:
    """Return the date that a system prompt says is today's, or None."""
    for found in _TODAY.finditer(text):
        for fact in facts_in(found.group()):
            day = fact.values[0]
            if fact.kind == "date" and isinstance(day, tuple) and day[0]:
                return day[0], day[1], day[2]
    return None


@lru_cache(maxsize=4096)
def words_of(text: str) -> frozenset[str]:
    """Return the words of a text in small letters; those joined by `_` are several."""
    return frozenset(_WORD.findall(text.casefold().replace("_", " ")))


@dataclass(frozen=True)
class _Source:
    """What one source states: amounts, those by the word after or before them, other facts, and sums over its lists."""

    amounts: frozenset[float]
    by_unit: Mapping[str, frozenset[float]]
    by_label: Mapping[str, frozenset[float]]
    others: tuple[Fact, ...]
    totals: frozenset[float]


@lru_cache(maxsize=4096)
def _read(text: str) -> _Source:
    facts = facts_in(text)
    amounts = {value for fact in facts for value in fact.values if isinstance(value, float)}
    if not words_of(text).isdisjoint(NUMBER_WORDS):
        amounts |= {NUMBER_WORDS[word.casefold()] for word in _NUMBER_WORD.findall(text)}
    records = _Records()
    if text[:1] in ("{", "["):
        try:
            records.read(json.loads(text))
        except (ValueError, RecursionError):
            pass  # a tool may answer with text that only begins like JSON; its facts are read as text's all the same
    stated = [fact for fact in facts if fact.kind == "amount"]
    return _Source(
        amounts=frozenset(amounts | records.lengths),
        by_unit=_grouped(chain(((fact.unit, value) for fact in stated for value in fact.values), records.by_name)),
        by_label=_grouped((fact.label, value) for fact in stated for value in fact.values),
        others=tuple(fact for fact in facts if fact.kind not in ("amount", "marker")),
        totals=frozenset(records.totals),
    )


def _grouped(named: Iterable[tuple[str, object]]) -> Mapping[str, frozenset[float]]:
    groups: dict[str, set[float]] = {}
    for name, value in named:
        if name and isinstance(value, float):
            groups.setdefault(name, set()).add(value)
    return {name: frozenset(values) for name, values in groups.items()}


@dataclass
class _Records:
    """What a JSON text states beside its words: lengths of lists, numbers by the words of their key, and sums."""

    lengths: set[float] = field(default_factory=set)
    totals: set[float] = field(default_factory=set)
    by_name: list[tuple[str, float]] = field(default_factory=list)

    def read(self, value: object) -> None:
        """Take in a value and all in it."""
        # Not by recursion: what a tool returns may be nested as deep as it likes.
        todo: list[tuple[str, object]] = [("", value)]
        while todo:
            key, one = todo.pop()
            if isinstance(one, dict):
                parts: list[tuple[str, object]] = list(one.items())
            elif isinstance(one, list):
                parts = [(key, item) for item in one]
                self.lengths.add(float(len(one)))
                self._name(key, float(len(one)))
            else:
                if isinstance(one, int | float) and not isinstance(one, bool):
                    self._name(key, float(one))
                continue
            self._add_up([item for _, item in parts if isinstance(item, dict)])
            todo += parts

    def _name(self, key: str, number: float) -> None:
        self.by_name += [(word, number) for word in _key_words(key)]

    def _add_up(self, records: list[dict[str, object]]) -> None:
        """Add the sums of each key over records that stand together, of the first few and of any two."""
        if not 2 <= len(records) <= _FEW_RECORDS:
            return
        for key in dict.fromkeys(key for record in records for key in record):
            numbers = [value for record in records if isinstance(value := record.get(key), int | float)]
            self.totals |= {round(sum(numbers[:end]), 2) for end in range(2, len(numbers) + 1)}
            self.totals |= {round(one + other, 2) for one, other in combinations(numbers, 2)}


@lru_cache(maxsize=1024)
def _key_words(key: str) -> tuple[str, ...]:
    """Return the words of a key as amounts are named: `shipping_days` is `shipping` and `day`."""
    return tuple(word.removesuffix("s") for word in _KEY_WORD.findall(key.casefold()))
