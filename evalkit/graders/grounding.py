"""The grader of grounded answers: what a reply states must come from the tools, the prompt or the user.

A fact is grounded when it stands in a tool's result, the system prompt, earlier messages, the user's words or their
text documents up to this turn, in whatever format; a sum, difference or multiple of amounts that are grounded; or a
date counted from today. A picture or PDF can't be read here: what it `shows` counts as its text; without that, a fact
that has no other source may stand in it, and is neither grounded nor made up but not measured.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, combinations
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BeforeValidator, Field

from evalkit.content import AttachedFile, files_in, spoken
from evalkit.graders.grader import ReplyGrader, not_measured
from evalkit.graders.replies import once_per_transcript
from evalkit.graders.text import to_spans
from evalkit.reading.facts import NUMBER_WORDS, Fact, facts_in, names_in, shifted
from evalkit.records import Finding, Transcript, TrialVerdict, Turn
from evalkit.wording import listed
from evalkit.yamlsource import refusal, unwrapped

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


FactKind = Literal["amounts", "dates", "times", "identifiers", "names"]
_KINDS: tuple[FactKind, ...] = get_args(FactKind)
_KIND_OF = {"amount": "amounts", "date": "dates", "time": "times", "identifier": "identifiers", "name": "names"}
_KIND_OF |= {"range": "amounts", "marker": "amounts"}

_HEDGE = re.compile(
    r"(?:about|around|approximately|approx\.?|roughly|nearly|almost|some|over|under|~|ca\.?)\s*\W?\s*\Z", re.IGNORECASE
)
"""What stands before an amount that may be rounded."""

_ENDING = re.compile(r"ending (?:in|with) \W*\Z|\*{3,}\s?\Z|[xX•]{2,}-?\Z")
"""What stands before the last digits of a longer number."""

_BEFORE_ENDING = re.compile(r"ending|[*xX•]")
"""What all of these have; most text has none, and this is found much faster."""

_CENT = 0.005
_FEW = 8
_LARGE = 10
_SMALL = 50
"""Whole amounts below this are found by chance almost anywhere."""


def _facts(value: Any) -> Any:
    value = unwrapped(value)
    if value is True:
        return [*_KINDS]
    if isinstance(value, list) and value:
        return value
    raise refusal(f"'grounded' must be true, or a list of {', '.join(_KINDS)}.")


class Grounded(ReplyGrader):
    """Require that every amount, date, time, identifier and name in the reply comes from a source.

    Why: a made-up number costs money. Example: `grounded: true`. Sources are tool results, the system prompt and what
    the user said or sent as text; formats, units, rounding (`about 42`) and sums of stated amounts are allowed. Of a
    picture or PDF only what it `shows` is known: without that, facts that no other source has are not measured, since
    they may stand there. Names are runs of capitalised words inside a sentence. Instead of one number that must be
    there, use `says`.
    """

    kind = "grounded"
    grounded: Annotated[
        list[FactKind], BeforeValidator(_facts, json_schema_input_type=Literal[True] | list[FactKind])
    ] = Field(
        description="What the reply states is in a tool result, the prompt or what the user said; or only some kinds.",
        examples=[True],
    )

    def judge_turn(self, turn: Turn, transcript: Transcript) -> Finding:
        expected = "every fact has a source"
        reply = _replies(transcript)[turn.n]
        loose = [fact for fact in reply.loose if _KIND_OF[fact.kind] in self.grounded]
        if not loose:
            number = sum(fact.kind != "name" or "names" in self.grounded for fact in reply.stated)
            return Finding(TrialVerdict.PASSED, f"{number} facts found", expected, turn=turn.n)
        named = (f'{_KIND_OF[fact.kind][:-1]} "{turn.reply[fact.start : fact.end]}"' for fact in loose)
        spans = tuple((fact.start, fact.end) for fact in sorted(loose, key=lambda fact: fact.start))
        shown = ", ".join(dict.fromkeys(named))
        if reply.unread:
            files = listed(list(dict.fromkeys(reply.unread)), "or")
            return not_measured(f"{shown} may stand in {files}, which can't be read here; say what it `shows`", turn.n)
        return Finding(TrialVerdict.FAILED, shown, expected, to_spans(spans, turn.n), turn.n)


class _Reply(NamedTuple):
    """The facts that one reply states, those of them that have no source, and the files that nobody could look into."""

    stated: tuple[Fact, ...]
    loose: tuple[Fact, ...]
    unread: tuple[str, ...]


@once_per_transcript
def _replies(transcript: Transcript) -> Mapping[int, _Reply]:
    """Return the facts of each turn's reply; each turn adds its own sources to what was known before."""
    known = Evidence(day_today(transcript.system_text))
    known.learn(transcript.system_text)
    unread: list[str] = []

    def look_into(files: Iterable[AttachedFile]) -> None:
        for file in files:
            known.learn(file.text)
            unread.extend([] if file.is_readable else [file.name])

    for part in spoken(transcript.history):
        look_into(files_in(part.content))
        for text in (part.text, *(part.result_of(call)[0] for call in part.calls)):
            known.learn(text)
    replies: dict[int, _Reply] = {}
    for turn in sorted(transcript.turns, key=lambda one: one.n):
        look_into(files_in(turn.content))
        for text in (turn.user, *(call.output for call in turn.tool_calls)):
            known.learn(text)
        known.learn_days(turn.user)
        facts = _StatedFacts(turn.reply, known)
        loose = tuple([fact for fact in facts.stated if not facts.is_known(fact)])
        replies[turn.n] = _Reply(facts.stated, loose, tuple(unread))
    return replies


