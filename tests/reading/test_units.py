"""Loose readings of a reply."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalkit.reading.sentences import STEPS, readings


@given(st.text(alphabet="a*,\n ", max_size=20).filter(str.strip), st.sets(st.sampled_from(STEPS)))
def test_the_strict_reading_comes_first_and_none_is_empty(reply: str, steps: set[str]) -> None:
    """Reading loosely never takes the reply itself away, so it can only turn failures into passes."""
    found = readings(reply, sorted(steps))
    assert found[0] == reply
    assert all(text.strip() for text in found)
