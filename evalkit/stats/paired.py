"""Differences per case: mean, interval, ratio. Two-sided 90 % intervals, so that each bound holds at 95 %.

Cases weigh the same. With clusters (cases made from one template) the interval is cluster-robust. Knows numbers only.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

LEVEL = 0.95
"""Of each bound by itself."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and 90 % interval; `clusters` is how many independent groups it rests on."""

    mean: float
    se: float
    low: float
    high: float
    clusters: int | None = None


def paired_interval(
    differences: Sequence[float], trials: float, clusters: Sequence[object] | None = None, *, level: float = LEVEL
) -> Estimate | None:
    """Return the mean difference of candidate and baseline with its interval; None below two cases.

    Two pseudo-cases, off by one candidate trial of `trials` each, widen the interval: without them it collapses where
    most differences are zero. `clusters` names each case's group; fewer than two groups count as none. `level` is that
    of each bound.
    """
    n = len(differences)
    if n < 2:
        return None
    mean = math.fsum(differences) / n
    pseudo = 2 / trials**2
    groups = len(set(clusters)) if clusters is not None else n
    if clusters is None or not 2 <= groups < n:
        square = (math.fsum((d - mean) ** 2 for d in differences) + pseudo) / (n * (n - 1))
        return _estimate(mean, square, n - 1, None, level)
    square = _cluster_square(differences, mean, clusters) + pseudo / (n * (n - 1))
    return _estimate(mean, square, groups - 1, groups, level)


def ratio_interval(
    baseline: Sequence[float], candidate: Sequence[float], clusters: Sequence[object] | None = None
) -> Estimate | None:
    """Return the geometric mean of candidate / baseline over cases with its interval; None below two cases.

    Takes per-case means that are not negative; zeros are moved by half the smallest positive value. `se` is that of the
    logarithm. None too when nothing is positive.
    """
    n = len(baseline)
    positive = [value for value in (*baseline, *candidate) if value > 0]
    if n < 2 or not positive:
        return None
    shift = min(positive) / 2 if len(positive) < 2 * n else 0.0
    logs = [math.log((b + shift) / (a + shift)) for a, b in zip(baseline, candidate, strict=True)]
    mean = math.fsum(logs) / n
    groups = len(set(clusters)) if clusters is not None else n
    if clusters is None or not 2 <= groups < n:
        square = math.fsum((x - mean) ** 2 for x in logs) / (n * (n - 1))
        found = _estimate(mean, square, n - 1, None)
    else:
        found = _estimate(mean, _cluster_square(logs, mean, clusters), groups - 1, groups)
    return Estimate(math.exp(mean), found.se, math.exp(found.low), math.exp(found.high), found.clusters)


def ratio_of_totals(baseline: Sequence[float], candidate: Sequence[float]) -> float | None:
    """Return what the candidate's sum is to the baseline's; None when the baseline's is 0."""
    whole = math.fsum(baseline)
    return math.fsum(candidate) / whole if whole else None


def _cluster_square(values: Sequence[float], mean: float, clusters: Sequence[object]) -> float:
    sums: dict[object, float] = defaultdict(float)
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] += value - mean
    groups = len(sums)
    return groups / (groups - 1) * math.fsum(s * s for s in sums.values()) / len(values) ** 2


def _estimate(mean: float, square: float, freedom: int, clusters: int | None, level: float = LEVEL) -> Estimate:
    se = math.sqrt(square)
    reach = float(stdtrit(freedom, level)) * se
    return Estimate(mean, se, mean - reach, mean + reach, clusters)
