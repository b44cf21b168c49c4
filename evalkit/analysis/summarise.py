"""Puts a Summary together from the records of a run, in one pass over its trials.

Knows the order of the work, and which few trials show best why a case did not pass; the numbers come from `cases.py`
and `metrics.py`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from evalkit.analysis.cases import critical_keys, rate_tags, summarise_cases, summarise_suites, tally, with_strangers
from evalkit.analysis.metrics import (
    CriterionCounts,
    count_rules,
    list_failures,
    measure_times,
    rate_over,
    sum_cache,
    sum_money,
    sum_side_money,
    sum_turns,
)
from evalkit.analysis.rows import CostSplit, Rows, with_asides
from evalkit.labels import Label
from evalkit.pricing import cost_of
from evalkit.records import (
    CaseKey,
    CaseRecord,
    Details,
    Judgement,
    PromptVersion,
    RunEnd,
    RunHeader,
    SuiteRecord,
    Summary,
    Trial,
    TrialVerdict,
    Usage,
)

DETAIL_LIMIT = 60
"""More than any screen shows (12) or page opens (20), because some of these cases turn out unstable."""


@dataclass(frozen=True)
class Analysis:
    """The summary of a run, and for cases that did not pass the trial that shows why."""

    summary: Summary
    details: Details


class RecordedRun(Protocol):
    """A run as its record tells it; `store.RunReader` is one."""

    @property
    def header(self) -> RunHeader:
        """The first line."""

    @property
    def suites(self) -> Sequence[SuiteRecord]:
        """The suites that were measured."""

    @property
    def prompts(self) -> Mapping[str, PromptVersion]:
        """The prompt versions by hash."""

    @property
    def cases(self) -> Sequence[CaseRecord]:
        """The selected cases, in the order of the suites."""

    @property
    def end(self) -> RunEnd | None:
        """Why the run ended, or None when it never came to its end."""

    @property
    def judge_tests(self) -> Sequence[Judgement]:
        """The answers of the judges' own tests."""

    def trials(self) -> Iterable[Trial]:
        """Yield every finished trial, one at a time."""


def analyse(run: RecordedRun, labels: Mapping[str, Sequence[Label]] | None = None) -> Analysis:
    """Summarise a run and keep the trials that show why cases did not pass; each trial is read once and let go.

    `labels` are what people said about judged replies, by suite. Raises EvalkitError when a trial stands in the record
    twice.
    """
    rows = Rows(_price_split(run.header))
    why = WhyTrials(critical_keys(run.cases))
    criteria = CriterionCounts()
    for test in run.judge_tests:
        rows.add_aside(("", "", 0), "judge", test.request)
    for trial in run.trials():
        rows.add(trial)
        criteria.add(trial)
        why.offer(trial)
    summary = _summary(run, rows)
    return Analysis(replace(summary, criteria=criteria.summaries(run.suites, labels or {})), why.trials)


def summarise(run: RecordedRun) -> Summary:
    """Return the summary alone; see `analyse`."""
    return analyse(run).summary


def _summary(run: RecordedRun, rows: Rows) -> Summary:
    requests, turns, asides = rows.requests(), rows.turns(), rows.asides()
    cases = summarise_cases(with_strangers(run.cases, rows), rows)
    return Summary(
        header=run.header,
        end=run.end,
        suites=summarise_suites(run.suites, cases, with_asides(requests, asides)),
        prompts=_versions(run.prompts.values()),
        cases=cases,
        tally=tally(cases),
        rules=count_rules(rows.scores(), rows.places),
        tags=rate_tags(cases),
        money=sum_money(requests),
        cache=sum_cache(requests, rows.cache),
        first_token=measure_times(turns["first_token_ms"]),
        whole_reply=measure_times(turns["total_ms"]),
        turns=sum_turns(requests),
        requests=int(requests["final"].sum()),
        retries=rows.retries,
        cached=rows.cached,
        cached_usd=rows.cached_usd,
        failures=list_failures(rows.failures.values()),
        side_money=sum_side_money(asides),
        trial_rate=rate_over(cases),
    )


def _price_split(header: RunHeader) -> CostSplit:
    """Return how a cost splits by token kind at the list prices of the run's day; the sum stays the recorded one."""
    day = datetime.fromisoformat(header.started).date()

    def split(model: str, usage: Usage) -> tuple[float, float, float, float] | None:
        cost = cost_of(model, usage, when=day)
        return (cost.input_usd, cost.cache_write_usd, cost.cache_read_usd, cost.output_usd) if cost else None

    return split


class WhyTrials:
    """One trial per case that did not pass: the first failed, else the first not measured.

    At most `limit` are held; failures of critical cases push out failures, and those push out what was not measured.
    """

    def __init__(self, critical: Container[CaseKey] = (), limit: int = DETAIL_LIMIT) -> None:
        self._critical = critical
        self._limit = limit
        self._kept: dict[CaseKey, tuple[int, Trial]] = {}

    @property
    def trials(self) -> dict[CaseKey, Trial]:
        """The kept trials by case."""
        return {key: trial for key, (_, trial) in self._kept.items()}

    def offer(self, trial: Trial) -> None:
        """Keep the trial if it says more than what is held."""
        rank = self._rank(trial)
        key = (trial.key.suite, trial.key.case_id)
        if rank is None or (key in self._kept and self._order(key) <= (rank, trial.key.trial)):
            return
        self._kept[key] = (rank, trial)
        if len(self._kept) > self._limit:
            weakest = max(self._kept, key=lambda kept: self._kept[kept][0])
            del self._kept[weakest]

    def _order(self, key: CaseKey) -> tuple[int, int]:
        rank, trial = self._kept[key]
        return rank, trial.key.trial

    def _rank(self, trial: Trial) -> int | None:
        verdict = trial.score.verdict if trial.score else TrialVerdict.NOT_MEASURED
        if verdict is TrialVerdict.PASSED:
            return None
        critical = (trial.key.suite, trial.key.case_id) in self._critical
        return (0 if verdict is TrialVerdict.FAILED else 2) + (0 if critical else 1)


def _versions(renderings: Iterable[PromptVersion]) -> tuple[PromptVersion, ...]:
    """Return each prompt version once, as it was first rendered."""
    versions: dict[str, PromptVersion] = {}
    for one in renderings:
        versions.setdefault(one.template_sha or one.sha, one)
    return tuple(versions.values())
