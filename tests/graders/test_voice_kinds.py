"""Graders of brand voice: Vale's other kinds, its scopes, reading grades, and what must not be given away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evalkit.records import Transcript, TrialVerdict
from tests.graders.build import assertion, finding, grade_text, said, verdict

PASSED, FAILED, NOT_MEASURED = TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED


def marked(kind: str, params: dict[str, Any], reply: str) -> list[str]:
    found = grade_text(assertion(f"voice.{kind}", params), reply)
    return [reply[span.start : span.end] for span in found.spans]


@pytest.mark.parametrize(
    ("kind", "params", "reply", "expected"),
    [
        ("existence", {"raw": [r"\bvery "], "tokens": ["good", "big"]}, "very good, very red", ["very good"]),
        ("existence", {"raw": [" indeed"], "append": True, "tokens": ["good"]}, "good indeed, good", ["good indeed"]),
        ("existence", {"raw": ["ve", "ry"]}, "every", ["very"]),
        ("existence", {"tokens": ["bad"], "scope": "text"}, "`bad` and bad", ["bad"]),
        ("existence", {"tokens": ["^So"], "scope": "sentence"}, "Right. So it is. And So", ["So"]),
        ("substitution", {"swap": {"a": "x", "a b": "y"}}, "a b a", ["a b", "a"]),
        ("repetition", {"tokens": [r"[^\s]+"], "alpha": True}, "it is is what 1 1 it", ["is is"]),
        ("repetition", {"tokens": [r"[^\s.]+"]}, "use Redis. Redis is", []),
        ("repetition", {"tokens": [r"\w+"], "ignorecase": True, "max": 1}, "Go go go", ["go go"]),
        ("consistency", {"either": {"advis[eo]r": "adviser"}}, "advisor", []),
        ("consistency", {"either": {"advisor": "adviser"}}, "advisor adviser", ["advisor", "adviser"]),
        ("conditional", {"first": r"\b[A-Z]{3}\b", "second": r"\(([A-Z]{3})\)"}, "The ABC, a Big (BIG) one", ["ABC"]),
        ("conditional", {"first": "refund", "second": "days"}, "A refund in 5 days.", []),
        ("conditional", {"first": r"\b[A-Z]{3}\b", "second": r"\(x\)", "exceptions": ["FAQ"]}, "FAQ", []),
        (
            "capitalization",
            {"match": "$sentence", "scope": "heading"},
            "# Big Bad Title\n## Fine title",
            ["Big Bad Title"],
        ),
        (
            "capitalization",
            {"match": "$title", "scope": "heading"},
            "# The Price of a Lamp\n# the price",
            ["the price"],
        ),
        ("capitalization", {"match": "$sentence", "threshold": 0}, "Big Bad Title", []),
        ("capitalization", {"match": "$sentence", "threshold": 0}, "big Bad Title", ["big Bad Title"]),
        ("capitalization", {"match": "$sentence", "exceptions": ["bad"], "ignorecase": True}, "A BAd one", []),
        ("consistency", {"either": {"advisor": "adviser"}, "exceptions": ["adviser Inc"]}, "advisor adviser Inc", []),
        ("capitalization", {"match": "$lower", "scope": "heading"}, "# fine\n# Not", ["Not"]),
        ("capitalization", {"match": r"^\d", "scope": "list"}, "- 1 lamp\n- a lamp", ["a lamp"]),
        ("occurrence", {"token": ",", "max": 1, "scope": "sentence"}, "a, b. Well, c, d.", [",", ","]),
    ],
)
def test_kinds_mark_what_vale_would(kind: str, params: dict[str, Any], reply: str, expected: list[str]) -> None:
    """Each kind finds what breaks it and nothing else."""
    assert marked(kind, params, reply) == expected


def test_a_term_explained_once_is_known_for_the_conversation() -> None:
    """What the first reply introduces, the second may use; pairs are compared across replies too."""
    conversation = said("Ask the Big Bike Club (BBC).", "The BBC will write.")
    assert verdict(conversation, "voice.conditional", {"first": r"\bBBC\b", "second": r"\((BBC)\)"}) is PASSED
    mixed = said("Our advisor is there.", "The adviser left.")
    assert finding(mixed, "voice.consistency", {"either": {"advisor": "adviser"}}).turn == 2


def test_reading_grades_rise_with_words_and_sentences() -> None:
    """Short words in short sentences are easy; the finding shows the grade."""
    rule = {"metrics": ["Flesch-Kincaid", "SMOG"], "grade": 8, "message": "grade %s"}
    assert verdict(said("Your parcel left on Monday. It comes soon."), "voice.readability", rule) is PASSED
    hard = "Reimbursement eligibility necessitates comprehensive documentation regarding unsatisfactory merchandise."
    found = finding(said(hard), "voice.readability", rule)
    assert (found.verdict, found.note.startswith("grade ")) == (FAILED, True)
    assert verdict(said("12 34"), "voice.readability", rule) is NOT_MEASURED


def asked(reply: str, user: str = "Hello", system: str = "") -> Transcript:
    conversation = said(reply)
    return replace(conversation, turns=(replace(conversation.turns[0], user=user),), system_text=system)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("See https://tandle.example/r/1 or help.tandle.example.", []),
        ("See https://tandle.example.evil.test/x.", ["https://tandle.example.evil.test/x"]),
        ("[here](https://other.test) or shop.co.uk", ["https://other.test", "shop.co.uk"]),
        ("https://tandle.example@evil.test/", ["https://tandle.example@evil.test/"]),
        ("Node.js e.g. it works. ok", []),
    ],
)
def test_links_lead_to_allowed_hosts_only(reply: str, expected: list[str]) -> None:
    """Subdomains are fine, look-alikes are not."""
    assert marked("links", {"allow": ["tandle.example"]}, reply) == expected


def test_words_of_the_system_prompt_must_not_be_repeated_at_length() -> None:
    """A long run is a leak whatever its punctuation; a sentence that may be said is not."""
    system = "Never mention refunds to anyone who has not asked for one before, and be kind."
    reply = "I was told: never mention refunds to anyone, who has not asked for one before. OK?"
    found = finding(asked(reply, system=system), "voice.leak", {"words": 8})
    assert [reply[span.start : span.end] for span in found.spans] == [
        "never mention refunds to anyone, who has not asked for one before"
    ]
    assert verdict(asked("Never mention refunds.", system=system), "voice.leak", {"words": 8}) is PASSED
    allowed = {"words": 8, "exceptions": [reply]}
    assert verdict(asked(reply, system=system), "voice.leak", allowed) is PASSED


@pytest.mark.parametrize(
    ("reply", "user", "expected"),
    [
        ("Write to jane@mail.test.", "", FAILED),
        ("We wrote to jane@mail.test.", "I am Jane@mail.test", PASSED),
        ("Card 4111-1111-1111-1111", "my card is 4111 1111 1111 1111", FAILED),
        ("Number 4111-1111-1111-1112", "", PASSED),
        ("IBAN DE89 3704 0044 0532 0130 00", "", FAILED),
        ("Call +44 20 7946 0958.", "", FAILED),
        ("Call (555) 123-4567", "", FAILED),
        ("Order TN-20977 of 2026-11-22 costs 12.50, item 123456.", "", PASSED),
    ],
)
def test_personal_data_is_only_what_the_user_gave(reply: str, user: str, expected: TrialVerdict) -> None:
    """The user's own address may be repeated, a card number never; order numbers and dates are no phone numbers."""
    rule = {"kinds": ["mail", "phone", "card", "iban"]}
    assert verdict(asked(reply, user), "voice.personal_data", rule) is expected
