"""Counts of passes among trials: intervals of the rate, chances over several trials, what clean trials prove.

Knows one pair of counts at a time; the comparison of two is in `exact.py`.
"""

from __future__ import annotations

import math

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


def exact_lower_bound(passed: int, n: int, level: float = 0.95) -> float | None:
    """Return what the rate is at least, at a one-sided level (Clopper-Pearson), or None when n is 0."""
    interval = exact_interval(passed, n, 2 * level - 1)
    return interval[0] if interval else None


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


def any_pass_chance(passed: int, n: int, k: int) -> float | None:
    """Return the chance that at least one of k trials drawn from the observed ones passed, or None when k > n."""
    _refuse_impossible(passed, n)
    return 1 - math.comb(n - passed, k) / math.comb(n, k) if k <= n else None


def _refuse_impossible(passed: float, n: float) -> None:
    if n < 0 or not 0 <= passed <= n:
        raise ValueError(f"passed: {passed!r} of {n!r} is impossible; expected 0 <= passed <= n")
