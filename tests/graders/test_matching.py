"""What may stand in an argument's place, and how strictly values are compared."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.graders.matching import SAME, SUBSET, Match, aligned, matches_value

EXACT = Match(arguments="exact")
LOOSE = Match(strings="loose")
STRICT = Match(types="strict")
leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b c", ""])
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner)
)


@pytest.mark.parametrize(
    ("expected", "actual", "how", "fits"),
    [
        ({"one_of": [1, "a"]}, "a", SUBSET, True),
        ({"one_of": [1, "a"]}, True, SUBSET, False),
        ({"min": 1, "max": 3}, 3, SUBSET, True),
        ({"min": 1, "max": 3}, 3.5, SUBSET, False),
        ({"min": 0}, True, SUBSET, False),
        ({"value": {"min": 1}}, {"min": 1}, SUBSET, True),
        ({"min": 1}, {"min": 1}, SUBSET, False),
        ({"a": {"value": 1, "optional": True}}, {}, SUBSET, True),
        ({"a": {"value": 1, "optional": True}}, {"a": 2}, SUBSET, False),
        ({"a": {"optional": True}}, {"a": 2}, EXACT, True),
        ({"a": {"absent": True}}, {"a": 2}, SUBSET, False),
        ({"a": {"absent": True}}, {}, EXACT, True),
        ({"a": 1}, {"a": 1, "b": 2}, SUBSET, True),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, EXACT, False),
        ("Jean-Luc's", 'jeanluc"s', LOOSE, True),
        ("a", "b", LOOSE, False),
        (1, 1.0, SUBSET, True),
        (1, 1.0, STRICT, False),
        (1.0, 1, STRICT, True),
        (1.0, True, STRICT, False),
        ([1, 2], [2, 1], SUBSET, False),
        ([1, {"one_of": [1, 2]}], [2, 1], SAME, True),
        ([1, 1], [1, 2], SAME, False),
    ],
)
def test_values_fit_as_they_are_asked_for(expected: Any, actual: Any, how: Match, fits: bool) -> None:
    """Choices, ranges, optional and forbidden arguments; exact, loose and strict comparison; lists in any order."""
    assert matches_value(expected, actual, how) is fits


@given(values, st.sampled_from([SUBSET, EXACT, LOOSE, STRICT, SAME]))
def test_every_value_matches_itself(value: Any, how: Match) -> None:
    """However strictly values are compared, one is like itself."""
    assert matches_value(value, value, how)


@given(values, values, st.sampled_from([SUBSET, EXACT, SAME]))
def test_a_difference_is_shown_just_when_there_is_one(expected: Any, actual: Any, how: Match) -> None:
    """Aligned values are equal when the match holds and differ when it does not."""
    left, right = aligned(expected, actual, how)
    same = type(left) is type(right) and left == right
    assert same or not matches_value(expected, actual, how)
