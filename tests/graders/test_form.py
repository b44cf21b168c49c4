"""Graders of how much a reply holds and of its form."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.records import TrialVerdict
from tests.graders.build import assertion, finding, grade_text, said

PASSED, FAILED, NOT_MEASURED = TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED
GERMAN = "Ihre Bestellung ist unterwegs und wird am Montag bei Ihnen ankommen."
ENGLISH = "Your order is on its way and will be with you on Monday."


def judged(kind: str, params: dict[str, Any], reply: str) -> TrialVerdict:
    return grade_text(assertion(kind, params), reply).verdict


def counted(unit: str, reply: str, **about: Any) -> str:
    """Return what `count` observes."""
    limits = {"min": 0, **about}
    params = {"count": {unit: [limits] if unit in {"letters", "texts"} else limits}}
    return grade_text(assertion("count", params), reply).observed


@pytest.mark.parametrize(
    ("unit", "reply", "about", "expected"),
    [
        ("words", "don't well-known x_1", {}, "5 words"),
        ("letters", "Année 2!", {}, "5 letters"),
        ("letters", "Eel bee", {"of": "e"}, "4 letters (e)"),
        ("capitals", "NASA's ROV-B is A-ok", {}, "2 words in capitals"),
        ("sentences", "Mr. Fox ran. Did he? Yes!\nAnd more", {}, "4 sentences"),
        ("paragraphs", "one\nstill one\n\n\n\ntwo", {}, "2 paragraphs"),
        ("sections", "a *** b\n***\nc", {"separator": "***"}, "3 sections (***)"),
        ("sections", "Day 1 a\nDay 2 b\nday 3", {"heading": "Day"}, "2 sections (Day)"),
        ("bullets", "* a\n  - b\n**bold** no\n-c", {}, "3 bullets"),
        ("emphasis", "*a* and **b** and ** ** and *\n*", {}, "2 emphasised parts"),
        ("titles", "<<A title>> << >> <<broken\n>>", {}, "1 title"),
        ("placeholders", "[name], [] and [street\n]", {}, "2 placeholders"),
        ("texts", "refund, Refunds", {"of": "refund"}, '2 times "refund"'),
        ("texts", "refund, Refunds", {"of": {"word": "refund"}}, '1 times the word "refund"'),
    ],
)
def test_units_are_counted_as_the_field_counts_them(
    unit: str, reply: str, about: dict[str, Any], expected: str
) -> None:
    """Each unit is what instruction-following checkers take it for."""
    assert counted(unit, reply, **about) == expected


def test_a_count_names_its_limits_and_marks_what_is_too_much() -> None:
    """Limits are inclusive; exactly is said as such."""
    found = grade_text(assertion("count", {"count": {"bullets": 1}}), "- a\n- b")
    assert (found.verdict, found.observed, found.expected) == (FAILED, "2 bullets", "exactly 1 bullet")
    assert [("- a\n- b")[span.start : span.end] for span in found.spans] == ["- b"]


def test_a_paragraph_has_few_sentences() -> None:
    """The limit is of each paragraph by itself; the one that is too long is marked."""
    reply = "One. Two.\n\nOne. Two. Three."
    asked = assertion("max_sentences_per_paragraph", {"max_sentences_per_paragraph": 2})
    found = grade_text(asked, reply)
    assert (found.verdict, found.observed) == (FAILED, "a paragraph of 3 sentences")
    assert [reply[span.start : span.end] for span in found.spans] == ["One. Two. Three."]
    assert grade_text(asked, "One. Two.\n\nOne. Two.").verdict is PASSED


@pytest.mark.parametrize(
    ("reply", "distinct", "expected"),
    [("a***b", True, PASSED), ("a***a", True, FAILED), ("a***a", False, PASSED), ("***a***b***", True, PASSED)],
)
def test_sections_may_have_to_differ(reply: str, distinct: bool, expected: TrialVerdict) -> None:
    """An empty section at either edge is none; two answers must be two."""
    assert judged(
        "count", {"count": {"sections": {"separator": "***", "exactly": 2, "distinct": distinct}}}, reply
    ) is (expected)


def test_an_empty_section_in_between_is_a_failure() -> None:
    """A separator with nothing behind it promised a section."""
    found = grade_text(assertion("count", {"count": {"sections": {"separator": "***", "exactly": 2}}}), "a*** ***b")
    assert (found.verdict, found.observed) == (FAILED, "2 sections (***), one of them empty")


@pytest.mark.parametrize(
    ("kind", "params", "reply", "expected"),
    [
        ("starts_with", {"starts_with": "yes, gladly"}, " Yes, gladly. Now", PASSED),
        ("starts_with", {"starts_with": "gladly"}, "Yes, gladly.", FAILED),
        ("starts_with", {"starts_with": {"exact": "Yes"}}, "yes", FAILED),
        ("ends_with", {"ends_with": "anything else?"}, 'Anything else?" \n', PASSED),
        ("ends_with", {"ends_with": "anything else?"}, "Anything else? No.", FAILED),
        ("ends_with", {"ends_with": r"/\d+/"}, "It is 12", PASSED),
        ("format", {"format": "json"}, '```json\n{"a": [1]}\n```', PASSED),
        ("format", {"format": "json"}, 'Here: {"a": 1}', FAILED),
        ("format", {"format": "quoted"}, '"All of it"\n', PASSED),
        ("format", {"format": "quoted"}, '"', FAILED),
        ("case", {"case": "upper"}, "LOUD 1!", PASSED),
        ("case", {"case": "upper"}, "LOUd", FAILED),
        ("case", {"case": "lower"}, "12!", FAILED),
        ("postscript", {"postscript": "P.P.S"}, "x\np. p. s more", PASSED),
        ("postscript", {"postscript": "P.S."}, "no ps here", FAILED),
        ("paragraph", {"paragraph": {"n": 2, "first_word": "However"}}, 'a\n\n"however, b', PASSED),
        ("paragraph", {"paragraph": {"n": 2, "first_word": "b"}}, "a", FAILED),
        ("paragraph", {"paragraph": {"n": 2, "first_word": "b"}}, "a\n\n\n\nb", FAILED),
        ("language", {"language": "de-AT"}, GERMAN, PASSED),
        ("language", {"language": "de"}, ENGLISH, FAILED),
        ("language", {"language": "de"}, "OK", NOT_MEASURED),
        ("language", {"language": "ko"}, "안녕하세요 고객님", PASSED),
        ("language", {"language": "en"}, ENGLISH.upper(), PASSED),
    ],
)
def test_forms(kind: str, params: dict[str, Any], reply: str, expected: TrialVerdict) -> None:
    """Each form is kept or broken as stated."""
    assert judged(kind, params, reply) is expected


def test_a_reply_follows_the_language_of_the_user() -> None:
    """The user's own words say which language is wanted; a few words say nothing."""
    from dataclasses import replace

    conversation = said(GERMAN)
    (turn,) = conversation.turns
    asked = replace(conversation, turns=(replace(turn, user="Wann kommt denn endlich meine Bestellung an?"),))
    english = replace(conversation, turns=(replace(turn, user="When will my order arrive at my house, please?"),))
    assert finding(asked, "language", {"language": "user"}).verdict is PASSED
    assert finding(english, "language", {"language": "user"}).verdict is FAILED
    assert (
        finding(replace(conversation, turns=(replace(turn, user="?"),)), "language", {"language": "user"}).verdict
        is NOT_MEASURED
    )


def test_a_loose_reading_forgives_a_frame_around_the_text() -> None:
    """The first or last line and asterisks may be left out, and the finding says so."""
    reply = "Sure, here you are:\n*small letters only*"
    assert judged("case", {"case": "lower"}, reply) is FAILED
    found = grade_text(assertion("case", {"case": "lower", "normalise": ["first_line", "asterisks"]}), reply)
    assert (found.verdict, found.note) == (PASSED, "read loosely: first line, asterisks")
