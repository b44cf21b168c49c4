"""How often single trials pass: rates with intervals and pass^k, of a case, a tag, a rule, a run.

Knows case summaries and counts; nothing of how trials were graded.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from evalkit.records import CaseSummary, PassRate
from evalkit.stats import all_pass_chance, mean, wilson_interval

INTERVAL_FROM = 10
"""Below this many independent units a 95 % interval is all width and no information."""
MOST_K = 8


def share_interval(share: float, units: int) -> tuple[float, float] | None:
    """Return the 95 % Wilson interval of a share over independent units; None below ten of them."""
    return wilson_interval(share * units, units) if units >= INTERVAL_FROM else None


def case_rate(passed: int, failed: int) -> PassRate | None:
    """Return the pass rate of one case, whose trials are independent; None when none was measured."""
    n = passed + failed
    if not n:
        return None
    chances = tuple(_chance(passed, n, k) for k in range(1, min(n, MOST_K) + 1))
    return PassRate(passed, n, 1, int(passed > 0 and failed > 0), share_interval(passed / n, n), chances)


def rate_over(cases: Sequence[CaseSummary]) -> PassRate | None:
    """Return the pass rate over the trials of several cases; its interval counts clusters, as cases of one cluster are
    not independent. None when no trial was measured."""
    measured = [case for case in cases if case.skip is None]
    counts = [(case.passed, case.passed + case.failed) for case in measured]
    return rate_of(counts, [(case.suite, case.cluster or f"case {case.case_id}") for case in measured])


def rate_of(counts: Sequence[tuple[int, int]], units: Sequence[Hashable]) -> PassRate | None:
    """Return the pass rate of cases by (passed, trials); those with the same unit count once in the interval. None when
    no trial was measured."""
    tried = [(count, unit) for count, unit in zip(counts, units, strict=True) if count[1]]
    if not tried:
        return None
    measured = [count for count, _ in tried]
    passed, trials = sum(passed for passed, _ in measured), sum(n for _, n in measured)
    most = min(max(n for _, n in measured), MOST_K)
    return PassRate(
        passed,
        trials,
        len(measured),
        sum(0 < passed < n for passed, n in measured),
        share_interval(passed / trials, len({unit for _, unit in tried})),
        tuple(_mean_chance(measured, k) for k in range(1, most + 1)),
    )


def _mean_chance(counts: Sequence[tuple[int, int]], k: int) -> float:
    """Return pass^k averaged over the cases with k measured trials or more; there is one."""
    return mean([_chance(passed, n, k) for passed, n in counts if n >= k]) or 0.0


def _chance(passed: int, n: int, k: int) -> float:
    return all_pass_chance(passed, n, k) or 0.0
