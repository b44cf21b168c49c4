"""Graders of tool use, and the matching below them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.graders.matching import CHOICE_KEYS, ExpectedCall, aligned, matches_value, unmet_entry
from evalkit.records import ToolCall, Transcript, TrialVerdict, Turn
from tests.graders.build import broken_off, call, called, finding, request, verdict

PASSED, FAILED, NOT_MEASURED = TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED

names = st.sampled_from(["look", "book"])
plain_text = st.text(max_size=5).filter(lambda text: not text.startswith("/"))
keys = plain_text.filter(lambda text: text not in CHOICE_KEYS)
scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | plain_text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
arguments = st.dictionaries(keys, values, max_size=3)
small_calls = st.builds(call, names, st.fixed_dictionaries({"n": st.integers(0, 1)}))


def wants(*entries: Any, order: str = "relative") -> dict[str, Any]:
    calls = [entry if isinstance(entry, str) else {entry[0]: entry[1]} for entry in entries]
    return {"calls": calls, "order": order}


@pytest.mark.parametrize(
    ("expected", "actual", "matched"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ({"a": 1}, {"b": 1}, False),
        ({"a": None}, {}, False),
        ({"a": None}, {"a": None}, True),
        ([1, 2], [1, 2, 3], False),
        ([1, 2], [2, 1], False),
        ([{"a": 1}], [{"a": 1, "b": 2}], True),
        (1, 1.0, True),
        (1.5, 1, False),
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        ("1", 1, False),
        (1, "1", False),
        ("TN-1", "tn-1", False),
        (r"/TN-\d+/", "order TN-20418", True),
        (r"/^TN-\d+$/", "order TN-20418", False),
        (r"/\d+/", 20418, False),
        ("/", "/", True),
        ("//", "//", True),
        ({}, [], False),
    ],
)
def test_arguments_match_as_a_subset_with_strict_types(expected: Any, actual: Any, matched: bool) -> None:
    """Objects may hold more, arrays may not; numbers compare by value, true is no number; /…/ is a pattern."""
    assert matches_value(expected, actual) is matched


@given(values)
def test_every_value_matches_itself(value: Any) -> None:
    """Subset matching is reflexive (strings that look like patterns aside)."""
    assert matches_value(value, value)


@given(arguments, arguments)
def test_more_keys_never_break_a_match(expected: dict[str, Any], extra: dict[str, Any]) -> None:
    """What is not asked for does not matter."""
    assert matches_value(expected, {**extra, **expected})


@given(values, values)
def test_an_aligned_difference_is_empty_exactly_when_the_values_match(expected: Any, actual: Any) -> None:
    """Only real mismatches are left to show."""
    left, right = aligned(expected, actual)
    assert (left == right and matches_value(left, right)) is matches_value(expected, actual)


@given(st.lists(small_calls, max_size=4), st.lists(small_calls, max_size=4))
def test_exact_order_implies_relative_order_implies_any_order(wanted: list[ToolCall], made: list[ToolCall]) -> None:
    """Each looser order accepts all that the stricter one does."""
    entries = [ExpectedCall(name=entry.name, input=dict(entry.input)) for entry in wanted]
    met = {order: unmet_entry(entries, made, order) is None for order in ("exact", "relative", "any")}  # type: ignore[arg-type]
    assert met["exact"] <= met["relative"] <= met["any"]
    assert met["exact"] is ([(one.name, one.input) for one in wanted] == [(one.name, one.input) for one in made])


def test_any_order_gives_each_entry_a_call_of_its_own() -> None:
    """A loose entry does not take the only call that a strict entry could have."""
    params = wants("look", ("look", {"n": 1}), order="any")
    assert verdict(called((call("look", {"n": 1}), call("look", {"n": 2}))), "tools.calls", params) is PASSED
    assert verdict(called((call("look", {"n": 1}),)), "tools.calls", params) is FAILED


def test_calls_may_have_others_between_in_relative_order() -> None:
    """Relative order skips calls that were not asked for; exact order names them."""
    transcript = called((call("look"), call("weigh"), call("book")))
    assert verdict(transcript, "tools.calls", wants("look", "book")) is PASSED
    assert verdict(transcript, "tools.calls", wants("book", "look")) is FAILED
    found = finding(transcript, "tools.calls", wants("look", "weigh", order="exact"))
    assert (found.verdict, found.note) == (FAILED, "not expected: book")


def test_calls_of_all_turns_count_when_no_turn_is_named() -> None:
    """Without a turn the conversation's calls are one list; with one, only that turn's."""
    transcript = called((call("look"),), (call("book"),))
    assert verdict(transcript, "tools.calls", wants("look", "book", order="exact")) is PASSED
    assert verdict(transcript, "tools.calls", wants("book", order="exact"), turn=2) is PASSED
    assert verdict(transcript, "tools.calls", wants("book"), turn=1) is FAILED


def test_a_missed_call_shows_the_nearest_one_and_the_difference() -> None:
    """The note names the entry, the call that came closest, and only what differs in it."""
    wanted = ("look", {"id": "TN-1", "deep": {"size": "M", "n": 1}})
    near = call("look", {"id": "TN-1", "deep": {"size": "L", "n": 1}, "extra": True})
    found = finding(called((call("look", {"id": "TN-9"}),), (near,)), "tools.calls", wants(wanted))
    assert found.turn == 2
    assert found.note.startswith("entry 1 was not met: look ")
    assert 'nearest call: look {"id": "TN-1", "deep": {"size": "L"' in found.note
    assert found.note.endswith("""Value of root['deep']['size'] changed from "M" to "L".""")


def test_a_call_in_the_wrong_place_says_so() -> None:
    """When the arguments agree, it is the order that was missed."""
    found = finding(called((call("book"), call("look"))), "tools.calls", wants("look", "book"))
    assert found.note.endswith("it was made, but not where this order asks for it")


def test_a_call_that_was_not_made_is_named() -> None:
    """Without any call of that tool there is nothing near."""
    found = finding(called((call("look"),)), "tools.calls", wants("book"))
    assert (found.observed, found.note) == ("look", "entry 1 was not met: book; book was not called")


def test_no_tool_and_never_this_tool() -> None:
    """Forbidden calls are found with their turn, others are let be; arguments narrow what is forbidden."""
    transcript = called((), (call("book", {"n": 1}),))
    assert finding(transcript, "tools.none", {}).turn == 2
    assert verdict(transcript, "tools.none", {}, turn=1) is PASSED
    assert verdict(transcript, "tools.never", {"never": ["look"]}) is PASSED
    assert finding(transcript, "tools.never", {"never": ["book"]}).observed == 'book {"n": 1}'
    assert verdict(transcript, "tools.never", {"never": [{"book": {"n": 2}}]}) is PASSED


def test_max_calls_names_the_turn_that_went_beyond() -> None:
    """The limit is inclusive."""
    transcript = called((call("look"), call("look")), (call("look"),))
    assert verdict(transcript, "tools.max_calls", {"max_calls": 3}) is PASSED
    found = finding(transcript, "tools.max_calls", {"max_calls": 2})
    assert (found.verdict, found.turn, found.observed) == (FAILED, 2, "3 calls")


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        ("tools.none", {}, FAILED),
        ("tools.never", {"never": ["look"]}, FAILED),
        ("tools.never", {"never": ["book"]}, NOT_MEASURED),
        ("tools.max_calls", {"max_calls": 0}, FAILED),
        ("tools.max_calls", {"max_calls": 1}, NOT_MEASURED),
        ("tools.calls", wants("look"), PASSED),
        ("tools.calls", wants("book"), NOT_MEASURED),
        ("tools.calls", wants("look", order="exact"), NOT_MEASURED),
    ],
)
def test_a_broken_off_conversation_is_judged_by_its_complete_turns(
    kind: str, params: dict[str, Any], expected: TrialVerdict
) -> None:
    """What is proven stays proven; what is missing is never held against the prompt."""
    assert verdict(broken_off(called((call("look"),))), kind, params) is expected


def test_a_conversation_that_stops_at_a_tool_result_has_no_reply_there() -> None:
    """A hand-over ends a recording: its calls are judged, its missing words are not."""
    end = Turn(1, "help", (request(1, 1, None, stop_reason="tool_use"),), (call("hand_over"),))
    transcript = Transcript("s", "p", (end,))
    assert verdict(transcript, "tools.calls", wants("hand_over")) is PASSED
    found = finding(transcript, "never_says", {"never_says": ["x"]})
    assert (found.verdict, found.note) == (NOT_MEASURED, "turn 1 ends with a tool result, before a reply")


def test_a_turn_that_was_cut_while_calling_tools_is_an_empty_reply() -> None:
    """When the last calls were never run, the model would not stop: the user got nothing."""
    end = Turn(1, "help", (request(1, 1, None, stop_reason="tool_use"),))
    assert verdict(Transcript("s", "p", (end,)), "never_says", {"never_says": ["x"]}) is FAILED


def test_a_closing_message_without_reply_is_no_turn_to_judge() -> None:
    """A recording may end with the user's goodbye; only a question about that very turn has no answer."""
    transcript = called((call("look"),))
    closed = Transcript("s", "p", (*transcript.turns, Turn(2, "thanks, bye")))
    assert verdict(closed, "never_says", {"never_says": ["refund"]}) is PASSED
    assert finding(closed, "tools.none", {}, turn=2).note == "turn 2 has no reply"


def test_a_pattern_in_arguments_that_takes_too_long_is_not_measured() -> None:
    """A tool argument can't hang the grader either."""
    transcript = called((call("look", {"id": "a" * 60 + "b"}),))
    assert verdict(transcript, "tools.calls", wants(("look", {"id": "/(?:a|a|aa)+$/"}))) is NOT_MEASURED
