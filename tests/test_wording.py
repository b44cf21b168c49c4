"""Numbers and lists as text: one table of value and words each, so that every report says the same."""

from __future__ import annotations

import pytest

from evalkit.wording import (
    chance,
    duration,
    first_of,
    listed,
    percent,
    percent_change,
    plural,
    points,
    size,
    usd,
)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (0.00004, "<$0.0001"),
        (0.0012, "$0.0012"),
        (0.012, "$0.012"),
        (0.09, "$0.09"),
        (0.144, "$0.14"),
        (1234.5, "$1,234.50"),
    ],
)
def test_dollars(amount: float | None, words: str) -> None:
    """Small amounts keep their digits, and an unknown one is never zero."""
    assert usd(amount) == words


@pytest.mark.parametrize(
    ("share", "words"), [(None, "–"), (0, "0 %"), (0.004, "<1 %"), (0.856, "86 %"), (0.996, "99 %"), (1, "100 %")]
)
def test_percent(share: float | None, words: str) -> None:
    """What is nearly all is not said to be all."""
    assert percent(share) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(None, "–"), (412, "0.41 s"), (9994, "9.99 s"), (9996, "10.0 s"), (48_200, "48.2 s"), (200_000, "3 min 20 s")],
)
def test_duration(milliseconds: float | None, words: str) -> None:
    """Times are seconds, then minutes."""
    assert duration(milliseconds) == words


def test_counts() -> None:
    """Nouns agree with their counts."""
    assert (plural(1, "case"), plural(2000, "case"), plural(2, "retry", "retries")) == (
        "1 case",
        "2,000 cases",
        "2 retries",
    )
    assert (size(999), size(102_400)) == ("999 characters", "102 KB")


@pytest.mark.parametrize(
    ("share", "words"), [(0.03, "+3.0"), (-0.071, "−7.1"), (0, "0.0"), (-0.0004, "0.0"), (0.0004, "0.0")]
)
def test_points(share: float, words: str) -> None:
    """A difference of shares has its sign, and nothing has none: there is no minus zero."""
    assert points(share) == words


@pytest.mark.parametrize(("ratio", "words"), [(1.12, "+12 %"), (0.9, "−10 %"), (1, "0 %"), (0.999, "0 %")])
def test_percent_change(ratio: float, words: str) -> None:
    """A ratio reads as what was added or saved."""
    assert percent_change(ratio) == words


def test_chance() -> None:
    """Small chances keep two digits that count."""
    assert [chance(p) for p in (0.2, 0.0123, 0.0045, 0.0001)] == ["0.20", "0.01", "0.004", "<0.001"]


def test_lists() -> None:
    """The last of a list has its word, and what is left out is counted."""
    assert [listed(texts) for texts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert listed(["a", "b"], "or") == "a or b"
    assert [first_of("abc", 3), first_of("abcd", 2)] == ["a, b, c", "a, b and 2 more"]
