"""Graders of what a reply says."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.graders.registry import BY_KIND
from evalkit.records import TrialVerdict
from tests.graders.build import assertion, broken_off, finding, grade, grade_text, pattern, said, verdict
from tests.graders.test_grading_is_pure import PARAMS

PASSED, FAILED, NOT_MEASURED = TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED
SLOW = r"(?:a|a|aa)+$"
SLOW_TEXT = "a" * 60 + "b"
prose = st.text(alphabet="aAbBeéÉßñ 'x-’\n.", min_size=1, max_size=30).filter(lambda text: text.strip() != "")


def test_says_finds_text_in_any_turn_when_no_turn_is_named() -> None:
    """A text said in the second turn is enough for an expectation about the whole conversation."""
    transcript = said("Hello.", "You have 30 days.")
    found = finding(transcript, "says", {"says": ["30 DAYS"]})
    assert (found.verdict, found.turn) == (PASSED, 2)
    assert [transcript.turns[1].reply[span.start : span.end] for span in found.spans] == ["30 days"]


def test_says_looks_only_at_the_named_turn() -> None:
    """What turn 2 says does not help an expectation about turn 1."""
    assert verdict(said("Hello.", "You have 30 days."), "says", {"says": ["30 days"]}, turn=1) is FAILED


def test_says_takes_a_regular_expression() -> None:
    """A pattern is searched ignoring case."""
    assert verdict(said("It will ARRIVE soon"), "says", {"says": [pattern(r"arriv(es?|ing)\b")]}) is PASSED


def test_says_takes_dots_in_plain_text_literally() -> None:
    """Plain text is no pattern: a full stop stands for itself."""
    assert verdict(said("costs 1x50"), "says", {"says": ["1.50"]}) is FAILED


@pytest.mark.parametrize(
    ("wanted", "reply"),
    [
        ("you'll get it", "You’ll get it"),
        ('say "yes"', "say “yes”"),
        ("2-3 days", "2–3 days"),
        ("30 days", "30\u00a0days"),
        ("on its way", "on\n  its way"),
        ("café", "cafe\u0301"),
        ("Straße", "STRASSE"),
    ],
)
def test_plain_text_is_read_as_a_person_reads_it(wanted: str, reply: str) -> None:
    """Quotes, hyphens, white space, accents and case make no difference in plain text."""
    assert verdict(said(reply), "says", {"says": [wanted]}) is PASSED


@given(before=prose, wanted=prose, after=prose)
def test_text_is_found_wherever_it_stands_and_however_it_is_spelled(before: str, wanted: str, after: str) -> None:
    """A reply that contains the text is found to say it, in capitals and in either normal form, with spans in it."""
    for form in ("NFC", "NFD"):
        reply = unicodedata.normalize(form, f"{before} {wanted.upper()} {after}")
        found = grade_text(assertion("says", {"says": [wanted]}), reply)
        assert found.verdict is PASSED
        assert all(0 <= span.start < span.end <= len(reply) for span in found.spans)


def test_says_any_passes_by_one_and_names_all_when_none_is_there() -> None:
    """One of the texts is enough; a failure lists what was looked for."""
    texts = {"says_any": ["tomorrow", pattern("nov(ember)?")]}
    assert verdict(said("In November."), "says_any", texts) is PASSED
    failed = finding(said("Soon."), "says_any", texts)
    assert (failed.verdict, failed.expected) == (FAILED, 'one of "tomorrow", /nov(ember)?/')


def test_never_says_marks_every_place() -> None:
    """Each forbidden match is marked in its own turn, and the first turn is named."""
    transcript = said("Fine.", "It is on its way. Really: ON ITS WAY.", "on its way")
    found = finding(transcript, "never_says", {"never_says": ["on its way"]})
    assert (found.verdict, found.turn) == (FAILED, 2)
    assert [(span.turn, span.start) for span in found.spans] == [(2, 6), (2, 26), (3, 0)]
    assert found.observed == 'turn 2: "on its way", "ON ITS WAY"; turn 3: "on its way"'


def test_words_are_runs_of_word_characters() -> None:
    """An apostrophe or a hyphen separates words; the words beyond the limit are marked."""
    reply = "Don't worry: well-known."
    assert verdict(said(reply), "max_words", {"max_words": 5}) is PASSED
    found = finding(said(reply), "max_words", {"max_words": 4})
    assert (found.observed, found.expected) == ("5 words", "at most 4 words")
    assert reply[found.spans[0].start : found.spans[0].end] == "known"


def test_max_words_holds_for_each_reply() -> None:
    """Two short replies do not add up to a long one."""
    assert verdict(said("one two", "three four"), "max_words", {"max_words": 2}) is PASSED
    assert finding(said("one two", "three four five"), "max_words", {"max_words": 2}).turn == 2


@pytest.mark.parametrize(
    "kind", sorted(kind for kind in BY_KIND if kind.startswith(("says", "never", "max_w", "voice")))
)
@pytest.mark.parametrize("reply", ["", " \n"])
def test_an_empty_reply_breaks_every_rule_about_text(kind: str, reply: str) -> None:
    """The user saw nothing, so even a rule that only forbids is broken."""
    assert grade_text(assertion(kind, PARAMS[kind]), reply).verdict is FAILED


def test_an_empty_reply_of_a_complete_turn_is_a_failure() -> None:
    """A turn that ended without a word is judged, not skipped."""
    found = finding(said("Fine.", ""), "never_says", {"never_says": ["refund"]})
    assert (found.verdict, found.turn, found.observed) == (FAILED, 2, "an empty reply")


def test_a_turn_that_was_never_reached_is_not_measured() -> None:
    """An expectation on turn 3 of a two-turn conversation has no answer."""
    found = finding(said("a", "b"), "never_says", {"never_says": ["x"]}, turn=3)
    assert (found.verdict, found.note) == (NOT_MEASURED, "turn 3 was never reached")


def test_a_broken_off_conversation_proves_failures_but_no_passes() -> None:
    """A complete turn's violation stays proven; what the missing turn might have said is not measured."""
    transcript = broken_off(said("It is on its way."))
    assert verdict(transcript, "never_says", {"never_says": ["on its way"]}) is FAILED
    assert verdict(transcript, "never_says", {"never_says": ["refund"]}) is NOT_MEASURED
    assert verdict(transcript, "says", {"says": ["30 days"]}) is NOT_MEASURED
    assert verdict(transcript, "says", {"says": ["on its way"]}) is PASSED


