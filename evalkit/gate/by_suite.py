"""The decision about a run, told suite by suite: baseline, verdict, difference and trials of each.

The decision about the whole is the only one that turns a run red. With several suites this says where it comes from and
claims no more: a suite is worse only where the whole is. Plays nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from evalkit.analysis import ArmTrials
from evalkit.gate.cases import Opponents, gate_settings
from evalkit.gate.conclude import IMPROVED_P, LEVEL_LOOKED_FINE, interval_of
from evalkit.gate.settings import GateSettings
from evalkit.records import (
    Arm,
    BaselineRecord,
    CaseChange,
    ComparedCase,
    Counts,
    Decision,
    Ground,
    Interval,
    Stage,
    StageTrials,
    SuiteComparison,
    Verdict,
)
from evalkit.stats import Stratum, gate_p, holm, paired_interval

PROVEN_P = 0.05
_BY_TRIALS = frozenset({Ground.SIDE_BY_SIDE, Ground.STORED, Ground.BOTH_FRESH})


def compare_suites(decision: Decision | None, opponents: Opponents, arms: ArmTrials) -> tuple[SuiteComparison, ...]:
    """Return each suite's part of a decision, in the order of the baselines; those without one have no verdict."""
    settings = gate_settings(opponents.suites)
    own = {b.suite: _cases_of(b, decision) for b in opponents.baselines}
    compared = [path for path, cases in own.items() if cases]
    found = [gate_p(_strata(own[path])).p for path in compared]
    p = dict(zip(compared, holm(found), strict=True))
    told = []
    for baseline in opponents.baselines:
        cases, trials = own[baseline.suite], _trials(baseline, arms)
        if decision is None or not cases:
            told.append(SuiteComparison(baseline, Verdict.NO_VERDICT, 0, None, None, trials))
        elif len(compared) == 1:
            part = SuiteComparison(baseline, decision.verdict, len(cases), decision.overall_p, decision.delta, trials)
            told.append(part)
        else:
            delta = _delta(cases)
            verdict = _verdict(decision, cases, (p[baseline.suite], delta), settings)
            told.append(SuiteComparison(baseline, verdict, len(cases), p[baseline.suite], delta, trials))
    return tuple(told)


def _cases_of(baseline: BaselineRecord, decision: Decision | None) -> list[ComparedCase]:
    cases = decision.cases if decision else ()
    return [case for case in cases if case.key[0] == baseline.suite]


def _strata(cases: Sequence[ComparedCase]) -> list[Stratum]:
    valid = [case for case in cases if case.baseline.valid and case.candidate.valid]
    return [Stratum(c.baseline.passed, c.baseline.valid, c.candidate.passed, c.candidate.valid) for c in valid]


def _delta(cases: Sequence[ComparedCase]) -> Interval | None:
    """Return the mean difference over the rounds, at the wider of the levels of the whole."""
    strata = _strata(cases)
    if len(strata) < 2:
        return None
    differences = [case.b / case.k_b - case.a / case.k_a for case in strata]
    found = paired_interval(differences, statistics.median(case.k_b for case in strata), None, level=LEVEL_LOOKED_FINE)
    return interval_of(found) if found else None


def _verdict(
    decision: Decision, cases: Sequence[ComparedCase], seen: tuple[float, Interval | None], settings: GateSettings
) -> Verdict:
    p, delta = seen
    if decision.verdict is Verdict.NO_VERDICT or not _strata(cases):
        return Verdict.NO_VERDICT
    if decision.verdict is Verdict.WORSE and _shows_it(decision, cases, p):
        return Verdict.WORSE
    if decision.stale or delta is None or delta.low <= -settings.margin:
        return Verdict.CANT_TELL
    swapped = gate_p([case.swapped() for case in _strata(cases)]).p
    return Verdict.BETTER if decision.verdict is Verdict.BETTER and swapped <= IMPROVED_P else Verdict.NOT_WORSE


def _shows_it(decision: Decision, cases: Sequence[ComparedCase], p: float) -> bool:
    """Whether a suite's own cases show why the whole is worse."""
    keys = {case.key for case in cases}
    named = any(c.change is CaseChange.CLEARLY_WORSE and c.key not in decision.accepted for c in cases)
    proven = p <= PROVEN_P and bool(_BY_TRIALS & set(decision.grounds))
    return named or proven or bool(keys & set(decision.must_pass_failed))


def _trials(baseline: BaselineRecord, arms: ArmTrials) -> tuple[StageTrials, ...]:
    """Return the trials by stage and arm: what was stored, then what this run played, in the order of the stages."""
    found = []
    if baseline.use == "stored":
        stored = [case.counts for case in baseline.cases.values()]
        total = Counts(sum(c.passed for c in stored), sum(c.failed for c in stored), sum(c.errors for c in stored))
        found.append(StageTrials(None, Arm.BASELINE, total))
    for stage in Stage:
        for arm in Arm:
            counts = Counts(*(arms.played[baseline.suite, stage, arm, outcome] for outcome in (True, False, None)))
            if any(counts):
                found.append(StageTrials(stage, arm, counts))
    return tuple(found)
