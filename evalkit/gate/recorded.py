"""The comparison of a recorded run, told from its record: the one way that all commands take.

The same steps as while it was played, the outcomes read instead of played, so the same records always come to the same
decision; then what belongs to it: cost, tokens and time, each suite's part, and what critical cases do not prove yet.
Calls nothing, and knows the shape of a reader, not the store.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from evalkit.analysis import ArmTrials, Price, RecordedRun, collect_arms, migrations_of, pair_versions
from evalkit.analysis.arms import KINDS
from evalkit.gate.absolute import Compared
from evalkit.gate.breakdown import compare_rules, compare_suites, compare_tags
from evalkit.gate.conclude import interval_of
from evalkit.gate.evidence import Answer, Outcomes, count
from evalkit.gate.power import Outlook, outlook
from evalkit.gate.procedure import StagePlan, decide, decide_finished
from evalkit.gate.settings import GateCase, Opponents, critical_beside, gate_cases, gate_settings
from evalkit.pricing import price_with
from evalkit.records import (
    Arm,
    BaselineRecord,
    CaseKey,
    CaseRecord,
    Decision,
    Ground,
    MetricChange,
    PromptVersion,
    Trial,
    TrialVerdict,
    Verdict,
)
from evalkit.stats import clean_trials_for, ratio_interval, ratio_of_totals
from evalkit.wording import plural

LIVE_SOURCES = ("live", "stand-in")
"""Runs that could play more trials when their comparison asked for them; others have what they have."""
METRICS = ("cost_usd", "output_tokens", "total_ms")
TIMED_FROM = 3
"""Fewer trials of a case say nothing of its usual time."""
Values = Mapping[CaseKey, float]
"""A metric by case, of one arm."""
BROKEN_TOLD = 6
_KINDS = tuple(dict.fromkeys(KINDS.values()))


class ComparedRun(RecordedRun, Protocol):
    """A run that knows what it was compared with; `store.RunReader` is one."""

    @property
    def baselines(self) -> Sequence[BaselineRecord]:
        """What each suite was compared with."""


def compare_run(run: ComparedRun, price: Price | None = None) -> Compared:
    """Return the comparison of a run with its baselines, told from its record; without baselines an empty one.

    `price` says what the old model's tokens would cost with the new one; the list prices where it is None.
    """
    baselines = tuple(run.baselines)
    opponents = Opponents(baselines, tuple(run.suites))
    if not opponents.usable:
        promises = tell_promises(run.cases, collect_arms(run.trials())) if wants_proof(run.cases) else ()
        return Compared(None, baselines, None, compare_suites(None, opponents, ArmTrials()), promises)
    arms = collect_arms(run.trials())
    compare = compare_recorded if run.header.source.kind in LIVE_SOURCES else compare_finished
    decision = compare(run.cases, opponents, arms)
    promises = tell_promises(run.cases, arms)
    if decision is not None and decision.must_pass_failed:
        promises = (*tell_broken(run.trials(), decision.must_pass_failed), *promises)
    compared = decision.cases if decision else ()
    return Compared(
        decision,
        baselines,
        outlook_of(run, opponents, arms),
        compare_suites(decision, opponents, arms),
        promises,
        tags=compare_tags(run.cases, compared),
        rules=compare_rules(compared, baselines, arms),
        migrations=migrations_of(_played_versions(run), arms, partial(_old_trials, run), price or price_with()),
    )


def _played_versions(run: ComparedRun) -> dict[CaseKey, tuple[PromptVersion, PromptVersion]]:
    """Return the versions of each case whose old one was played in the run."""
    old = {
        (record.suite, case_id): sha
        for record in run.baselines
        if record.use == "fresh"
        for case_id, sha in record.prompts.items()
    }
    return pair_versions(run.cases, old, run.prompts, run.prompts)


def _old_trials(run: ComparedRun) -> Iterable[Trial]:
    return (trial for trial in run.trials() if trial.key.arm is Arm.BASELINE)


def outlook_of(run: RecordedRun, opponents: Opponents, arms: ArmTrials) -> Outlook | None:
    """Return what the comparison sees, with prices from what the run's own trials cost."""
    cases = gate_cases(run.cases, opponents)
    played = [count(arms.outcomes(Arm.BASELINE, case.key)) for case in cases]
    counts = [case.stored or counted for case, counted in zip(cases, played, strict=True)]
    rounds = [len(arms.outcomes(Arm.CANDIDATE, case.key)) for case in cases]
    if not cases or not any(rounds):
        return None
    return outlook([(c.passed, c.valid) for c in counts], statistics.fmean(rounds), cost_per_trial(arms))


def cost_per_trial(arms: ArmTrials) -> float | None:
    """Return what a trial of the candidate cost on average, in US dollars; None when that is not known."""
    costs = [cost for (arm, _), usage in arms.usage.items() if arm is Arm.CANDIDATE for cost in usage.cost_usd]
    return statistics.fmean(costs) if costs else None


