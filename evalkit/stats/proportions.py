"""Shares, percentiles and rates: plain numbers of a list, intervals of a rate, what clean trials prove.

Knows one pair of counts at a time; the comparison of two is in `exact.py`. No data is None, never 0 and never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from scipy.special import betaincinv

Z_95 = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


def wilson_interval(passed: float, n: float, z: float = Z_95) -> tuple[float, float] | None:
    """Return the Wilson score interval of a proportion, or None when n is 0.

    `passed` may be fractional: the share of passes times the number of independent units.
    """
    _refuse_impossible(passed, n)
    if n == 0:
        return None
    rate = passed / n
    centre = rate + z * z / (2 * n)
    reach = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def exact_interval(passed: int, n: int, level: float = 0.95) -> tuple[float, float] | None:
    """Return the Clopper-Pearson interval of a proportion at a two-sided level, or None when n is 0."""
    _refuse_impossible(passed, n)
    if n == 0:
        return None
    tail = (1 - level) / 2
    low = float(betaincinv(passed, n - passed + 1, tail)) if passed else 0.0
    high = float(betaincinv(passed + 1, n - passed, 1 - tail)) if passed < n else 1.0
    return low, high


def rate_shown_by(clean: int, level: float = 0.95) -> float | None:
    """Return the pass rate that `clean` passes in as many trials prove at least; None without trials."""
    return float((1 - level) ** (1 / clean)) if clean else None


def clean_trials_for(rate: float, level: float = 0.95) -> int:
    """Return how many trials must all pass to prove a pass rate (above 0, below 1)."""
    return math.ceil(math.log(1 - level) / math.log(rate) - 1e-9)


def all_pass_chance(passed: int, n: int, k: int) -> float | None:
    """Return the chance that k trials drawn from the observed ones all passed (pass^k), or None when k > n."""
    _refuse_impossible(passed, n)
    return math.comb(passed, k) / math.comb(n, k) if k <= n else None


def _refuse_impossible(passed: float, n: float) -> None:
    if n < 0 or not 0 <= passed <= n:
        raise ValueError(f"passed: {passed!r} of {n!r} is impossible; expected 0 <= passed <= n")


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
