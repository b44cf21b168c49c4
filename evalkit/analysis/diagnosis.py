"""Where a difference comes from: how often the cases of each tag passed, and each rule held, in both arms of a run.

For finding the cause, never for a verdict. Each tag and rule has an exact p value over its cases, one-sided for
"worse", and a Benjamini-Hochberg q value over all of its kind: among those with q of at most 0.1, a tenth is chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalkit.analysis.arms import ArmTrials
from evalkit.analysis.rates import share_interval
from evalkit.records import Arm, BaselineRecord, CaseKey, CaseRecord, ComparedCase, Counts, RateChange
from evalkit.stats import Stratum, benjamini_hochberg, breadth_p

Rates = list[tuple[str, list[Stratum]]]


def compare_tags(cases: Sequence[CaseRecord], compared: Sequence[ComparedCase]) -> tuple[RateChange, ...]:
    """Return how the compared cases of each tag fared over the rounds; the likeliest falls first."""
    tags = {(case.suite, case.case_id): case.tags for case in cases}
    found: dict[str, list[Stratum]] = {}
    for case in compared:
        if case.baseline.valid and case.candidate.valid:
            stratum = Stratum(case.baseline.passed, case.baseline.valid, case.candidate.passed, case.candidate.valid)
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
    stored = {(b.suite, case_id): case for b in baselines if b.use == "stored" for case_id, case in b.cases.items()}
    for case in compared:
        now = _held(arms, Arm.CANDIDATE, case.key)
        before = _held(arms, Arm.BASELINE, case.key)
        kept = stored.get(case.key)
        if kept is not None:
            if kept.broken is None:
                continue
            valid = kept.counts.valid
            before = {rule: Counts(valid - kept.broken.get(rule, 0), kept.broken.get(rule, 0)) for rule in now}
        for rule in now.keys() & before.keys():
            if now[rule].valid and before[rule].valid:
                stratum = Stratum(before[rule].passed, before[rule].valid, now[rule].passed, now[rule].valid)
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