def compare_recorded(cases: Sequence[CaseRecord], opponents: Opponents, arms: ArmTrials) -> Decision | None:
    """Return the decision that a run's trials come to; None when there is nothing to compare with."""
    chosen = gate_cases(cases, opponents)
    if not chosen:
        return None
    player = _Recorded(arms)
    beside = critical_beside(cases, opponents, chosen)
    procedure = decide(chosen, gate_settings(opponents.suites), beside)
    try:
        ask = next(procedure)
        while True:
            ask = procedure.send(player.answer(ask))
    except StopIteration as done:
        decision: Decision = done.value
    return with_metrics(decision, chosen, opponents, arms)


def compare_finished(cases: Sequence[CaseRecord], opponents: Opponents, arms: ArmTrials) -> Decision | None:
    """Return the decision about trials to which none can be added: one look at what there is."""
    chosen = gate_cases(cases, opponents)
    if not chosen:
        return None
    answer: dict[tuple[Arm, CaseKey], Outcomes] = {}
    known = []
    for case in chosen:
        answer[Arm.CANDIDATE, case.key] = arms.outcomes(Arm.CANDIDATE, case.key)
        stored = case.stored if case.stored is not None else count(arms.outcomes(Arm.BASELINE, case.key))
        known.append(replace(case, stored=stored))
    decision = decide_finished(known, answer, gate_settings(opponents.suites))
    return with_metrics(decision, chosen, opponents, arms)


def with_metrics(decision: Decision, cases: Sequence[GateCase], opponents: Opponents, arms: ArmTrials) -> Decision:
    """Add cost, tokens and time; an increase that is proven to exceed its limit makes the comparison worse."""
    metrics = compare_metrics(cases, opponents, arms)
    decision = replace(decision, metrics=metrics)
    if not any(metric.over for metric in metrics) or decision.verdict is Verdict.NO_VERDICT:
        return decision
    return replace(decision, verdict=Verdict.WORSE, grounds=(*decision.grounds, Ground.BUDGET))


class _Recorded:
    """Answers asks from recorded outcomes; a stage with a trial missing was not played."""

    def __init__(self, arms: ArmTrials) -> None:
        self._arms = arms
        self._used: dict[tuple[Arm, CaseKey, str], int] = {}

    def answer(self, ask: StagePlan) -> Answer | None:
        kind = KINDS[ask.stage]
        told: dict[tuple[Arm, CaseKey], Outcomes] = {}
        for (arm, key), wanted in ask.trials.items():
            outcomes = self._arms.outcomes(arm, key, kind)
            start = self._used.get((arm, key, kind), 0)
            if len(outcomes) < start + wanted:
                return None
            told[arm, key] = outcomes[start : start + wanted]
        for (arm, key), wanted in ask.trials.items():
            self._used[arm, key, kind] = self._used.get((arm, key, kind), 0) + wanted
        return told


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


def wants_proof(cases: Iterable[CaseRecord]) -> bool:
    """Return whether a case asks for a pass rate to be proven."""
    return any(case.min_rate is not None for case in cases)


def tell_promises(cases: Iterable[CaseRecord], arms: ArmTrials) -> tuple[str, ...]:
    """Return a sentence for each critical case whose trials are clean and too few to prove the rate it asks for."""
    told = []
    for case in cases:
        if case.min_rate is None or not case.gated or case.skip is not None:
            continue
        key = (case.suite, case.case_id)
        outcomes = [outcome for kind in _KINDS for outcome in arms.outcomes(Arm.CANDIDATE, key, kind)]
        clean, needed = outcomes.count(True), clean_trials_for(case.min_rate)
        if clean < needed and False not in outcomes:
            trials = plural(clean, "clean trial")
            told.append(
                f"{case.case_id}: a pass rate of {case.min_rate * 100:g} % is not yet shown by {trials};"
                f" {needed} clean trials would"
            )
    return tuple(told)


def tell_broken(trials: Iterable[Trial], failed: Collection[CaseKey]) -> tuple[str, ...]:
    """Return what broke in critical cases that failed only beyond the suite's own trials, the first of each case."""
    told: dict[CaseKey, str] = {}
    shown: set[CaseKey] = set()
    for trial in trials:
        key, score = (trial.key.suite, trial.key.case_id), trial.score
        if key not in failed or trial.key.arm is not Arm.CANDIDATE:
            continue
        if score is None or score.verdict is not TrialVerdict.FAILED:
            continue
        if trial.key.is_own:
            shown.add(key)
        if key in told or trial.key.is_own:
            continue
        broken = next((each for each in score.scores if each.fails_trial), None)
        what = f": {broken.assertion.label}: {broken.finding.observed or 'nothing of it'}" if broken else ""
        told[key] = f"{trial.key.case_id} failed in trial {trial.key.trial} of the comparison ({trial.key.stage}){what}"
    return tuple(words for key, words in told.items() if key not in shown)[:BROKEN_TOLD]
