"""Exact tests of "the same pass probability in every case": breadth, break, and each case by itself.

A stratum is one case: `a` passes of `k_a` baseline trials and `b` passes of `k_b` candidate trials. Given how many
passes there were together, the candidate's are hypergeometric, independently over cases, whatever the pass
probabilities are. Sums over cases are convolutions of those laws; cases with equal margins share one, which is kept
with its powers. No simulation anywhere, so equal data gives equal numbers. Knows nothing of prompts or stages.

Several p values at once: Holm (no wrong claim at all) and Benjamini-Hochberg (few wrong among the claims).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BROKEN_SHARE = 0.05
"""The break statistic's alternative: this share of cases has its pass odds cut by `ODDS_CUT`."""
ODDS_CUT = 0.02
SCORE_SCALE = 20
"""Scores are whole numbers, so that sums over cases are too; rounding joins no scores up to 20 + 20 trials."""
_TIE = 1 + 1e-9

Law = NDArray[np.float64]
"""Probabilities of consecutive whole numbers."""


class Stratum(NamedTuple):
    """Passes and trials of one case: `a` of `k_a` with the baseline, `b` of `k_b` with the candidate."""

    a: int
    k_a: int
    b: int
    k_b: int

    @property
    def margins(self) -> Margins:
        """What the test holds fixed: both numbers of trials and the passes together."""
        return Margins(self.k_a, self.k_b, self.a + self.b)

    def swapped(self) -> Stratum:
        """Return the case with baseline and candidate exchanged."""
        return Stratum(self.b, self.k_b, self.a, self.k_a)


class Margins(NamedTuple):
    """What is held fixed in one case: trials of both arms, and passes of both together."""

    k_a: int
    k_b: int
    passes: int

    @property
    def lowest(self) -> int:
        """The smallest possible number of candidate passes."""
        return max(0, self.passes - self.k_a)


class GateP(NamedTuple):
    """The two tests of one look at the data, one-sided against "the candidate is worse"."""

    breadth: float
    breaks: float

    @property
    def p(self) -> float:
        """Both tests in one p value."""
        return min(1.0, 2 * min(self.breadth, self.breaks))


@lru_cache(maxsize=1 << 14)
def null_law(margins: Margins) -> Law:
    """Return the law of the candidate's passes from `margins.lowest` on, were both arms equal."""
    k_a, k_b, passes = margins
    highest = min(k_b, passes)
    ways = [math.comb(k_b, x) * math.comb(k_a, passes - x) for x in range(margins.lowest, highest + 1)]
    return np.array(ways, dtype=np.float64) / math.comb(k_a + k_b, passes)


@lru_cache(maxsize=1 << 14)
def break_scores(margins: Margins) -> tuple[int, ...]:
    """Return the break statistic's score for each possible number of candidate passes, from `lowest` on."""
    law = null_law(margins)
    tilt = ODDS_CUT ** np.arange(len(law))
    ratio = tilt / float(law @ tilt)
    return tuple(math.floor(v + 0.5) for v in SCORE_SCALE * np.log(1 - BROKEN_SHARE + BROKEN_SHARE * ratio))


@lru_cache(maxsize=1 << 16)
def case_p(case: Stratum) -> float:
    """Return Fisher's one-sided p of one case: as few candidate passes or fewer, were both arms equal."""
    law, place = null_law(case.margins), case.b - case.margins.lowest
    return 1.0 if place + 1 == len(law) else float(law[: place + 1].sum())


def breadth_p(cases: Iterable[Stratum]) -> float:
    """Return the exact stratified p of "a little worse in many cases": as few candidate passes in all, or fewer."""
    moving = [case for case in cases if len(null_law(case.margins)) > 1]
    observed = sum(case.b - case.margins.lowest for case in moving)
    total = _convolve(_passes_power(margins, count) for margins, count in Counter(c.margins for c in moving).items())
    return min(1.0, float(total[: observed + 1].sum()))


def break_score(cases: Iterable[Stratum]) -> int:
    """Return the observed break statistic: how much more likely a few broken cases are than none, in 1/20 nats."""
    return sum(break_scores(case.margins)[case.b - case.margins.lowest] for case in cases)


def break_p(cases: Iterable[Stratum]) -> float:
    """Return the exact p of "much worse in a few cases"."""
    moving = [case for case in cases if len(null_law(case.margins)) > 1]
    groups = Counter(case.margins for case in moving)
    floor = sum(min(break_scores(margins)) * count for margins, count in groups.items())
    observed = break_score(moving) - floor
    total = _convolve(_scores_power(margins, count) for margins, count in groups.items())
    return min(1.0, float(total[observed:].sum()))


def gate_p(cases: Sequence[Stratum]) -> GateP:
    """Return both tests over all cases."""
    return GateP(breadth_p(cases), break_p(cases))


def adjusted_case_p(cases: Sequence[Stratum]) -> list[float]:
    """Return each case's p adjusted for having looked at all of them (single-step min-p, exact for these strata)."""
    groups = Counter(case.margins for case in cases)

    def adjusted(p: float) -> float:
        miss = sum(count * math.log1p(-_reachable(margins, p)) for margins, count in groups.items())
        return -math.expm1(miss) if miss > -math.inf else 1.0

    known: dict[float, float] = {}
    for case in cases:
        p = case_p(case)
        if p not in known:
            known[p] = 1.0 if p >= 1 else adjusted(p)
    return [known[case_p(case)] for case in cases]


@lru_cache(maxsize=1 << 16)
def _reachable(margins: Margins, p: float) -> float:
    """Return the largest p value not above `p` that a case can have, 0 when there is none; below 1 for any p < 1."""
    values = np.cumsum(null_law(margins))
    values = values[:-1]  # the last one is 1: no evidence, whatever rounding says
    reached = values[values <= p * _TIE]
    return float(reached[-1]) if len(reached) else 0.0


def _score_law(margins: Margins) -> Law:
    scores, law = break_scores(margins), null_law(margins)
    lowest = min(scores)
    out = np.zeros(max(scores) - lowest + 1)
    for score, chance in zip(scores, law, strict=True):
        out[score - lowest] += chance
    return out


@lru_cache(maxsize=1 << 14)
def _passes_power(margins: Margins, count: int) -> Law:
    return _power(null_law(margins), count)


@lru_cache(maxsize=1 << 13)
def _scores_power(margins: Margins, count: int) -> Law:
    return _power(_score_law(margins), count)


def _power(law: Law, count: int) -> Law:
    """Return the law of a sum of `count` independent values, by squaring."""
    result: Law | None = None
    square = law
    while count:
        if count & 1:
            result = square if result is None else np.convolve(result, square)
        count >>= 1
        if count:
            square = np.convolve(square, square)
    return result if result is not None else np.ones(1)


def _convolve(laws: Iterable[Law]) -> Law:
    """Return the law of a sum of independent values, the short ones first."""
    return reduce(np.convolve, sorted(laws, key=len), np.ones(1))


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
