"""Plain numbers of a list: mean, share, percentile. No data is None, never 0 and never NaN."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def mean(values: Iterable[float]) -> float | None:
    """Return the arithmetic mean, or None without values."""
    numbers = list(values)
    return math.fsum(numbers) / len(numbers) if numbers else None


def share(part: float, whole: float) -> float | None:
    """Return part / whole, or None when there is no whole."""
    return part / whole if whole else None


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Return the nearest-rank percentile: the smallest observed value that at least `percent` % do not exceed.

    Nearest rank, not interpolation: the answer is always something that happened. None without values.
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"percent: {percent!r} is out of range; expected 0 to 100")
    ordered = sorted(values)
    if not ordered:
        return None
    rank = math.ceil(percent / 100 * len(ordered))
    return ordered[max(rank, 1) - 1]


def thin_out(values: Iterable[float], at_most: int) -> tuple[float, ...]:
    """Return the values in order, reduced to `at_most` evenly spaced ones, the smallest and largest among them."""
    ordered: Sequence[float] = sorted(values)
    if len(ordered) <= at_most:
        return tuple(ordered)
    last = len(ordered) - 1
    return tuple(ordered[round(i * last / (at_most - 1))] for i in range(at_most))
