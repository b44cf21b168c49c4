"""Graders of a reply's form and language: format, case, postscript, paragraph, language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from evalkit.graders.findings import not_measured
from evalkit.graders.grader import Fault
from evalkit.graders.text import TextGrader, edge_finding, to_spans
from evalkit.reading.language import LANGUAGES, is_short, possible_languages, primary
from evalkit.reading.patterns import find_all
from evalkit.reading.sentences import Range
from evalkit.reading.units import is_blank, paragraphs
from evalkit.records import Finding, Span, Transcript, TrialVerdict, Turn
from evalkit.yamlsource import Count, FileModel, Text, ValuePath, did_you_mean

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

    def label(self) -> str:
        return f"format {self.format}"

    def judge_reply(self, reply: str, turn: int) -> Finding:
        text, offset = reply.strip(), len(reply) - len(reply.lstrip())
        whole = (offset, offset + len(text))
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

    def label(self) -> str:
        return f"case {self.case}"

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

    def label(self) -> str:
        return f"postscript {self.postscript}"

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

    def label(self) -> str:
        return f"language {self.language}"

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
        whole = (len(reply) - len(reply.lstrip()), len(reply.rstrip()))
        return Finding(TrialVerdict.FAILED, f"language {found[0]}", expected, to_spans((whole,), turn), turn)
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
