"""What a comparison of a given size can see, by formula: the smallest uniform drop, the cases a finding needs.

Quick closed forms for planning; the verdict itself is exact (`exact.py`) and a forecast of it is simulated elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtri

ALPHA_BREADTH = 0.025
POWER = 0.8


@dataclass(frozen=True)
class SuiteShape:
    """What the formula needs of a suite: cases that ever passed, how much trials of one case vary, the pass rate.

    `within` is the mean over cases of p(1 - p), estimated without bias; `rate` the mean pass rate of the same cases.
    """

    cases: int
    within: float
    rate: float


def shape_of(counts: Sequence[tuple[int, int]]) -> SuiteShape | None:
    """Return the shape of a suite from (passes, trials) of each case; None when no case ever passed.

    A case with a single trial says nothing of its variation and counts as half-known: p(1 - p) at the suite's rate.
    """
    able = [(a, k) for a, k in counts if a > 0]
    if not able:
        return None
    rate = math.fsum(a / k for a, k in able) / len(able)
    spread = [a * (k - a) / (k * (k - 1)) for a, k in able if k > 1]
    within = math.fsum(spread) / len(spread) if spread else rate * (1 - rate)
    return SuiteShape(len(able), within, rate)


def detectable_drop(shape: SuiteShape, k_a: float, k_b: float, *, power: float = POWER) -> float | None:
    """Return the uniform drop (0 to 1) that breadth sees with this power; None when not even a total loss is seen.

    `k_a` stored and `k_b` candidate trials a case.
    """
    if k_a <= 0 or k_b <= 0:
        return None
    z_alpha, z_beta = float(ndtri(1 - ALPHA_BREADTH)), float(ndtri(power))
    w, n, tilt = k_b / (k_a + k_b), shape.cases, 2 * shape.rate - 1

    def missing(x: float) -> float:
        pooled = max(0.0, shape.within + w * x * tilt - (w * x) ** 2)
        after = max(0.0, shape.within + x * tilt - x * x)
        null = z_alpha * math.sqrt(pooled * (1 / k_a + 1 / k_b) / n)
        return null + z_beta * math.sqrt(shape.within / (n * k_a) + after / (n * k_b)) - x

    low, high = 1e-9, shape.rate
    if missing(high) > 0:
        return None
    if missing(low) <= 0:
        return low
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if missing(middle) > 0 else (low, middle)
    return high


def cases_for(delta: float, between: float, within: float = 0.0, *, alpha: float = 0.05, power: float = POWER) -> float:
    """Return how many independent cases show a mean difference `delta` (Miller 2024, two-sided alpha).

    `between` is the variance of the true difference over cases, `within` the sum over both arms of the variance of a
    case's mean over its trials.
    """
    z = float(ndtri(1 - alpha / 2) + ndtri(power))
    return z * z * (between + within) / (delta * delta)
