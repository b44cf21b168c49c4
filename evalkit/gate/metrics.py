"""Cost, tokens and time of two arms per case: how much more or less, and whether a limit is proven to be broken.

Time is compared only between trials that were played side by side; stored times are another day's.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from evalkit.analysis import ArmTrials
from evalkit.gate.cases import Opponents
from evalkit.gate.conclude import interval_of
from evalkit.gate.settings import GateCase
from evalkit.records import Arm, CaseKey, MetricChange
from evalkit.stats import ratio_interval, ratio_of_totals

METRICS = ("cost_usd", "output_tokens", "total_ms")
TIMED_FROM = 3
"""Fewer trials of a case say nothing of its usual time."""

Values = Mapping[CaseKey, float]


def compare_metrics(cases: Sequence[GateCase], opponents: Opponents, arms: ArmTrials) -> tuple[MetricChange, ...]:
    """Return the change of each metric over the cases that have it in both arms."""
    found = []
    for metric in METRICS:
        baseline = {c.key: v for c in cases if (v := _baseline_value(c, metric, opponents, arms)) is not None}
        candidate = {c.key: v for c in cases if (v := _value(arms, Arm.CANDIDATE, c.key, metric)) is not None}
        change = _change(metric, baseline, candidate, cases, opponents)
        if change is not None:
            found.append(change)
    return tuple(found)


def _change(
    metric: str, baseline: Values, candidate: Values, cases: Sequence[GateCase], opponents: Opponents
) -> MetricChange | None:
    both = [case for case in cases if case.key in baseline and case.key in candidate]
    a, b = [baseline[case.key] for case in both], [candidate[case.key] for case in both]
    clusters = [case.cluster or case.key for case in both] if any(case.cluster for case in both) else None
    ratio = ratio_interval(a, b, clusters)
    if ratio is None:
        return None
    return MetricChange(metric, interval_of(ratio), ratio_of_totals(a, b), len(both), _limit(metric, opponents))


def _limit(metric: str, opponents: Opponents) -> float | None:
    """Return the strictest limit that a suite sets on a metric's increase."""
    limits = [suite.gate.get("max_increase") or {} for suite in opponents.suites]
    given = [float(limit[metric]) for limit in limits if limit.get(metric) is not None]
    return min(given, default=None)


def _baseline_value(case: GateCase, metric: str, opponents: Opponents, arms: ArmTrials) -> float | None:
    if case.stored is None:
        return _value(arms, Arm.BASELINE, case.key, metric)
    if metric == "total_ms":
        return None
    suite = next(baseline for baseline in opponents.usable if baseline.suite == case.key[0])
    stored = suite.cases[case.key[1]]
    return stored.cost_usd if metric == "cost_usd" else stored.output_tokens


def _value(arms: ArmTrials, arm: Arm, key: CaseKey, metric: str) -> float | None:
    usage = arms.usage.get((arm, key))
    values: list[float] = getattr(usage, metric) if usage else []
    if metric == "total_ms":
        return statistics.median(values) if len(values) >= TIMED_FROM else None
    return statistics.fmean(values) if values else None
