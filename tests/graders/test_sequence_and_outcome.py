"""Graders of when tools are called and of what a conversation changed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from evalkit.records import ToolCall, Transcript, TrialVerdict
from tests.graders.build import broken_off, call, called, finding, verdict

PASSED, FAILED, NOT_MEASURED = TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED


def failed(name: str, arguments: dict[str, Any] | None = None) -> ToolCall:
    return replace(call(name, arguments), is_error=True, output="no such order")


def answered(name: str, arguments: dict[str, Any], record: Any) -> ToolCall:
    return replace(call(name, arguments), output=json.dumps(record))


def users(transcript: Transcript, *texts: str) -> Transcript:
    turns = tuple(replace(turn, user=text) for turn, text in zip(transcript.turns, texts, strict=True))
    return replace(transcript, turns=turns)


def test_times_counts_one_tool() -> None:
    """Other tools' calls do not count, and the first call too many names the turn."""
    conversation = called((call("book"), call("look")), (call("book"),))
    assert verdict(conversation, "tools.times", {"times": {"book": 2}}) is PASSED
    assert finding(conversation, "tools.times", {"times": {"book": {"max": 1}}}).turn == 2
    assert verdict(conversation, "tools.times", {"times": {"book": {"min": 3}}}) is FAILED
    assert verdict(conversation, "tools.min_calls", {"min_calls": 4}) is FAILED


def test_a_call_may_need_another_before_it_that_worked() -> None:
    """A lookup that failed is no lookup; one in an earlier turn counts."""
    asked = {"after": {"book": "look"}}
    assert verdict(called((call("look"),), (call("book"),)), "tools.after", asked, turn=2) is PASSED
    assert verdict(called((failed("look"), call("book"))), "tools.after", asked) is FAILED
    assert verdict(called((call("book"), call("look"))), "tools.after", asked) is FAILED
    assert (
        verdict(called((call("look"), call("book"), call("look"))), "tools.before", {"before": {"look": "book"}})
        is FAILED
    )
    assert verdict(called((call("look"), call("book"))), "tools.before", {"before": {"look": "book"}}) is PASSED


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Yes, please go ahead.", PASSED),
        ("No, wait. I said yes to something else", FAILED),
        ("What would it cost?", FAILED),
        ("Sure thing", PASSED),
    ],
)
def test_an_action_may_need_the_users_consent(said: str, expected: TrialVerdict) -> None:
    """A user who agrees after a reply has consented; one who asks back or refuses has not."""
    conversation = users(called((), (call("book"),)), "Book it", said)
    assert verdict(conversation, "tools.after", {"after": {"book": ["consent"]}}) is expected


def test_a_wish_in_the_first_message_is_no_consent() -> None:
    """Consent answers something; before the first reply there is nothing to agree to."""
    conversation = users(called((call("book"),)), "Yes, book it")
    assert verdict(conversation, "tools.after", {"after": {"book": ["consent"]}}) is FAILED


def test_an_error_must_be_followed_by_a_sound_retry_or_a_hand_over() -> None:
    """The same failing call a third time is no retry, another argument is."""
    asked = {"recovers": {"hand_over": ["transfer"]}}
    assert verdict(called((failed("look"), call("look"))), "tools.recovers", asked) is PASSED
    assert verdict(called((failed("look"), call("transfer"))), "tools.recovers", asked) is PASSED
    assert verdict(called((failed("look"), call("book"))), "tools.recovers", asked) is FAILED
    again = (failed("look"), failed("look"), failed("look"), call("look"))
    assert finding(called(again), "tools.recovers", asked).observed == "look failed again"
    assert verdict(broken_off(called((failed("look"),))), "tools.recovers", asked) is NOT_MEASURED


def test_a_call_that_tells_nothing_new_is_redundant() -> None:
    """Same arguments and same result; another result is news."""
    assert verdict(called((call("look"), call("look"))), "tools.max_redundant", {"max_redundant": 0}) is FAILED
    news = replace(call("look"), output="shipped")
    assert verdict(called((call("look"), news)), "tools.max_redundant", {"max_redundant": 0}) is PASSED


def writes(*entries: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"write_tools": ["cancel", "bags"], "writes": [{name: given} for name, given in entries]}


def test_exactly_the_expected_changes_were_made() -> None:
    """In any order, with all arguments, and nothing beyond them; failed calls and reads do not count."""
    conversation = called((call("look"), call("cancel", {"ids": ["a", "b"]}), failed("cancel", {"ids": []})))
    assert verdict(conversation, "outcome.writes", writes(("cancel", {"ids": ["b", "a"]}))) is PASSED
    assert verdict(conversation, "outcome.writes", writes()) is FAILED
    assert verdict(conversation, "outcome.writes", writes(("cancel", {}))) is FAILED
    missed = finding(conversation, "outcome.writes", writes(("cancel", {"ids": ["b", "a"]}), ("bags", {"n": 1})))
    assert (missed.verdict, missed.note) == (FAILED, 'not done: bags {"n": 1}')


def test_a_change_that_changes_nothing_does_not_count() -> None:
    """A tool that returns the record as it was has not written."""
    record = {"order_id": "W1", "bags": 2}
    same = called((answered("look", {}, record), answered("bags", {"order_id": "W1", "bags": 2}, record)))
    assert verdict(same, "outcome.writes", writes()) is PASSED
    other = called(
        (answered("look", {}, record), answered("bags", {"order_id": "W1", "bags": 3}, record | {"bags": 3}))
    )
    assert verdict(other, "outcome.writes", writes()) is FAILED


def test_the_state_is_what_tools_returned_last() -> None:
    """Two ways to one state are the same; a record that was changed unasked is not."""
    first = answered("bags", {"order_id": "W1"}, {"order_id": "W1", "bags": 5})
    last = answered("bags", {"order_id": "W1"}, {"order_id": "W1", "bags": 3})
    wanted = {"write_tools": ["bags"], "state": [{"order_id": "W1", "bags": 3}]}
    assert verdict(called((first, last)), "outcome.state", wanted) is PASSED
    assert verdict(called((last, first)), "outcome.state", wanted) is FAILED
    other = answered("bags", {"order_id": "W2"}, {"order_id": "W2", "bags": 1})
    assert finding(called((last, other)), "outcome.state", wanted).observed.startswith(
        "order_id W2 was changed by bags"
    )
    assert verdict(called((call("look"),)), "outcome.state", wanted) is FAILED
    assert (
        verdict(called((last,)), "outcome.state", {**wanted, "state": [{"order_id": "W1"}], "match": "subset"})
        is PASSED
    )


def test_a_record_without_its_id_is_told_by_the_call() -> None:
    """The id comes from the input then, and the expected record names it all the same."""
    done = answered("bags", {"user_id": "u1"}, {"city": "Leeds"})
    wanted = {"write_tools": ["bags"], "state": [{"user_id": "u1", "city": "Leeds"}], "ids": ["order_id", "user_id"]}
    assert verdict(called((done,)), "outcome.state", wanted) is PASSED


def test_a_conversation_ends_by_word_or_by_tool() -> None:
    """The last user message has the mark, or a closing tool was called."""
    asked = {"closed_by": {"user_says": "bye", "calls": ["transfer"]}}
    assert verdict(users(called((), ()), "hi", "Thanks, BYE!"), "outcome.closed_by", asked) is PASSED
    assert verdict(called((call("transfer"),)), "outcome.closed_by", asked) is PASSED
    assert verdict(users(called((), ()), "bye", "wait"), "outcome.closed_by", asked) is FAILED
    assert verdict(broken_off(called(())), "outcome.closed_by", asked) is NOT_MEASURED
