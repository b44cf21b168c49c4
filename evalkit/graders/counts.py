"""Graders of how much a reply holds: `count`, in any unit or of any text, and `max_words`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.findings import AnyLimits, Limits, as_limits
from evalkit.graders.grader import Fault
from evalkit.graders.text import AnyWanted, TextGrader, to_spans
from evalkit.reading.sentences import Range, count_words, running_sentences, words
from evalkit.reading.units import UNITS, is_blank, letters, numbered_headings, paragraphs, parts_between, sections
from evalkit.records import Finding, Span, TrialVerdict
from evalkit.yamlsource import Count, FileModel, Flag, Text, ValuePath, refusal

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


class MaxSentencesPerParagraph(TextGrader):
    """Limit the sentences of each paragraph; a paragraph with more is marked. Paragraphs stand between empty lines.

    Why: on a phone a long paragraph is a wall. Example: `max_sentences_per_paragraph: 3`. Instead of a limit on the
    whole reply, use `count: {sentences: ...}`.
    """

    kind = "max_sentences_per_paragraph"
    max_sentences_per_paragraph: Count = Field(ge=1, description="No paragraph has more sentences.", examples=[3])

    def label(self) -> str:
        return f"max_sentences_per_paragraph {self.max_sentences_per_paragraph}"

    def judge_reply(self, reply: str, turn: int) -> Finding:
        limit = self.max_sentences_per_paragraph
        counted = [(part, len(running_sentences(reply[slice(*part)]))) for part in paragraphs(reply)]
        longest = max(number for _, number in counted)
        too_long = tuple(part for part, number in counted if number > limit)
        observed, expected = f"a paragraph of {longest} sentences", f"at most {limit} a paragraph"
        verdict = TrialVerdict.FAILED if too_long else TrialVerdict.PASSED
        return Finding(verdict, observed, expected, to_spans(too_long, turn), turn)


class LetterCount(Limits):
    """How many letters, or how many of one letter."""

    of: Text | None = Field(
        None, min_length=1, max_length=1, description="Counts only this character, either case.", examples=["e"]
    )


class SectionCount(Limits):
    """How many sections: parts between separators, or numbered headings."""

    separator: Text | None = Field(None, min_length=1, description="What stands between sections.", examples=["***"])
    heading: Text | None = Field(
        None, min_length=1, description="The word before each section's number.", examples=["SECTION"]
    )
    distinct: Flag = Field(False, description="No two parts are the same.", examples=[True])

    @model_validator(mode="after")
    def _one_kind(self) -> SectionCount:
        if (self.separator is None) == (self.heading is None):
            raise refusal("sections are told apart by one of `separator` and `heading`.")
        if self.distinct and self.separator is None:
            raise refusal("`distinct` compares the parts between separators; add `separator`.", "distinct")
        return self


class TextCount(Limits):
    """How often a text is said."""

    of: AnyWanted = Field(description="The text that is counted.", examples=["refund"])


def _section_limits(value: Any) -> Any:
    if not isinstance(value, dict):
        raise refusal('sections need `separator` or `heading`, such as {exactly: 3, separator: "***"}.')
    return value


class Counts(FileModel):
    """How many of what a reply holds."""

    called: ClassVar[str] = "count"
    letters: (
        Annotated[
            list[Annotated[LetterCount, BeforeValidator(as_limits)]],
            BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
        ]
        | None
    ) = Field(None, min_length=1, description="Letters, or one character.", examples=[{"of": "e", "max": 3}])
    words: AnyLimits | None = Field(None, description=r"Words: runs of letters, digits and _.", examples=[{"max": 90}])
    capitals: AnyLimits | None = Field(None, description="Words all in capitals.", examples=[{"max": 2}])
    sentences: AnyLimits | None = Field(None, description="Sentences of running text.", examples=[{"max": 5}])
    paragraphs: AnyLimits | None = Field(None, description="Parts between empty lines.", examples=[2])
    sections: Annotated[SectionCount, BeforeValidator(_section_limits)] | None = Field(
        None, description="Parts between separators, or numbered headings.",
        examples=[{"exactly": 3, "separator": "***"}],
    )  # fmt: skip
    bullets: AnyLimits | None = Field(None, description="Lines that begin with * or -.", examples=[3])
    emphasis: AnyLimits | None = Field(None, description="Parts in *one* or **two** asterisks.", examples=[{"min": 1}])
    titles: AnyLimits | None = Field(None, description="Parts in <<double angle brackets>>.", examples=[1])
    placeholders: AnyLimits | None = Field(None, description="Parts in [brackets].", examples=[{"max": 0}])
    texts: list[TextCount] | None = Field(
        None, min_length=1, description="How often texts are said.", examples=[[{"of": "refund", "min": 2}]]
    )

    @model_validator(mode="after")
    def _counts_something(self) -> Counts:
        if not self.model_fields_set:
            raise refusal("'count' is empty; name what is counted, such as {sentences: {max: 5}}.")
        return self


class CountUnits(TextGrader):
    """Limit how many units or how many times a text the reply holds; what is too much is marked.

    Why: a form that is asked for can be counted. Example: `count: {sentences: {max: 5}, bullets: 3}`. Instead of
    counting a text that must only be there, use `says`.
    """

    kind = "count"
    count: Counts = Field(
        description="A number alone means exactly.", examples=[{"sentences": {"max": 5}, "bullets": 3}]
    )

    def label(self) -> str:
        unit, limits = self._limits()
        match limits:
            case TextCount():
                return f"count {unit} {limits.of.named()}"
            case LetterCount(of=str()):
                return f"count {unit} {limits.of}"
        return f"count {unit}"

    def parts(self) -> Iterator[tuple[ValuePath, Self]]:
        """Yield one assertion for each unit, letter and text that is counted."""
        for unit in Counts.model_fields:
            limits = getattr(self.count, unit)
            each = [((n,), [one]) for n, one in enumerate(limits)] if isinstance(limits, list) else [((), limits)]
            for at, part in each if limits is not None else ():
                only = Counts.model_construct(_fields_set=None, **{unit: part})
                yield ("count", unit, *at), self.model_copy(update={"count": only})

    def problems(self) -> Iterator[Fault]:
        for n, text in enumerate(self.count.texts or ()):
            yield from text.of.faults(("count", "texts", n, "of"))

    def judge_reply(self, reply: str, turn: int) -> Finding:
        unit, limits = self._limits()
        found = _found(unit, limits, reply)
        observed = f"{len(found)} {_noun(unit, limits, len(found))}"
        expected = f"{limits} {_noun(unit, limits, 1 if limits.low == limits.high == 1 else 2)}"
        problem = _hollow(limits, reply, found)
        if problem:
            return Finding(TrialVerdict.FAILED, f"{observed}, {problem}", expected, turn=turn)
        if limits.hold(len(found)):
            return Finding(TrialVerdict.PASSED, observed, expected, turn=turn)
        beyond = found[limits.high :] if limits.high is not None else ()
        return Finding(TrialVerdict.FAILED, observed, expected, to_spans(_shown(reply, beyond), turn), turn)

    def _limits(self) -> tuple[str, Limits]:
        """Return the unit that one assertion counts, and its limits."""
        (unit,) = self.count.model_fields_set
        limits = getattr(self.count, unit)
        return unit, limits[0] if isinstance(limits, list) else limits


def _found(unit: str, limits: Limits, reply: str) -> tuple[Range, ...]:
    match limits:
        case TextCount():
            return limits.of.find(reply)
        case LetterCount():
            return letters(reply, limits.of or "")
        case SectionCount(separator=None):
            return numbered_headings(reply, limits.heading or "")
        case SectionCount():
            return sections(reply, limits.separator or "")
    return UNITS[unit](reply)


def _hollow(limits: Limits, reply: str, found: tuple[Range, ...]) -> str:
    """Return what is wrong with the sections themselves: an empty one in between, or two that are the same."""
    if not isinstance(limits, SectionCount) or limits.separator is None:
        return ""
    if any(is_blank(reply, part) for part in parts_between(reply, limits.separator)[1:-1]):
        return "one of them empty"
    texts = [reply[slice(*part)].strip() for part in found]
    return "two of them the same" if limits.distinct and len(set(texts)) < len(texts) else ""


def _shown(reply: str, ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    """Return ranges without outer white space and without what overlaps an earlier one."""
    kept: list[Range] = []
    for start, end in ranges:
        part = reply[start:end]
        start, end = start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip()))
        if start < end and (not kept or start >= kept[-1][1]):
            kept.append((start, end))
    return tuple(kept)


def _noun(unit: str, limits: Limits, number: int) -> str:
    if isinstance(limits, TextCount):
        return f"times {limits.of.shown}"
    noun = _ONE.get(unit, unit.removesuffix("s")) if number == 1 else _MANY.get(unit, unit)
    detail = ""
    if isinstance(limits, LetterCount):
        detail = limits.of or ""
    elif isinstance(limits, SectionCount):
        detail = limits.separator or limits.heading or ""
    return f"{noun} ({detail})" if detail else noun
