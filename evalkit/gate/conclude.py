"""The decision from evidence and looks: verdict, named cases, difference with interval, what could have been seen.

A pure function of trials: the same trials always come to the same decision. Knows nothing of how they were played.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from evalkit.gate.evidence import Evidence, again, count, overall_p
from evalkit.gate.settings import GateSettings
from evalkit.records import (
    Arm,
    CaseChange,
    CaseKey,
    ComparedCase,
    Counts,
    Decision,
    Ground,
    Interval,
    Look,
    LookName,
    Verdict,
)
from evalkit.stats import (
    Estimate,
    Stratum,
    adjusted_case_p,
    breadth_p,
    case_p,
    detectable_drop,
    gate_p,
    paired_interval,
    shape_of,
)

ERRORS_LIMIT = 0.05
"""Share of trials without a verdict in one arm, or of cases without a valid trial, that leaves no verdict."""
ERRORS_NOTED = 0.01
MORE_ERRORS_P = 0.01
NAMED_P = 0.05
LEVEL = 0.95
LEVEL_LOOKED_FINE = 0.96
"""Of each bound where the rounds ended because they looked fine: those were partly luck, and the plain interval would
hold the truth a little less often than it says (92.6 % in simulation)."""
IMPROVED_P = 0.05


def conclude(evidence: Evidence, looks: Sequence[Look], settings: GateSettings, *, staged: bool) -> Decision:
    """Return the decision; metrics of cost and time are added by who knows them."""
    totals = {arm: evidence.totals(arm) for arm in Arm}
    problem = _problem(evidence, totals, settings)
    red = _reds(looks)
    stale = any(each.red for each in looks if each.name is LookName.DRIFT)
    compared = _compared(evidence, red=bool(red), staged=staged)
    accepted = _accepted(compared, settings)
    if accepted:
        red = _reds(again(looks, evidence, settings, accepted))
    failed, clean = _must_pass(evidence, looks)
    grounds = _grounds(red, failed, stale=stale, fresh=_is_fresh(evidence))
    strata = evidence.strata()
    delta = delta_of(evidence)
    verdict = _verdict(problem, grounds, stale=stale and bool(red))
    if verdict is None:
        verdict = _not_worse(strata, delta, settings)
    return Decision(
        verdict=verdict,
        grounds=grounds,
        looks=tuple(looks),
        overall_p=overall_p(looks, staged=staged),
        delta=delta,
        delta_beyond=delta_of(evidence, clustered=True),
        cases=compared,
        margin=settings.margin,
        fresh=_is_fresh(evidence),
        stale=stale and bool(red),
        trade_off=bool(grounds) and delta is not None and delta.value > 0,
        fragile=not problem and _is_fragile(evidence, looks, settings, verdict, staged=staged),
        more_errors=_has_more_errors(evidence),
        problem=problem,
        must_pass_failed=failed,
        must_pass_clean=clean,
        accepted=accepted,
        unplayed=tuple(evidence.unplayed),
        detectable=_detectable(strata),
        calls=evidence.trials,
    )


def _reds(looks: Sequence[Look]) -> set[LookName]:
    return {each.name for each in looks if each.red and each.name is not LookName.DRIFT}


def _is_fresh(evidence: Evidence) -> bool:
    return all(case.stored is None for case in evidence.cases)


def _problem(evidence: Evidence, totals: dict[Arm, Counts], settings: GateSettings) -> str:
    """Return why there is no verdict, empty when there can be one."""
    if not evidence.cases:
        return "no case is in both arms"
    strata = evidence.strata()
    if not strata and not evidence.trials and settings.max_trials is not None:
        return f"the first rounds do not fit into gate.max_trials ({settings.max_trials})"
    if not strata:
        return "no case was measured in both arms"
    for arm, total in totals.items():
        trials = total.valid + total.errors
        if total.errors > ERRORS_LIMIT * trials:
            return f"{total.errors} of {trials} trials of the {arm.value} have no verdict, more than 5 %"
    lost = [case for case in evidence.cases if case.key not in strata]
    vital = next((case for case in lost if case.critical), None)
    if vital is not None:
        return f"critical case {vital.key[1]} has no measured trial in both arms"
    if len(lost) > ERRORS_LIMIT * len(evidence.cases):
        return f"{len(lost)} of {len(evidence.cases)} cases have no measured trial in both arms, more than 5 %"
    return ""


def _compared(evidence: Evidence, *, red: bool, staged: bool) -> tuple[ComparedCase, ...]:
    """Return every case with what its trials say; the strongest evidence first, then in the order of the cases."""
    strata = evidence.strata()
    closer = evidence.confirm_strata() if staged else strata
    adjusted = dict(zip(closer, adjusted_case_p(list(closer.values())), strict=True)) if red or staged else {}
    suspects = set(evidence.suspects)
    made = []
    for case in evidence.cases:
        key, stratum = case.key, strata.get(case.key)
        looked = {arm: count(told[key]) for arm, told in evidence.confirm.items() if key in told}
        change = CaseChange.NOISE if stratum else CaseChange.UNMEASURED
        if key in suspects or (not staged and stratum is not None and case_p(stratum) <= 0.2):
            change = CaseChange.SUSPECT
        if red and adjusted.get(key, 1.0) <= NAMED_P:
            change = CaseChange.CLEARLY_WORSE
        made.append(
            ComparedCase(
                key,
                change,
                evidence.rounds[Arm.BASELINE].get(key, Counts()),
                evidence.rounds[Arm.CANDIDATE].get(key, Counts()),
                looked.get(Arm.BASELINE),
                looked.get(Arm.CANDIDATE),
                p=case_p(stratum) if stratum else None,
                adjusted_p=adjusted.get(key),
                critical=case.critical,
            )
        )
    order = (CaseChange.CLEARLY_WORSE, CaseChange.SUSPECT, CaseChange.NOISE, CaseChange.UNMEASURED)
    return tuple(sorted(made, key=lambda one: (order.index(one.change), one.adjusted_p or 1.0, one.p or 1.0)))


def _accepted(compared: Sequence[ComparedCase], settings: GateSettings) -> tuple[CaseKey, ...]:
    """Return the clearly worse cases that their suites tolerate, the strongest evidence first."""
    left = dict(settings.tolerated)
    accepted = []
    for case in compared:
        if case.change is CaseChange.CLEARLY_WORSE and left.get(case.key[0], 0) > 0:
            left[case.key[0]] -= 1
            accepted.append(case.key)
    return tuple(accepted)


def _must_pass(evidence: Evidence, looks: Sequence[Look]) -> tuple[tuple[CaseKey, ...], int | None]:
    """Return the critical cases that failed a candidate trial, and else the fewest clean trials of one."""
    if not looks:
        return (), None
    played = list(evidence.critical())
    failed = tuple(case.key for case, counts in played if counts.failed)
    return failed, None if failed or not played else min(counts.passed for _, counts in played)


def _grounds(
    red: set[LookName], must_pass_failed: Sequence[CaseKey], *, stale: bool, fresh: bool
) -> tuple[Ground, ...]:
    grounds = [Ground.MUST_PASS] if must_pass_failed else []
    if LookName.CONFIRM in red:
        grounds.append(Ground.SIDE_BY_SIDE)
    elif red and not stale:
        grounds.append(Ground.BOTH_FRESH if fresh else Ground.STORED)
    return tuple(grounds)


def _verdict(problem: str, grounds: Sequence[Ground], *, stale: bool) -> Verdict | None:
    """Return the verdict as far as it is bad; None when the rest has to decide.

    A failed critical case was seen to fail: that stays a failure whatever else was not measured.
    """
    if problem:
        return Verdict.WORSE if Ground.MUST_PASS in grounds else Verdict.NO_VERDICT
    if grounds:
        return Verdict.WORSE
    return Verdict.CANT_TELL if stale else None


def _not_worse(strata: dict[CaseKey, Stratum], delta: Interval | None, settings: GateSettings) -> Verdict:
    if delta is None or delta.low <= -settings.margin:
        return Verdict.CANT_TELL
    swapped = [case.swapped() for case in strata.values()]
    p = breadth_p(swapped) if settings.breadth_only else gate_p(swapped).p
    return Verdict.BETTER if p <= IMPROVED_P else Verdict.NOT_WORSE


def delta_of(evidence: Evidence, *, clustered: bool = False) -> Interval | None:
    """Return the mean difference of the pass rates over the rounds, cases weighing the same.

    For these very cases, or clustered: for new cases like them, None when no two cases share a cluster.
    """
    strata = evidence.strata()
    if clustered and not any(case.cluster for case in evidence.cases):
        return None
    if len(strata) < 2:
        return None
    names = {case.key: case.cluster or case.key for case in evidence.cases}
    clusters = [names[key] for key in strata] if clustered else None
    differences = [case.b / case.k_b - case.a / case.k_a for case in strata.values()]
    trials = statistics.median(case.k_b for case in strata.values())
    level = LEVEL_LOOKED_FINE if evidence.looked_fine else LEVEL
    found = paired_interval(differences, trials, clusters, level=level)
    return None if found is None or (clustered and found.clusters is None) else interval_of(found)


def interval_of(found: Estimate) -> Interval:
    """Return an estimate as the value that reports show."""
    return Interval(found.mean, found.low, found.high, found.se, found.clusters)


def _detectable(strata: dict[CaseKey, Stratum]) -> float | None:
    """Return the uniform drop that these trials see in four of five runs, from both arms' counts."""
    cases = list(strata.values())
    shape = shape_of([(case.a + case.b, case.k_a + case.k_b) for case in cases])
    if shape is None:
        return None
    return detectable_drop(
        shape, statistics.fmean(case.k_a for case in cases), statistics.fmean(case.k_b for case in cases)
    )


def _is_fragile(
    evidence: Evidence, looks: Sequence[Look], settings: GateSettings, verdict: Verdict, *, staged: bool
) -> bool:
    """Whether counting errors against the candidate would change the verdict; few errors are not asked about."""
    totals = [evidence.totals(arm) for arm in Arm]
    if not looks or all(t.errors <= ERRORS_NOTED * (t.valid + t.errors) for t in totals):
        return False
    worst = evidence.with_errors_against_the_candidate()
    drift = [each for each in looks if each.name is LookName.DRIFT]
    return conclude(worst, [*again(looks, worst, settings), *drift], settings, staged=staged).verdict is not verdict


def _has_more_errors(evidence: Evidence) -> bool:
    """Whether the candidate's trials have no verdict clearly more often than the baseline's."""
    a, b = evidence.totals(Arm.BASELINE), evidence.totals(Arm.CANDIDATE)
    if not a.valid + a.errors or not b.valid + b.errors or not b.errors:
        return False
    return case_p(Stratum(a.valid, a.valid + a.errors, b.valid, b.valid + b.errors)) < MORE_ERRORS_P
