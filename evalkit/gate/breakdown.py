"""A decision taken apart: each suite's part in it, and how its tags and rules fared. Plays nothing.

The decision about the whole is the only one that turns a run red. With several suites their parts say where it comes
from and claim no more: a suite is worse only where the whole is. Tags and rules help to find a cause, never a verdict:
each has an exact p value over its cases, one-sided for "worse", and a Benjamini-Hochberg q value over all of its kind:
among those with q of at most 0.1, a tenth is chance.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from evalkit.analysis import ArmTrials, share_interval
from evalkit.gate.conclude import IMPROVED_P, LEVEL_LOOKED_FINE, interval_of
from evalkit.gate.settings import GateSettings, Opponents, gate_settings
from evalkit.records import (
    Arm,
    BaselineRecord,
    CaseChange,
    CaseKey,
    CaseRecord,
    ComparedCase,
    Counts,
    Decision,
    Ground,
    Interval,
    RateChange,
    Stage,
    StageTrials,
    SuiteComparison,
    Verdict,
)
from evalkit.stats import Stratum, benjamini_hochberg, breadth_p, gate_p, holm, paired_interval

PROVEN_P = 0.05
_BY_TRIALS = frozenset({Ground.SIDE_BY_SIDE, Ground.STORED, Ground.BOTH_FRESH})


Rates = list[tuple[str, list[Stratum]]]


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
    return [stratum for case in cases if (stratum := _stratum(case.baseline, case.candidate))]


def _stratum(before: Counts, now: Counts) -> Stratum | None:
    """Return what the tests compare: passes and valid trials of both arms; None when an arm has no valid trial."""
    return Stratum(before.passed, before.valid, now.passed, now.valid) if before.valid and now.valid else None


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
        found.append(StageTrials("stored", Arm.BASELINE, total))
    for stage in Stage:
        for arm in Arm:
            counts = Counts(*(arms.played[baseline.suite, stage, arm, outcome] for outcome in (True, False, None)))
            if any(counts):
                found.append(StageTrials(stage, arm, counts))
    return tuple(found)


def compare_tags(cases: Sequence[CaseRecord], compared: Sequence[ComparedCase]) -> tuple[RateChange, ...]:
    """Return how the compared cases of each tag fared over the rounds; the likeliest falls first."""
    tags = {(case.suite, case.case_id): case.tags for case in cases}
    found: dict[str, list[Stratum]] = {}
    for case in compared:
        if stratum := _stratum(case.baseline, case.candidate):
            for tag in tags.get(case.key, ()):
                found.setdefault(tag, []).append(stratum)
    return _changes(list(found.items()))


def compare_rules(
    compared: Sequence[ComparedCase], baselines: Sequence[BaselineRecord], arms: ArmTrials
) -> tuple[RateChange, ...]:
    """Return how often each rule held in the rounds of the compared cases; the likeliest falls first.

    Of a stored baseline only the trials in which a rule broke are known, so that it counts as held in all others; a
    baseline that does not know which cases those were is left out.
    """
    found: dict[str, list[Stratum]] = {}
    records = {baseline.suite: baseline for baseline in baselines if baseline.use == "stored"}
    for case in compared:
        now = _held(arms, Arm.CANDIDATE, case.key)
        before = _held(arms, Arm.BASELINE, case.key)
        record = records.get(case.suite)
        if record is not None and case.case_id in record.cases:
            if not record.broken_by_case:
                continue
            stored = record.cases[case.case_id]
            broken = {rule: stored.broken.get(rule, 0) for rule in now}
            before = {rule: Counts(stored.trials - count, count) for rule, count in broken.items()}
        for rule in now.keys() & before.keys():
            if stratum := _stratum(before[rule], now[rule]):
                found.setdefault(rule, []).append(stratum)
    return _changes(list(found.items()))


def _held(arms: ArmTrials, arm: Arm, key: CaseKey) -> Mapping[str, Counts]:
    """Return by rule in how many trials of a case it held and broke."""
    counted: Mapping[tuple[str, bool], int] = arms.checked.get((arm, key), {})
    names = {name for name, _ in counted}
    return {name: Counts(counted.get((name, True), 0), counted.get((name, False), 0)) for name in names}


def _changes(rates: Rates) -> tuple[RateChange, ...]:
    p = [breadth_p(strata) for _, strata in rates]
    found = []
    for (name, strata), own, q in zip(rates, p, benjamini_hochberg(p), strict=True):
        before = Counts(sum(s.a for s in strata), sum(s.k_a - s.a for s in strata))
        now = Counts(sum(s.b for s in strata), sum(s.k_b - s.b for s in strata))
        was, is_now = (share_interval(each.passed / each.valid, len(strata)) for each in (before, now))
        found.append(RateChange(name, len(strata), before, now, was, is_now, own, q))
    return tuple(sorted(found, key=lambda change: (change.p, change.name)))
