"""The grader of grounded answers: what a reply states must come from the tools, the prompt or the user.

A fact is grounded when it stands in a tool's result, the system prompt, earlier messages or the user's words up to this
turn, in whatever format; a sum, difference or multiple of amounts that are grounded; or a date counted from today.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, combinations

from evalkit.graders.facts import NUMBER_WORDS, Fact, facts_in, names_in, shifted
from evalkit.graders.text import to_spans
from evalkit.records import Finding, JsonObject, Transcript, TrialVerdict, Turn

KINDS = ("amounts", "dates", "times", "identifiers", "names")
_KIND_OF = {"amount": "amounts", "date": "dates", "time": "times", "identifier": "identifiers", "name": "names"}
_KIND_OF |= {"range": "amounts", "marker": "amounts"}
_HEDGE = re.compile(
    r"(?:about|around|approximately|approx\.?|roughly|nearly|almost|some|over|under|~|ca\.?)\s*\W?\s*\Z", re.I
)
_ENDING = re.compile(r"ending (?:in|with) \W*\Z|\*{3,}\s?\Z|[xX•]{2,}-?\Z")
_DAYS_AWAY = {"today": 0, "tomorrow": 1, "yesterday": -1}
_WORD = re.compile(r"[^\W_]+")
_KEY_WORD = re.compile(r"[a-z]+")
_TODAY = re.compile(r"\b(?:today|current (?:date|time|day)|now)\b[^.\n]{0,40}", re.I)
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b", re.I)
_CENT = 0.005
_FEW = 8
_LARGE = 10
_SMALL = 50
"""Whole amounts below this are found by chance almost anywhere."""


@dataclass
class _Known:
    """What the sources state."""

    amounts: set[float] = field(default_factory=set)
    by_unit: dict[str, set[float]] = field(default_factory=dict)
    by_label: dict[str, set[float]] = field(default_factory=dict)
    ranges: set[tuple[float, float, str]] = field(default_factory=set)
    totals: set[float] = field(default_factory=set)
    today: tuple[int, int, int] | None = None
    dates: set[tuple[int, int, int]] = field(default_factory=set)
    times: set[tuple[int, int]] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)
    words: frozenset[str] = frozenset()

    @property
    def endings(self) -> set[str]:
        """What a masked number may end with: identifiers and amounts as they are written."""
        return self.identifiers | {f"{value:g}" for value in self.amounts} | self.words


def grounded(params: JsonObject, turn: Turn, transcript: Transcript) -> Finding:
    """Require that every amount, date, time, identifier and name in the reply comes from a source.

    Why: a made-up number costs money. Example: `grounded: true`. Sources are tool results, the system prompt and what
    the user said; formats, units, rounding (`about 42`) and sums of stated amounts are allowed. Names are runs of
    capitalised words inside a sentence. Instead of one number that must be there, use `says`.
    """
    kinds = frozenset(params.get("kinds") or KINDS)
    known = _known(transcript, turn)
    stated = [*facts_in(turn.reply), *(names_in(turn.reply) if "names" in kinds else ())]
    amounts = [value for fact in stated if fact.kind == "amount" for value in fact.values if isinstance(value, float)]
    sure = _sure(amounts, known)
    loose = [fact for fact in stated if _KIND_OF[fact.kind] in kinds and not _is_known(fact, known, turn.reply, sure)]
    if not loose:
        return Finding(TrialVerdict.PASSED, f"{len(stated)} facts found", "every fact has a source", turn=turn.n)
    spans = tuple((fact.start, fact.end) for fact in sorted(loose, key=lambda fact: fact.start))
    shown = ", ".join(
        dict.fromkeys(f'{_KIND_OF[fact.kind][:-1]} "{turn.reply[fact.start : fact.end]}"' for fact in loose)
    )
    return Finding(TrialVerdict.FAILED, shown, "every fact has a source", to_spans(spans, turn.n), turn.n)


def _sure(amounts: list[float], known: _Known) -> list[float]:
    """Return the stated amounts that a source has or that follow from such, in order."""
    sure = {value for value in amounts if value in known.amounts}
    for _ in range(2):
        stated = [value for value in amounts if value in sure]
        sure |= {value for value in amounts if value not in sure and _is_computed(value, stated, known)}
    return [value for value in amounts if value in sure]


def _known(transcript: Transcript, turn: Turn) -> _Known:
    known = _Known()
    texts = list(_sources(transcript, turn))
    for text in texts:
        source = _read(text)
        known.amounts |= source.amounts
        known.totals |= source.totals
        for unit, values in source.by_unit:
            known.by_unit.setdefault(unit, set()).update(values)
        for label, values in source.by_label:
            known.by_label.setdefault(label, set()).update(values)
        for fact in source.others:
            _add(fact, known)
    today = known.today = _today(transcript.system_text)
    if today:
        spoken = " ".join(one.user.casefold() for one in transcript.turns if one.n <= turn.n)
        away = [days for word, days in _DAYS_AWAY.items() if word == "today" or word in spoken]
        known.dates.update(day for days in away if (day := shifted(today, days)))
    known.words = frozenset().union(*map(_words, texts))
    return known


def _sources(transcript: Transcript, turn: Turn) -> Iterator[str]:
    yield transcript.system_text
    for message in transcript.history:
        content = message.get("content")
        yield content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    for one in transcript.turns:
        if one.n <= turn.n:
            yield one.user
            yield from (call.output for call in one.tool_calls)


@dataclass(frozen=True)
class _Source:
    """What one source states: amounts, those by the word after them, other facts, and sums over its lists."""

    amounts: frozenset[float]
    by_unit: tuple[tuple[str, frozenset[float]], ...]
    by_label: tuple[tuple[str, frozenset[float]], ...]
    others: tuple[Fact, ...]
    totals: frozenset[float]


@lru_cache(maxsize=1024)
def _read(text: str) -> _Source:
    facts = facts_in(text)
    amounts = {value for fact in facts for value in fact.values if isinstance(value, float)}
    amounts |= {NUMBER_WORDS[word.casefold()] for word in _NUMBER_WORD.findall(text)}
    records = _Records()
    if text[:1] in ("{", "["):
        records.read(_loaded(text))
    others = tuple(fact for fact in facts if fact.kind not in ("amount", "marker"))
    stated = [fact for fact in facts if fact.kind == "amount"]
    by_unit = _grouped(((fact.unit, value) for fact in stated for value in fact.values), records.by_name)
    by_label = _grouped(((fact.label, value) for fact in stated for value in fact.values), ())
    return _Source(frozenset(amounts | records.lengths), by_unit, by_label, others, frozenset(records.totals))


def _grouped(
    *named: Iterable[tuple[str, object]],
) -> tuple[tuple[str, frozenset[float]], ...]:
    groups: dict[str, set[float]] = {}
    for name, value in chain(*named):
        if name and isinstance(value, float):
            groups.setdefault(name, set()).add(value)
    return tuple((name, frozenset(values)) for name, values in groups.items())


@dataclass
class _Records:
    """What a JSON text states beside its words: lengths of lists, numbers by the words of their key, and sums."""

    lengths: set[float] = field(default_factory=set)
    totals: set[float] = field(default_factory=set)
    by_name: list[tuple[str, float]] = field(default_factory=list)

    def read(self, value: object) -> None:
        """Take in a value and all in it."""
        todo: list[tuple[str, object]] = [("", value)]
        while todo:
            key, one = todo.pop()
            parts = list(one.items()) if isinstance(one, dict) else []
            if isinstance(one, list):
                parts = [(key, item) for item in one]
                self.lengths.add(float(len(one)))
                self._name(key, float(len(one)))
            elif isinstance(one, int | float) and not isinstance(one, bool):
                self._name(key, float(one))
            self._add_up([item for _, item in parts if isinstance(item, dict)])
            todo += parts

    def _name(self, key: str, number: float) -> None:
        self.by_name += [(word.removesuffix("s"), number) for word in _KEY_WORD.findall(key.casefold())]

    def _add_up(self, records: list[dict[str, object]]) -> None:
        """Add the sums of each key over records that stand together, of the first few and of any two."""
        if not 2 <= len(records) <= _FEW:
            return
        for key in dict.fromkeys(key for record in records for key in record):
            numbers = [value for record in records if isinstance(value := record.get(key), int | float)]
            self.totals |= {round(sum(numbers[:end]), 2) for end in range(2, len(numbers) + 1)}
            self.totals |= {round(one + other, 2) for one, other in combinations(numbers, 2)}


def _loaded(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=1024)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _add(fact: Fact, known: _Known) -> None:
    for value in fact.values:
        if fact.kind == "date":
            known.dates.add(value)  # type: ignore[arg-type]
        elif fact.kind == "range":
            known.ranges.add(value)  # type: ignore[arg-type]
        elif fact.kind == "time":
            known.times.add(value)  # type: ignore[arg-type]
        elif isinstance(value, str):
            known.identifiers.add(value)


def _is_known(fact: Fact, known: _Known, reply: str, sure: list[float]) -> bool:
    before = reply[max(0, fact.start - 24) : fact.start]
    match fact.kind:
        case "date":
            return any(_is_day(value, known) for value in fact.values)
        case "time":
            return any(value in known.times for value in fact.values)
        case "range":
            return any(value in known.ranges for value in fact.values) or not _counts_ranges(fact, known)
        case "marker":
            return fact.values[0] == 1 or any(
                one.kind == "marker" and one.start < fact.start and one.values[0] == int(str(fact.values[0])) - 1
                for one in facts_in(reply)
            )
        case "name":
            return all(word in known.words for value in fact.values for word in _WORD.findall(str(value)))
    if _ENDING.search(before):
        text = reply[fact.start : fact.end].lstrip("#").casefold()
        return any(one.endswith(text) for one in known.endings)
    return any(_has_source(fact, value, known, reply, sure) for value in fact.values)


def _has_source(fact: Fact, value: object, known: _Known, reply: str, sure: list[float]) -> bool:
    """Return whether an identifier is known, or an amount.

    Small amounts count with the word after or before them where sources have such (`7 business days`, `Suite 641`).
    """
    if not isinstance(value, float):
        return value in known.identifiers
    before = reply[max(0, fact.start - 24) : fact.start]
    if _HEDGE.search(before) and any(_rounds_to(one, value) for one in known.amounts):
        return True
    if value in known.by_unit.get(fact.unit, ()) or _is_time_away(fact, value, known):
        return True
    if fact.unit in ("hour", "hr", "h") and _is_between_times(value, reply):
        return True
    if fact.label in known.by_label and value == int(value):
        return value in known.by_label[fact.label]
    if fact.label and value < _SMALL and reply[fact.end : fact.end + 1] == ":":
        return value == 1 or f"{fact.label} {int(value) - 1}" in reply[: fact.start].casefold()
    if fact.unit in known.by_unit and value == int(value) and value < _SMALL:
        return False
    return value in known.amounts or value in sure


def _rounds_to(known: float, stated: float) -> bool:
    """Return whether an amount may be said as `about` another: rounded as that is written, or within a twentieth."""
    decimals = len(f"{stated:g}".partition(".")[2])
    return round(known, decimals) == stated or (stated >= _LARGE and abs(known - stated) <= 0.05 * abs(known))


def _is_between_times(hours: float, reply: str) -> bool:
    """Return whether so many hours lie between two times that the reply states, over midnight too."""
    minutes = {value[0] * 60 + value[1] for fact in facts_in(reply) if fact.kind == "time" for value in _times(fact)}
    return any((one - other) % (24 * 60) == round(hours * 60) for one in minutes for other in minutes if one != other)


def _times(fact: Fact) -> Iterator[tuple[int, int]]:
    for value in fact.values:
        if isinstance(value, tuple):
            yield value[0], value[1]


def _counts_ranges(fact: Fact, known: _Known) -> bool:
    """Return whether a source has a range of the same unit."""
    units = {unit for _, _, unit in known.ranges}
    return any(isinstance(value, tuple) and value[2] in units for value in fact.values)


def _is_time_away(fact: Fact, value: float, known: _Known) -> bool:
    """Return whether so many days lie between today and a date that is known."""
    if known.today is None or fact.unit not in ("day", "night"):
        return False
    return any(day in known.dates for days in (int(value), -int(value)) if (day := shifted(known.today, days)))


def _is_computed(value: float, sure: list[float], known: _Known) -> bool:
    """Return whether an amount follows from others.

    A total over a list of records, a sum of stated amounts, a product of two, or a sum or difference of a stated amount
    and a known one; whole amounts only from stated ones, since they are found by chance too easily.
    """
    if any(abs(total - value) < _CENT for total in (*known.totals, *_sums(sure))):
        return True
    stated = set(sure)
    cents = value != int(value)
    others = known.amounts | known.totals if cents else known.totals | stated
    return any(
        any(abs(one * other - value) < _CENT for other in stated)
        or any(
            round(other, 2) in others for other in (one - value, value - one, one + value) if other >= _SMALL or cents
        )
        for one in stated
        if cents or (value >= _SMALL and one >= _SMALL)
    )


def _sums(values: list[float]) -> Iterator[float]:
    """Yield the sums of neighbouring values, and those of any few different amounts with cents."""
    for start, first in enumerate(values):
        total = first
        for value in values[start + 1 :]:
            total += value
            yield total
    cents = [value for value in dict.fromkeys(values) if value != int(value)][:_FEW]
    for size in range(2, len(cents) + 1):
        yield from (sum(some) for some in combinations(cents, size))


def _is_day(stated: object, known: _Known) -> bool:
    """Return whether a date is known; where one side names no year, any year that is known will do."""
    if not isinstance(stated, tuple):
        return False
    year, month, number = stated
    years = {day[0] for day in known.dates if day[0]}
    days = [day for day in known.dates if day[1:] == (month, number)]
    return any(not year or year == day[0] or (not day[0] and (year in years or not years)) for day in days)


def _today(text: str) -> tuple[int, int, int] | None:
    for found in _TODAY.finditer(text):
        for fact in facts_in(found.group()):
            if fact.kind == "date" and fact.values[0][0]:  # type: ignore[index]
                return fact.values[0]  # type: ignore[return-value]
    return None
