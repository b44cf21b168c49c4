"""Cases from the tables: verdict over trials, the one-line reason, cost and times of each; tallies and tags.

Knows the tables of `rows.py`, the case records and how trials add up to a verdict; nothing of how a case is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.analysis.metrics import case_rate, prompt_tokens, rate_over, share_interval, total_cost, unpriced
from evalkit.analysis.rows import Rows
from evalkit.records import (
    CaseKey,
    CaseRecord,
    CaseSummary,
    CaseVerdict,
    Level,
    Place,
    SuiteRecord,
    SuiteSummary,
    TagSummary,
    Tally,
    TrialOutcome,
    TrialVerdict,
)
from evalkit.stats import percentile, share

if TYPE_CHECKING:
    import pandas as pd

KEY = ["suite", "case_id"]


@dataclass(frozen=True)
class CaseNumbers:
    """What one case used, and which rules broke in it, most broken first."""

    requests: int = 0
    cost_usd: float | None = None
    cached_share: float | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None
    played_ms: float | None = None
    broken: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


def with_strangers(cases: Iterable[CaseRecord], rows: Rows) -> list[CaseRecord]:
    """Return the cases, and a bare one for each recorded conversation that no suite knows (imported runs, logs)."""
    known = {(case.suite, case.case_id): case for case in cases}
    for (suite, case_id), outcomes in rows.outcomes.items():
        if (suite, case_id) not in known:
            bare = CaseRecord(suite, case_id, Place(suite), (), (), trials=len(outcomes), min_pass=len(outcomes))
            known[suite, case_id] = bare
    return list(known.values())


def summarise_cases(cases: Sequence[CaseRecord], rows: Rows) -> tuple[CaseSummary, ...]:
    """Return one summary per case, in the order of the suites."""
    numbers = _numbers_by_case(rows)
    return tuple(
        _summarise_case(
            case,
            rows.outcomes.get((case.suite, case.case_id), []),
            numbers.get((case.suite, case.case_id), CaseNumbers()),
        )
        for case in cases
    )


def _summarise_case(case: CaseRecord, recorded: Sequence[TrialOutcome], numbers: CaseNumbers) -> CaseSummary:
    outcomes = () if case.skip is not None else _planned_outcomes(case, recorded)
    counts = {verdict: sum(o.verdict is verdict for o in outcomes) for verdict in TrialVerdict}
    needed = required_passes(case)
    verdict = case_verdict(counts[TrialVerdict.PASSED], counts[TrialVerdict.FAILED], len(outcomes), needed)
    return CaseSummary(
        suite=case.suite,
        case_id=case.case_id,
        place=case.place,
        verdict=verdict if case.skip is None else CaseVerdict.NOT_MEASURED,
        trials=outcomes,
        min_pass=needed,
        critical=case.critical,
        gated=case.gated,
        skip=case.skip,
        tags=case.tags,
        cluster=case.cluster,
        why=_why(case, verdict, outcomes, numbers),
        broken=numbers.broken,
        warned=numbers.warned,
        requests=numbers.requests,
        cost_usd=numbers.cost_usd,
        cached_share=numbers.cached_share,
        first_token_ms=numbers.first_token_ms,
        total_ms=numbers.total_ms,
        played_ms=numbers.played_ms,
        trial_rate=case_rate(counts[TrialVerdict.PASSED], counts[TrialVerdict.FAILED]),
        row=case.row,
    )


def _planned_outcomes(case: CaseRecord, recorded: Sequence[TrialOutcome]) -> tuple[TrialOutcome, ...]:
    """Order the outcomes by trial and put one that was not run in each gap."""
    present = {outcome.trial for outcome in recorded}
    missing = [
        TrialOutcome(trial, TrialVerdict.NOT_MEASURED, "not run", recorded=False)
        for trial in range(1, case.trials + 1)
        if trial not in present
    ]
    return tuple(sorted([*recorded, *missing], key=lambda outcome: outcome.trial))


def _why(case: CaseRecord, verdict: CaseVerdict, outcomes: Sequence[TrialOutcome], numbers: CaseNumbers) -> str:
    if case.skip is not None:
        return f"skipped: {case.skip}"
    if verdict is not CaseVerdict.NOT_MEASURED and numbers.labels:
        more = len(numbers.labels) - 1
        return numbers.labels[0] + (f" and {more} more" if more else "")
    unmeasured = next((o.reason for o in outcomes if o.verdict is TrialVerdict.NOT_MEASURED and o.recorded), "")
    if unmeasured:
        return unmeasured
    missing = sum(not outcome.recorded for outcome in outcomes)
    if missing:
        return f"{missing} of {len(outcomes)} trials not run"
    return f"warning: {numbers.warned[0]}" if numbers.warned else ""


def _numbers_by_case(rows: Rows) -> dict[CaseKey, CaseNumbers]:
    requests, turns, scores = rows.requests(), rows.turns(), rows.scores()
    failed = scores[scores["verdict"] == TrialVerdict.FAILED.value]
    errors = failed[failed["level"] == Level.ERROR.value]
    warnings = failed[failed["level"] == Level.WARNING.value]
    broken, warned = _most_broken(errors, "rule"), _most_broken(warnings, "rule")
    labels = _most_broken(errors, "label")
    first, times = _medians(turns, "first_token_ms"), _values(turns, "total_ms")
    own = requests[requests["own"]]
    return {
        key: CaseNumbers(
            *usage,
            first.get(key),
            percentile(times.get(key, []), 50),
            sum(times[key]) if key in times else None,
            broken.get(key, ()),
            warned.get(key, ()),
            labels.get(key, ()),
        )
        for key, usage in _usage_by_case(own).items()
    }


def _usage_by_case(requests: pd.DataFrame) -> dict[CaseKey, tuple[int, float | None, float | None]]:
    """Requests, cost and cached share; the cost is None as soon as one price is unknown."""
    frame = requests[[*KEY, "final", "cost", "read"]].assign(prompt=prompt_tokens(requests), unknown=unpriced(requests))
    sums = frame.groupby(KEY, sort=False)[["final", "cost", "read", "prompt", "unknown"]].sum()
    return {
        (str(suite), str(case_id)): (
            int(final),
            None if unknown else float(cost),
            share(float(read), float(prompt)),
        )
        for (suite, case_id), final, cost, read, prompt, unknown in zip(
            sums.index, sums["final"], sums["cost"], sums["read"], sums["prompt"], sums["unknown"], strict=True
        )
    }


def _medians(turns: pd.DataFrame, column: str) -> dict[CaseKey, float | None]:
    return {key: percentile(times, 50) for key, times in _values(turns, column).items()}


def _values(turns: pd.DataFrame, column: str) -> dict[CaseKey, list[float]]:
    """Return the known times of each case's turns."""
    values: dict[CaseKey, list[float]] = {}
    rows = turns.dropna(subset=[column])
    for suite, case_id, value in zip(rows["suite"], rows["case_id"], rows[column], strict=True):
        values.setdefault((suite, case_id), []).append(float(value))
    return values


