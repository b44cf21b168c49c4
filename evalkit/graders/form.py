"""Graders of a reply's form: format, case, postscript, paragraph, language, and how much of what it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.grader import AnyLimits, Fault, Limits, as_limits, not_measured
from evalkit.graders.text import AnyWanted, TextGrader, edge_finding, to_spans
from evalkit.reading.language import LANGUAGES, is_short, possible_languages, primary
from evalkit.reading.patterns import find_all
from evalkit.reading.sentences import (
    UNITS,
    Range,
    count_words,
    is_blank,
    letters,
    numbered_headings,
    paragraphs,
    parts_between,
    running_sentences,
    sections,
    trimmed,
    words,
)
from evalkit.records import Finding, Span, Transcript, TrialVerdict, Turn
from evalkit.yamlsource import Count, FileModel, Flag, Text, ValuePath, did_you_mean, refusal

LANGUAGE_FORM = r"^([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*|user)$"
"""What a language's code looks like; `user` stands for the one that the user writes in."""

_QUOTES = '"'
_FENCE = re.compile(r"\A```(?:json|JSON|Json)?|```\Z")


class Format(TextGrader):
    """Require that the whole reply is JSON (a code fence around it is fine) or stands in quotation marks.

    Why: a program reads it. Example: `format: json`. Instead of asking for words inside it, add `says`.
    """

    kind = "format"
    format: Literal["json", "quoted"] = Field(
        description="json: the whole reply is JSON, fenced or not; quoted: in quotation marks.", examples=["json"]
    )

    def judge_reply(self, reply: str, turn: int) -> Finding:
        text, whole = reply.strip(), trimmed(reply, (0, len(reply)))
        if self.format == "quoted":
            holds = len(text) > 1 and text.startswith(_QUOTES) and text.endswith(_QUOTES)
            return edge_finding("in quotation marks", reply, whole, turn, holds=holds)
        expected = "JSON and nothing else"
        try:
            json.loads(_FENCE.sub("", text).strip())
        except (ValueError, RecursionError) as error:
            spans = to_spans((whole,), turn)
            return Finding(TrialVerdict.FAILED, "no JSON", expected, spans, turn, f"not JSON: {error}")
        return Finding(TrialVerdict.PASSED, "JSON", expected, turn=turn)


class LetterCase(TextGrader):
    """Require that all letters of the reply are capitals, or that none is.

    Why: some channels know only one. Example: `case: lower`. Instead of counting some words in capitals, use
    `count: {capitals: ...}`.
    """

    kind = "case"
    case: Literal["upper", "lower"] = Field(description="All letters are capitals, or none is.", examples=["lower"])

    def judge_reply(self, reply: str, turn: int) -> Finding:
        upper = self.case == "upper"
        expected = "all letters capitals" if upper else "no capital letter"
        if reply.isupper() if upper else reply.islower():
            return Finding(TrialVerdict.PASSED, expected, expected, turn=turn)
        wrong = [at for at, char in enumerate(reply) if (char.islower() if upper else char.isupper())]
        observed = f"{len(wrong)} {'small' if upper else 'capital'} letters" if wrong else "no letter at all"
        runs: list[Range] = []  # neighbouring letters are marked as one
        for at in wrong:
            if runs and runs[-1][1] == at:
                runs[-1] = (runs[-1][0], at + 1)
            else:
                runs.append((at, at + 1))
        return Finding(TrialVerdict.FAILED, observed, expected, to_spans(tuple(runs), turn), turn)


class Postscript(TextGrader):
    """Require a postscript: its marker, with or without spaces after the dots.

    Why: a letter that was asked for has one. Example: `postscript: P.S.`. Instead of words inside it, add `says`.
    """

    kind = "postscript"
    postscript: Text = Field(min_length=2, description="Has a postscript with this marker.", examples=["P.S."])

    def judge_reply(self, reply: str, turn: int) -> Finding:
        marker = self.postscript
        source = r"\.\s?".join(map(re.escape, marker.rstrip(".").split("."))) + (r"\." if marker.endswith(".") else "")
        found = find_all(source, reply, ignore_case=True)
        if found:
            return Finding(TrialVerdict.PASSED, "there", marker, to_spans(found[:1], turn), turn)
        return Finding(TrialVerdict.FAILED, f"no {marker!r}", f"a postscript {marker!r}", turn=turn)


class Beginning(FileModel):
    """How a paragraph begins."""

    called: ClassVar[str] = "paragraph"
    n: Count = Field(ge=1, description="Which one, counted from 1.", examples=[2])
    first_word: Text = Field(min_length=1, description="Its first word, ignoring case.", examples=["however"])