@pytest.mark.parametrize("kind", ["says", "never_says"])
def test_a_pattern_that_takes_too_long_is_not_measured(kind: str) -> None:
    """A pattern that explodes is given up and named, and counts neither as passed nor as failed."""
    found = finding(said(SLOW_TEXT), kind, {kind: [pattern(SLOW)]})
    assert found.verdict is NOT_MEASURED
    assert SLOW in found.note


def test_a_slow_pattern_does_not_hide_a_proven_failure() -> None:
    """What one turn proves stands, though another turn could not be decided."""
    assert verdict(said(SLOW_TEXT, "aaa"), "never_says", {"never_says": [pattern(SLOW)]}) is FAILED


def test_a_pattern_that_is_none_is_not_measured() -> None:
    """A stored assertion with a broken pattern is never a pass."""
    assert verdict(said("x"), "never_says", {"never_says": [pattern("(")]}) is NOT_MEASURED


def test_an_unknown_kind_is_an_error_that_lists_the_known_ones() -> None:
    """A kind without a grader is a mistake of the program or of a newer suite, not a finding."""
    with pytest.raises(
        EvalkitError, match=r"suites/a.yaml:3:5: there is no grader for 'smells'; expected one of .*says"
    ):
        grade(said("x"), assertion("smells", {}))
    with pytest.raises(EvalkitError, match=r"suites/a.yaml:3:5: 'says' was recorded by another version of evalkit"):
        grade(said("x"), assertion("says", {"text": "x"}))
