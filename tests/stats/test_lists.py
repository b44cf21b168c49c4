"""The formulas: laws, known values, and None where there is nothing to say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats import mean, percentile, share, thin_out, wilson_interval

FLOATS = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("passed", "n", "low", "high"), [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433)]
)
def test_wilson_known_values(passed: int, n: int, low: float, high: float) -> None:
    """The interval agrees with values worked out by hand from the formula."""
    assert wilson_interval(passed, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate(counts: tuple[int, int]) -> None:
    """The interval lies in 0 to 1, holds the observed rate, and mirrors when passes and failures swap."""
    passed, n = counts
    interval, mirrored = wilson_interval(passed, n), wilson_interval(n - passed, n)
    assert interval is not None
    assert mirrored is not None
    assert 0 <= interval[0] <= passed / n + 1e-12
    assert passed / n - 1e-12 <= interval[1] <= 1
    assert interval == pytest.approx((1 - mirrored[1], 1 - mirrored[0]))


def test_wilson_refuses_impossible_counts() -> None:
    """More passes than trials are an error, no trials are None."""
    with pytest.raises(ValueError, match="impossible"):
        wilson_interval(3, 2)
    assert wilson_interval(0, 0) is None


@given(st.lists(FLOATS, min_size=1), st.floats(0, 100))
def test_percentile_is_a_value_that_happened(values: list[float], percent: float) -> None:
    """A percentile is one of the values, and at least that share of them does not exceed it."""
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values) - 1e-9


@given(st.lists(FLOATS, min_size=1))
def test_percentile_ends(values: list[float]) -> None:
    """The 0th percentile is the smallest value, the 100th the largest, and the order of the values is nothing to it."""
    assert percentile(values, 0) == min(values)
    assert percentile(values, 100) == max(values)
    assert percentile(values[::-1], 50) == percentile(values, 50)


def test_no_data_is_none() -> None:
    """Without values there is no number, not a zero."""
    assert (percentile([], 50), mean([]), share(0, 0)) == (None, None, None)


def test_mean_and_share() -> None:
    """Mean and share are the plain ones."""
    assert (mean([1, 2, 6]), share(1, 4)) == (3, 0.25)


@given(st.lists(FLOATS, min_size=3, max_size=300), st.integers(2, 50))
def test_thinning_keeps_order_and_ends(values: list[float], at_most: int) -> None:
    """Thinned values are some of the values in rising order, with the smallest and the largest."""
    kept = thin_out(values, at_most)
    assert list(kept) == sorted(kept)
    assert set(kept) <= set(values)
    assert len(kept) == min(len(values), at_most)
    assert (kept[0], kept[-1]) == (min(values), max(values))