class _StatedFacts:
    """The facts of one reply, held against what is known."""

    def __init__(self, reply: str, known: Evidence) -> None:
        self._reply, self._known = reply, known
        self.stated = (*facts_in(reply), *names_in(reply))
        self._sure = self._sure_amounts()

    def _sure_amounts(self) -> list[float]:
        """Return the stated amounts that a source has or that follow from such, in order."""
        values = [value for fact in self.stated if fact.kind == "amount" for value in fact.values]
        amounts = [value for value in values if isinstance(value, float)]
        sure = {value for value in amounts if value in self._known.amounts}
        # Twice: an amount that follows from others may be what a further one follows from.
        for _ in range(2):
            loose = {value for value in amounts if value not in sure}
            if not loose:
                break
            sums = _Sums([value for value in amounts if value in sure], self._known)
            sure |= {value for value in loose if sums.gives(value)}
        return [value for value in amounts if value in sure]

    def is_known(self, fact: Fact) -> bool:
        """Return whether a fact has a source."""
        known = self._known
        match fact.kind:
            case "date":
                return any(map(known.has_day, fact.values))
            case "time":
                return any(value in known.times for value in fact.values)
            case "range":  # or no source has one of its unit: then its ends are judged by themselves
                units = {unit for _, _, unit in known.ranges}
                return any(
                    value in known.ranges or not (isinstance(value, tuple) and value[2] in units)
                    for value in fact.values
                )
            case "marker":  # the number of a list item is the first, or follows the one of an item before it
                earlier = [one.values[0] for one in self.stated if one.kind == "marker" and one.start < fact.start]
                return fact.values[0] == 1 or any(isinstance(one, int) and one + 1 == fact.values[0] for one in earlier)
            case "name":
                return all(known.has_words(str(value)) for value in fact.values)
        before = self._reply[max(0, fact.start - 24) : fact.start]
        if _BEFORE_ENDING.search(before) and _ENDING.search(before):
            return known.has_ending(self._reply[fact.start : fact.end].lstrip("#").casefold())
        if any(self._has_source(fact, value) for value in fact.values):
            return True
        rounded = [value for value in fact.values if isinstance(value, float)] if _HEDGE.search(before) else []
        return any(_rounds_to(one, value) for value in rounded for one in known.amounts)

    def _has_source(self, fact: Fact, value: object) -> bool:
        """Return whether an identifier is known, or an amount.

        Small amounts count with the word after or before them where sources have such (`7 business days`, `Suite 641`).
        """
        known = self._known
        if not isinstance(value, float):
            return value in known.identifiers
        if value in known.by_unit.get(fact.unit, ()) or (
            fact.unit in ("day", "night") and known.has_day_in(int(value))
        ):
            return True
        if fact.unit in ("hour", "hr", "h") and self._is_between_times(value):
            return True
        if fact.label in known.by_label and value == int(value):
            return value in known.by_label[fact.label]
        if fact.label and value < _SMALL and self._reply[fact.end : fact.end + 1] == ":":
            # A heading that the reply numbers itself: `Option 2:` needs an `Option 1` before it, no source.
            return value == 1 or f"{fact.label} {int(value) - 1}" in self._reply[: fact.start].casefold()
        if fact.unit in known.by_unit and value == int(value) and value < _SMALL:
            return False
        return value in known.amounts or value in self._sure

    def _is_between_times(self, hours: float) -> bool:
        """Return whether so many hours lie between two times that the reply states, over midnight too."""
        times = (value for fact in self.stated if fact.kind == "time" for value in fact.values)
        minutes = {time[0] * 60 + time[1] for time in times if isinstance(time, tuple)}
        apart = ((one - other) % (24 * 60) for one in minutes for other in minutes if one != other)
        return any(gap == round(hours * 60) for gap in apart)


def _rounds_to(known: float, stated: float) -> bool:
    """Return whether an amount may be said as `about` another: rounded as that is written, or within a twentieth."""
    decimals = len(f"{stated:g}".partition(".")[2])
    return round(known, decimals) == stated or (stated >= _LARGE and abs(known - stated) <= 0.05 * abs(known))


class _Sums:
    """The stated amounts that are sure, and what may be computed from them.

    A total over a list of records, a sum of stated amounts, a product of two, or a sum or difference of a stated amount
    and a known one; whole amounts only from stated ones, since they are found by chance too easily.
    """

    def __init__(self, amounts: list[float], known: Evidence) -> None:
        self._known = known
        self._amounts = sorted(set(amounts))
        self._sums = sorted({*known.totals, *_sums(amounts)})

    def gives(self, value: float) -> bool:
        """Return whether an amount follows from the others."""
        if _has_near(self._sums, value, 1.0):
            return True
        cents = value != int(value)
        ones = [one for one in self._amounts if cents or (value >= _SMALL and one >= _SMALL)]
        return any(_has_near(self._amounts, value, one) or self._is_apart(value, one, cents=cents) for one in ones)

    def _is_apart(self, value: float, one: float, *, cents: bool) -> bool:
        """Return whether a known amount is the sum or difference of these two."""
        others = (round(other, 2) for other in (one - value, value - one, one + value) if cents or other >= _SMALL)
        if cents:
            return any(other in self._known.amounts or other in self._known.totals for other in others)
        return any(other in self._known.totals or other in self._amounts for other in others)


def _has_near(values: list[float], wanted: float, factor: float) -> bool:
    """Return whether one of the sorted values, times a factor that is not negative, is the wanted one to the cent."""
    if factor <= 0:
        return bool(values) and wanted < _CENT
    low, high = (wanted - 2 * _CENT) / factor, (wanted + 2 * _CENT) / factor
    near = values[bisect_left(values, low) : bisect_right(values, high)]
    return any(abs(factor * value - wanted) < _CENT for value in near)


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