class Paragraph(TextGrader):
    """Require the first word of a paragraph; paragraphs stand between empty lines.

    Why: a form that is asked for. Example: `paragraph: {n: 2, first_word: however}`. Case and quotation marks around
    the word do not count. A second empty line makes an empty paragraph, which has a number but no words. Instead of a
    text anywhere, use `says`.
    """

    kind = "paragraph"
    paragraph: Beginning = Field(examples=[{"n": 2, "first_word": "however"}])

    def label(self) -> str:
        return f"paragraph {self.paragraph.n}"

    def judge_reply(self, reply: str, turn: int) -> Finding:
        number, wanted = self.paragraph.n, self.paragraph.first_word.lower()
        found = paragraphs(reply)
        expected = f"paragraph {number} begins with {wanted!r}"
        count = sum(not is_blank(reply, part) for part in found)
        if number > count:
            return Finding(TrialVerdict.FAILED, f"{count} paragraphs", expected, turn=turn)
        start, end = found[number - 1]
        word = re.search(r"\S+", reply[start:end])
        if word is None:
            return Finding(TrialVerdict.FAILED, f"paragraph {number} is empty", expected, turn=turn)
        first = re.split(r"[.,?!'\"]", word.group().lstrip("'").lstrip(_QUOTES), maxsplit=1)[0].lower()
        verdict = TrialVerdict.PASSED if first == wanted else TrialVerdict.FAILED
        span = Span(turn, start + word.start(), start + word.end())
        return Finding(verdict, f"begins with {word.group()!r}", expected, (span,), turn)


class Language(TextGrader):
    """Require that the reply is in a language (ISO 639-1), or in the one that the user writes in.

    Why: the customer must be able to read it. Example: `language: user`. The user's language is told from the messages
    up to this turn; what is too short to tell is not measured. Instead of naming the language for each case, use
    `user`; instead of `user` where only one language is spoken, name it.
    """

    kind = "language"
    language: Text = Field(
        pattern=LANGUAGE_FORM,
        description="The reply's language, as a code; `user`: the one the user writes in.",
        examples=["de"],
    )

    def problems(self) -> Iterator[Fault]:
        return language_faults(("language",), self.language)

    def judge_turn(self, turn: Turn, transcript: Transcript) -> Finding:
        return in_users_language(turn, transcript) if self.language == "user" else super().judge_turn(turn, transcript)

    def judge_reply(self, reply: str, turn: int) -> Finding:
        return in_language(self.language, reply, turn)


def language_faults(path: ValuePath, language: str) -> Iterator[Fault]:
    """Yield what is wrong with a language's code."""
    if language != "user" and primary(language) not in LANGUAGES:
        hint = did_you_mean(language, LANGUAGES)
        yield Fault(path, f"unknown language {language!r}{hint}; known: user, {', '.join(sorted(LANGUAGES))}")


def in_language(language: str, reply: str, turn: int) -> Finding:
    """Judge whether a reply is in a language; a short reply that could be in several is not measured."""
    wanted = primary(language)
    found = possible_languages(reply)
    expected = f"language {wanted}"
    if not found:
        return not_measured("too few letters to tell the language", turn)
    if wanted not in found:
        whole = Span(turn, *trimmed(reply, (0, len(reply))))
        return Finding(TrialVerdict.FAILED, f"language {found[0]}", expected, (whole,), turn)
    if len(found) > 1 and is_short(reply):
        return not_measured(f"too short to tell {' from '.join(found[:3])}", turn)
    return Finding(TrialVerdict.PASSED, expected, expected, turn=turn)


def in_users_language(turn: Turn, transcript: Transcript) -> Finding:
    """Judge whether a turn's reply is in the language of the user's words up to there, the last ones first."""
    said = [one.user for one in transcript.turns if one.n <= turn.n]
    for text in (said[-1], "\n".join(said)):
        found = possible_languages(text)
        if found and (len(found) == 1 or not is_short(text)):
            finding = in_language(found[0], turn.reply, turn.n)
            return replace(finding, expected=f"the user's language, {found[0]}" if finding.expected else "")
    return not_measured("the user's words are too few to tell their language", turn.n)


_ONE = {"emphasis": "emphasis", "capitals": "word in capitals"}
_MANY = {"emphasis": "emphasised parts", "capitals": "words in capitals"}


class MaxWords(TextGrader):
    """Limit the words of the reply; the words beyond the limit are marked.

    Why: long replies are not read. Example: `max_words: 90`. Instead of a limit in each case, write a `length` rule
    into the brand voice.
    """

    kind = "max_words"
    max_words: Count = Field(ge=1, description="No reply has more words.", examples=[90])

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
        start, end = trimmed(reply, (start, end))
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