def _most_broken(failed: pd.DataFrame, column: str) -> dict[CaseKey, tuple[str, ...]]:
    """Names in a column by case, those broken in most trials first; ties keep the order of the suite."""
    counts: dict[CaseKey, dict[str, int]] = {}
    once = failed[[*KEY, "trial", column]].drop_duplicates()
    for suite, case_id, name in zip(once["suite"], once["case_id"], once[column], strict=True):
        of_case = counts.setdefault((suite, case_id), {})
        of_case[name] = of_case.get(name, 0) + 1
    return {key: tuple(sorted(names, key=lambda name: -names[name])) for key, names in counts.items()}


def tally(cases: Iterable[CaseSummary]) -> Tally:
    """Count cases by verdict, skipped ones apart."""
    every = list(cases)
    run = [case for case in every if case.skip is None]
    verdicts = [case.verdict for case in run]
    return Tally(
        passing=verdicts.count(CaseVerdict.PASS),
        unstable=verdicts.count(CaseVerdict.UNSTABLE),
        failing=verdicts.count(CaseVerdict.FAIL),
        not_measured=verdicts.count(CaseVerdict.NOT_MEASURED),
        skipped=len(every) - len(run),
        watched_failing=sum(case.verdict is CaseVerdict.FAIL and not case.gated for case in run),
    )


def summarise_suites(
    suites: Iterable[SuiteRecord], cases: Sequence[CaseSummary], requests: pd.DataFrame
) -> tuple[SuiteSummary, ...]:
    """Return each suite with its tally; its cost is None as soon as one price is unknown.

    `requests` holds everything that was paid, judges and simulated users too: a suite's cost limit is for all of it.
    """
    summaries = []
    for suite in suites:
        own = requests[requests["suite"] == suite.path]
        cost = None if unpriced(own).any() else total_cost(own)
        summaries.append(SuiteSummary(suite, tally(case for case in cases if case.suite == suite.path), cost))
    return tuple(summaries)


def rate_tags(cases: Iterable[CaseSummary]) -> tuple[TagSummary, ...]:
    """Return the pass rate of each tag, lowest first.

    The interval counts clusters, because variants of one case are not independent.
    """
    by_tag: dict[str, list[CaseSummary]] = {}
    for case in cases:
        if case.skip is None and case.verdict is not CaseVerdict.NOT_MEASURED:
            for tag in case.tags:
                by_tag.setdefault(tag, []).append(case)
    return tuple(sorted((_rate(tag, tagged) for tag, tagged in by_tag.items()), key=_lowest_first))


def _lowest_first(tag: TagSummary) -> tuple[float, str]:
    return tag.passed / tag.cases, tag.tag


def _rate(tag: str, cases: Sequence[CaseSummary]) -> TagSummary:
    passed = sum(case.verdict in (CaseVerdict.PASS, CaseVerdict.UNSTABLE) for case in cases)
    units = len({(case.suite, case.cluster or f"case {case.case_id}") for case in cases})
    return TagSummary(tag, passed, len(cases), units, share_interval(passed / len(cases), units), rate_over(cases))


def critical_keys(cases: Iterable[CaseRecord]) -> frozenset[CaseKey]:
    """Return the keys of the critical cases."""
    return frozenset((case.suite, case.case_id) for case in cases if case.critical)


def required_passes(case: CaseRecord) -> int:
    """Return how many trials of a case must pass: all of them when it is critical."""
    return max(case.min_pass, case.trials) if case.critical else case.min_pass


def case_verdict(passed: int, failed: int, planned: int, min_pass: int) -> CaseVerdict:
    """Return the verdict of a case from its trials; those neither passed nor failed are not measured.

    A case is decided as soon as the open trials cannot change it: enough passes make it at least unstable, too many
    failures make it fail. Everything else is not measured.
    """
    if passed >= planned > 0:
        return CaseVerdict.PASS
    if passed >= min_pass > 0:
        return CaseVerdict.UNSTABLE
    if planned - failed < min_pass:
        return CaseVerdict.FAIL
    return CaseVerdict.NOT_MEASURED
