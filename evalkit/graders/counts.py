"""Graders of how much a reply holds: `count`, in any unit or of any text, and `max_words`."""

from __future__ import annotations

from pydantic import Field

from evalkit.graders.findings import limits_text
from evalkit.graders.text import TextGrader, find_text, quoted, to_spans
from evalkit.reading.sentences import Range, count_words, words
from evalkit.reading.units import UNITS, is_blank, letters, numbered_headings, parts_between, sections
from evalkit.records import Finding, JsonObject, Span, TrialVerdict
from evalkit.yamlsource import Count

_ONE = {"emphasis": "emphasis", "capitals": "word in capitals"}
_MANY = {"emphasis": "emphasised parts", "capitals": "words in capitals"}


class MaxWords(TextGrader):
    """Limit the words of the reply; the words beyond the limit are marked.

    Why: long replies are not read. Example: `max_words: 90`. Instead of a limit in each case, write a `length` rule
    into the brand voice.
    """

    kind = "max_words"
    max_words: Count = Field(ge=1, description="No reply has more words.", examples=[90])

    def label(self) -> str:
        return f"max_words {self.max_words}"

    def judge_reply(self, reply: str, turn: int) -> Finding:
        number, expected = count_words(reply), f"at most {self.max_words} words"
        if number <= self.max_words:
            return Finding(TrialVerdict.PASSED, f"{number} words", expected, turn=turn)
        found = words(reply)
        beyond = Span(turn, found[self.max_words][0], found[-1][1])
        return Finding(TrialVerdict.FAILED, f"{len(found)} words", expected, (beyond,), turn)


def count(params: JsonObject, reply: str, turn: int) -> Finding:
    """Limit how many units or how many times a text the reply holds; what is too much is marked.

    Why: a form that is asked for can be counted. Example: `count: {sentences: {max: 5}, bullets: 3}`. Instead of
    counting a text that must only be there, use `says`.
    """
    unit = str(params["unit"])
    found = _found(unit, params, reply)
    observed, expected = _named(unit, params, len(found)), _expected(unit, params)
    low, high = params.get("min"), params.get("max")
    problem = _hollow(unit, params, reply, found)
    if problem:
        return Finding(TrialVerdict.FAILED, f"{observed}, {problem}", expected, turn=turn)
    if (low is None or len(found) >= low) and (high is None or len(found) <= high):
        return Finding(TrialVerdict.PASSED, observed, expected, turn=turn)
    beyond = found[high:] if high is not None and len(found) > high else ()
    return Finding(TrialVerdict.FAILED, observed, expected, to_spans(_shown(reply, beyond), turn), turn)


def _found(unit: str, params: JsonObject, reply: str) -> tuple[Range, ...]:
    match unit:
        case "texts":
            return find_text(params["of"], reply)
        case "letters":
            return letters(reply, str(params.get("of") or ""))
        case "sections" if params.get("heading"):
            return numbered_headings(reply, str(params["heading"]))
        case "sections":
            return sections(reply, str(params["separator"]))
    return UNITS[unit](reply)


def _hollow(unit: str, params: JsonObject, reply: str, found: tuple[Range, ...]) -> str:
    """Return what is wrong with the sections themselves: an empty one in between, or two that are the same."""
    if unit != "sections" or params.get("heading"):
        return ""
    parts = parts_between(reply, str(params["separator"]))
    if any(is_blank(reply, part) for part in parts[1:-1]):
        return "one of them empty"
    texts = [reply[slice(*part)].strip() for part in found]
    return "two of them the same" if params.get("distinct") and len(set(texts)) < len(texts) else ""


def _shown(reply: str, ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    """Return ranges without outer white space and without what overlaps an earlier one."""
    kept: list[Range] = []
    for start, end in ranges:
        part = reply[start:end]
        start, end = start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip()))
        if start < end and (not kept or start >= kept[-1][1]):
            kept.append((start, end))
    return tuple(kept)


def _expected(unit: str, params: JsonObject) -> str:
    low, high = params.get("min"), params.get("max")
    limits = f"exactly {low}" if low is not None and low == high else limits_text(low, high)
    return f"{limits} {_noun(unit, params, 1 if low == high == 1 else 2)}"


def _named(unit: str, params: JsonObject, number: int) -> str:
    return f"{number} {_noun(unit, params, number)}"


def _noun(unit: str, params: JsonObject, number: int) -> str:
    if unit == "texts":
        return f"times {quoted(params['of'])}"
    noun = _ONE.get(unit, unit.removesuffix("s")) if number == 1 else _MANY.get(unit, unit)
    detail = params.get("of") or params.get("separator") or params.get("heading")
    return f"{noun} ({detail})" if detail else noun
