"""Graders of a reply's form: starts_with, ends_with, format, case, postscript, paragraph, language."""

from __future__ import annotations

import json
import re

from evalkit.graders.findings import not_measured
from evalkit.graders.text import quoted, text_source, to_spans
from evalkit.reading.language import is_short, possible_languages, primary
from evalkit.reading.patterns import find_all, matches_at
from evalkit.reading.units import is_blank, paragraphs
from evalkit.records import Finding, JsonObject, Span, TrialVerdict

_QUOTES = '"'
_FENCE = re.compile(r"\A```(?:json|JSON|Json)?|```\Z")
_SHOWN = 60


def starts_with(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require that the reply begins with a text, white space before it aside.

    Why: a reply that repeats the question, or opens with the answer. Example: `starts_with: "Yes"`. Instead of a text
    that may stand anywhere, use `says`.
    """
    source, ignore_case = text_source(params)
    offset = len(reply) - len(reply.lstrip())
    holds = matches_at(f"(?:{source})", reply, offset, ignore_case=ignore_case)
    return _at_edge(holds, f"starts with {quoted(params)}", reply, (offset, min(len(reply), offset + _SHOWN)), turn)


def ends_with(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require that the reply ends with a text, white space and quotation marks after it aside.

    Why: a sign-off that is always said. Example: `ends_with: "Anything else?"`. Instead of a text that may stand
    anywhere, use `says`.
    """
    source, ignore_case = text_source(params)
    stripped = reply.rstrip()
    trials = (stripped.rstrip(_QUOTES), stripped)
    holds = any(find_all(rf"(?:{source})\Z", trial, ignore_case=ignore_case) for trial in trials)
    end = len(stripped)
    return _at_edge(holds, f"ends with {quoted(params)}", reply, (max(0, end - _SHOWN), end), turn)


def format_(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require that the whole reply is JSON (a code fence around it is fine) or stands in quotation marks.

    Why: a program reads it. Example: `format: json`. Instead of asking for words inside it, add `says`.
    """
    if params["format"] == "json":
        return _json(reply, turn)
    text = reply.strip()
    holds = len(text) > 1 and text.startswith(_QUOTES) and text.endswith(_QUOTES)
    offset = len(reply) - len(reply.lstrip())
    return _at_edge(holds, "in quotation marks", reply, (offset, offset + len(text)), turn)


def case(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require that all letters of the reply are capitals, or that none is.

    Why: some channels know only one. Example: `case: lower`. Instead of counting some words in capitals, use
    `count: {capitals: ...}`.
    """
    upper = params["case"] == "upper"
    wrong = tuple((at, at + 1) for at, char in enumerate(reply) if (char.islower() if upper else char.isupper()))
    holds = reply.isupper() if upper else reply.islower()
    expected = "all letters capitals" if upper else "no capital letter"
    if holds:
        return Finding(TrialVerdict.PASSED, expected, expected, turn=turn)
    observed = f"{len(wrong)} {'small' if upper else 'capital'} letters" if wrong else "no letter at all"
    return Finding(TrialVerdict.FAILED, observed, expected, to_spans(_joined_runs(wrong), turn), turn)


def postscript(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require a postscript: its marker, with or without spaces after the dots.

    Why: a letter that was asked for has one. Example: `postscript: P.S.`. Instead of words inside it, add `says`.
    """
    marker = str(params["postscript"])
    source = r"\.\s?".join(map(re.escape, marker.rstrip(".").split("."))) + (r"\." if marker.endswith(".") else "")
    found = find_all(source, reply, ignore_case=True)
    if found:
        return Finding(TrialVerdict.PASSED, "there", marker, to_spans(found[:1], turn), turn)
    return Finding(TrialVerdict.FAILED, f"no {marker!r}", f"a postscript {marker!r}", turn=turn)


def paragraph(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require the first word of a paragraph; paragraphs stand between empty lines.

    Why: a form that is asked for. Example: `paragraph: {n: 2, first_word: however}`. Case and quotation marks around
    the word do not count. A second empty line makes an empty paragraph, which has a number but no words. Instead of a
    text anywhere, use `says`.
    """
    number, wanted = int(params["n"]), str(params["first_word"]).lower()
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


def language(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require that the reply is in a language (ISO 639-1).

    Why: the customer must be able to read it. Example: `language: de`. Below 40 characters a reply that could be in
    several languages is not measured. Instead of naming the language for each case, use `language: user`.
    """
    wanted = primary(str(params["language"]))
    found = possible_languages(reply)
    expected = f"language {wanted}"
    if not found:
        return not_measured("too few letters to tell the language", turn)
    if wanted not in found:
        return Finding(TrialVerdict.FAILED, f"language {found[0]}", expected, (_whole(reply, turn),), turn)
    if len(found) > 1 and is_short(reply):
        return not_measured(f"too short to tell {' from '.join(found[:3])}", turn)
    return Finding(TrialVerdict.PASSED, expected, expected, turn=turn)


def _at_edge(holds: bool, expected: str, reply: str, shown: tuple[int, int], turn: int) -> Finding:
    if holds:
        return Finding(TrialVerdict.PASSED, expected, expected, turn=turn)
    text = reply[slice(*shown)].strip()
    return Finding(TrialVerdict.FAILED, f'"{text}"', expected, to_spans((shown,), turn), turn)


def _json(reply: str, turn: int) -> Finding:
    text = _FENCE.sub("", reply.strip()).strip()
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        note = f"not JSON: {error}"
        return Finding(TrialVerdict.FAILED, "no JSON", "JSON and nothing else", (_whole(reply, turn),), turn, note)
    return Finding(TrialVerdict.PASSED, "JSON", "JSON and nothing else", turn=turn)


def _whole(reply: str, turn: int) -> Span:
    start = len(reply) - len(reply.lstrip())
    return Span(turn, start, len(reply.rstrip()))


def _joined_runs(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return neighbouring ranges as one."""
    runs: list[tuple[int, int]] = []
    for start, end in ranges:
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return tuple(runs)
