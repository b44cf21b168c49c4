"""A comparison as `summary.json` holds it: records -> the published types of `comparison_schema.py`."""

from __future__ import annotations

from evalkit.records import (
    CaseChange,
    ComparedCase,
    Counts,
    Decision,
    Interval,
    Look,
    MetricChange,
    RateChange,
    RunComparison,
    StageTrials,
    SuiteComparison,
    Verdict,
)
from evalkit.reporting.comparison_schema import (
    BaselineFile,
    ComparedCaseFile,
    ComparisonFile,
    CountsFile,
    IntervalFile,
    LookFile,
    MetricFile,
    RateFile,
    StageFile,
    SuiteComparisonFile,
)

_NOTHING = Decision(Verdict.NO_VERDICT, (), (), None, None, None, (), margin=0.0, fresh=False)


def comparison_file(told: RunComparison) -> ComparisonFile:
    """Return the comparison as the file has it; without a decision everything about it is empty or unknown."""
    decision = told.decision or _NOTHING
    notes = [suite.baseline.note for suite in told.suites if suite.baseline.note]
    return ComparisonFile(
        name=told.name,
        verdict=told.verdict,
        sentence=told.sentence,
        grounds=list(decision.grounds),
        problem=decision.problem if told.decision else "; ".join(notes),
        p=decision.overall_p,
        delta=_interval(decision.delta),
        delta_beyond=_interval(decision.delta_beyond),
        margin=told.decision.margin if told.decision else None,
        detectable=decision.detectable,
        fresh=decision.fresh,
        stale=decision.stale,
        trade_off=decision.trade_off,
        fragile=decision.fragile,
        more_errors=decision.more_errors,
        trials_asked=decision.calls,
        not_played=list(decision.unplayed),
        looks=[_look(look) for look in decision.looks],
        suites=[_suite(suite) for suite in told.suites],
        cases=[_case(case, decision) for case in decision.cases],
        metrics=[_metric(metric) for metric in decision.metrics],
        tags=[_rate(change) for change in told.tags],
        rules=[_rate(change) for change in told.rules],
    )


def _suite(suite: SuiteComparison) -> SuiteComparisonFile:
    record = suite.baseline
    baseline = BaselineFile(
        name=record.name,
        use=record.use,
        note=record.note,
        blessed=record.blessed,
        commit=record.commit,
        prompt_ref=record.prompt_ref,
        prompt_sha=record.prompt_sha,
        conditions=dict(record.conditions),
        required=record.required,
        new=list(record.new),
        changed=list(record.changed),
        vanished=list(record.vanished),
    )
    trials = [_stage(trials) for trials in suite.trials]
    return SuiteComparisonFile(
        record.suite, suite.verdict, suite.cases, suite.p, _interval(suite.delta), baseline, trials
    )


def _stage(trials: StageTrials) -> StageFile:
    return StageFile(trials.stage or "stored", trials.arm, *trials.counts)


def _look(look: Look) -> LookFile:
    return LookFile(look.name, look.cases, look.p, look.level, look.red)


def _case(case: ComparedCase, decision: Decision) -> ComparedCaseFile:
    return ComparedCaseFile(
        suite=case.key[0],
        case_id=case.key[1],
        change=case.change,
        confirmed=case.change is CaseChange.CLEARLY_WORSE,
        suspect=case.change is CaseChange.SUSPECT,
        accepted=case.key in decision.accepted,
        critical=case.critical,
        baseline=CountsFile(*case.baseline),
        candidate=CountsFile(*case.candidate),
        baseline_again=_counts(case.confirm_baseline),
        candidate_again=_counts(case.confirm_candidate),
        difference=case.difference,
        p=case.p,
        adjusted_p=case.adjusted_p,
    )


def _rate(change: RateChange) -> RateFile:
    return RateFile(
        name=change.name,
        cases=change.cases,
        baseline=CountsFile(*change.baseline),
        candidate=CountsFile(*change.candidate),
        baseline_interval=change.baseline_interval,
        candidate_interval=change.candidate_interval,
        p=change.p,
        q=change.q,
    )


def _counts(counts: Counts | None) -> CountsFile | None:
    return CountsFile(*counts) if counts is not None else None


def _interval(interval: Interval | None) -> IntervalFile | None:
    return _known(interval) if interval else None


def _known(interval: Interval) -> IntervalFile:
    return IntervalFile(interval.value, interval.low, interval.high, interval.clusters)


def _metric(metric: MetricChange) -> MetricFile:
    ratio = _known(metric.ratio)
    return MetricFile(metric.metric, ratio, metric.totals, metric.cases, metric.limit, metric.over, metric.near)
