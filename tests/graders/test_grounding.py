"""The grader of grounded answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.reading.facts import facts_in
from evalkit.records import Finding, Transcript, TrialVerdict
from tests.graders.build import call, finding, said

PASSED, FAILED = TrialVerdict.PASSED, TrialVerdict.FAILED
ORDER = {
    "order_id": "TN-20977",
    "expected": "2026-11-24",
    "at": "14:30:00",
    "items": [{"name": "Lamp", "price": 64.0}, {"name": "Throw", "price": 1433.65}],
    "customer": {"first_name": "Ada", "last_name": "Byron"},
    "address": "Suite 641, 5-7 business days",
    "card": {"last_four": "4242"},
    "hours": "6 hours",
}
SYSTEM = "Today is 2026-11-22. Returns within 30 days."


def answered(reply: str, user: str = "Where is it?", record: Any = ORDER) -> Transcript:
    conversation = said(reply)
    looked_up = replace(call("look"), output=json.dumps(record))
    turn = replace(conversation.turns[0], user=user, tool_calls=(looked_up,))
    return replace(conversation, turns=(turn,), system_text=SYSTEM)


def judged(reply: str, **about: Any) -> Finding:
    return finding(answered(reply, **about), "grounded", {"grounded": True})


@pytest.mark.parametrize(
    "reply",
    [
        "Order #TN-20977 comes on 24 November.",
        "It comes on Nov 24th, 2026 at 2:30 pm.",
        "On 11/24/2026, or 24 of November 2026.",
        "The throw is $1,433.65, that is 1.433,65 or 1433.65 EUR.",
        "Both are $1,497.65 together: $64.00 and $1,433.65.",
        "The throw costs $1,369.65 more than the lamp at $64.",
        "About 1430 for the throw.",
        "Two items, 2 in all; 64.00 x 2 would be 128.00.",
        "It takes 5 to 7 business days, in Suite 641.",
        "It comes in 2 days, and you have 30 days.",
        "Your card ending in 4242 was used for it, as our Ada Byron said.",
        "1. First\n2. Second\n3. Third",
    ],
)
def test_what_a_source_states_is_grounded_in_any_format(reply: str) -> None:
    """Formats, sums, differences, multiples, rounding, and days counted from today are read."""
    found = judged(reply)
    assert found.verdict is PASSED, found.observed


@pytest.mark.parametrize(
    ("reply", "marked"),
    [
        ("Order TN-20978 is on its way.", ["TN-20978"]),
        ("It comes on 25 November 2026.", ["25 November 2026"]),
        ("It comes on 2025-11-24.", ["2025-11-24"]),
        ("It comes at 15:30.", ["15:30"]),
        ("The throw is $1,433.56.", ["1,433.56"]),
        ("It takes 4-7 business days.", ["4", "4-7"]),
        ("It lasts 9 hours.", ["9"]),
        ("Send it to Suite 642.", ["642"]),
        ("Your card ending in 4243 was used.", ["4243"]),
        ("It was packed by our Grace Hopper today.", ["Grace Hopper"]),
        ("1. First\n3. Third", ["3"]),
        ("Write to help@tandle.test.", ["help@tandle.test"]),
    ],
)
def test_what_no_source_states_is_marked(reply: str, marked: list[str]) -> None:
    """Each made-up fact has its span."""
    found = judged(reply)
    assert found.verdict is FAILED
    assert [reply[span.start : span.end] for span in found.spans] == marked


def test_what_the_user_said_is_a_source() -> None:
    """A number the customer gave may be repeated, and what they will say later may not."""
    assert judged("You have 17 of them.", user="I bought 17 lamps").verdict is PASSED
    assert judged("You have 17 of them.").verdict is FAILED


def test_only_some_kinds_may_be_asked_for() -> None:
    """A rule about identifiers is silent about amounts."""
    conversation = answered("Order TN-1 costs 99.")
    assert finding(conversation, "grounded", {"grounded": ["identifiers"]}).observed == 'identifier "TN-1"'


@given(st.text(alphabet="0123456789 -/.,:#aTNapm$", max_size=40))
def test_facts_lie_in_the_text(text: str) -> None:
    """Whatever is written, facts have a place and a meaning."""
    for fact in facts_in(text):
        assert 0 <= fact.start < fact.end <= len(text)
        assert fact.values


@given(st.integers(100, 10**6), st.integers(1, 12), st.integers(1, 28))
def test_an_answer_that_repeats_its_source_is_grounded(cents: int, month: int, day: int) -> None:
    """The amount and the day of a record may be said."""
    record = {"price": cents / 100, "on": f"2026-{month:02}-{day:02}"}
    reply = f"It costs {cents / 100:,.2f} and comes on {day}.{month}. or rather 2026-{month:02}-{day:02}"
    found = judged(reply.replace(f"{day}.{month}. or rather ", ""), record=record)
    assert found.verdict is PASSED, (found.observed, reply)
