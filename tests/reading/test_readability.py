"""Counts of a text and formulas over them."""

from __future__ import annotations

import pytest

from evalkit.reading.readability import counts, evaluate, formula_fault, syllables


@pytest.mark.parametrize(
    ("word", "expected"), [("the", 1), ("table", 2), ("making", 2), ("asked", 1), ("wanted", 2), ("information", 4)]
)
def test_syllables_are_estimated_by_rule(word: str, expected: int) -> None:
    """Runs of vowels, without a silent ending."""
    assert syllables(word) == expected


def test_a_metric_computes_its_formula_over_prose() -> None:
    """Counts leave code out; arithmetic is all a formula can do."""
    assert counts("One two.\n```\nno no no\n```")["words"] == 2
    assert evaluate("(words + 1) / math.sqrt(4) - -1", {"words": 3}) == 3.0
    assert evaluate("words / sentences", {"words": 1, "sentences": 0}) is None
    for formula in ("__import__('os')", "words ** 9", "words.real", "[words]", "lambda: 1", "1 if words else 2"):
        assert formula_fault(formula)
