"""Several p values at once: Holm (no wrong claim at all) and Benjamini-Hochberg (few wrong among the claims)."""

from __future__ import annotations

from collections.abc import Sequence


def holm(values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p values, in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, highest = [1.0] * len(values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = highest
    return adjusted


def benjamini_hochberg(values: Sequence[float]) -> list[float]:
    """Return Benjamini-Hochberg's q values, in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, lowest = [1.0] * len(values), 1.0
    for rank, index in reversed(list(enumerate(order, 1))):
        lowest = min(lowest, len(values) / rank * values[index])
        adjusted[index] = lowest
    return adjusted
