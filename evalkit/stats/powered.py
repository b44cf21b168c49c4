"""A rate that a cheap judge measures everywhere and people on a sample: prediction-powered inference.

The judge's answers make the estimate sharp, the labels make it right: the mean of the labels, moved by what the judge
says about all the rest as far as its answers follow theirs. Knows pairs of answers and counts only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from evalkit.stats.proportions import mean

PSEUDO_PAIRS = ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
"""One label of each kind, added for the interval only: without them it collapses where all labels agree with the judge.

A judge of no use leaves Agresti and Coull's interval of "two successes and two failures more" (The American
Statistician 52, 1998).
"""


@dataclass(frozen=True)
class PoweredRate:
    """A rate (0 to 1) with its 95 % interval; `trust` is how far the judge's answers have moved it, 0 to 1."""

    rate: float
    low: float
    high: float
    trust: float


def powered_rate(labels: Sequence[tuple[bool, bool]], yes: int, others: int) -> PoweredRate | None:
    """Return the rate at which people would say yes, or None below two labels.

    `labels` holds a person's answer and the judge's for each answer of a random sample; of the `others`, which nobody
    has labelled, the judge said `yes` to so many. With a judge of no use, or with no others, it is the labels' mean.

    Source: Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, Prediction-powered inference, Science 382 (2023); the
    weight of the judge is that of Angelopoulos, Duchi and Zrnic, PPI++, arXiv 2311.01453 (2023). Student's quantile and
    the pseudo-pairs keep the interval honest for small samples.
    """
    if not 0 <= yes <= others:
        raise ValueError(f"yes: {yes!r} of {others!r} is impossible; expected 0 <= yes <= others")
    if len(labels) < 2:
        return None
    pairs = [(float(person), float(judge)) for person, judge in labels]
    rate, _, trust = _estimate(pairs, yes, others)
    centre, variance, _ = _estimate([*pairs, *PSEUDO_PAIRS], yes, others)
    reach = float(stdtrit(len(pairs) - 1, 0.975)) * math.sqrt(variance)
    rate = min(1.0, max(0.0, rate))
    return PoweredRate(rate, max(0.0, min(rate, centre - reach)), min(1.0, max(rate, centre + reach)), trust)


def _estimate(pairs: Sequence[tuple[float, float]], yes: int, others: int) -> tuple[float, float, float]:
    """Return the estimate, its variance, and the weight of the judge that makes it smallest."""
    people = _mean([person for person, _ in pairs])
    judge = _mean([answer for _, answer in pairs])
    if not others:
        return people, _variance([person for person, _ in pairs]) / (len(pairs) - 1), 0.0
    everywhere = (yes + judge * len(pairs)) / (others + len(pairs))
    spread = everywhere * (1 - everywhere)
    together = _mean([person * answer for person, answer in pairs]) - people * judge
    trust = together / ((1 + len(pairs) / others) * spread) if spread else 0.0
    trust = min(1.0, max(0.0, trust))
    rest = _variance([person - trust * answer for person, answer in pairs]) / (len(pairs) - 1)
    return people + trust * (yes / others - judge), rest + trust**2 * spread / others, trust


def _variance(values: Sequence[float]) -> float:
    centre = _mean(values)
    return _mean([(value - centre) ** 2 for value in values])


def _mean(values: Sequence[float]) -> float:
    return mean(values) or 0.0
