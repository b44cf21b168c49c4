"""Puts a Summary together from the records of a run, in one pass over its trials.

Knows the order of the work; the numbers come from `cases.py` and `metrics.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from evalkit.analysis.cases import (
    critical_keys,
    rate_tags,
    summarise_cases,
    summarise_suites,
    tally,
    with_strangers,
)
from evalkit.analysis.details import WhyTrials
from evalkit.analysis.judges import CriterionCounts, sum_side_money
from evalkit.analysis.metrics import count_rules, list_failures, measure_times, sum_cache, sum_money, sum_turns
from evalkit.analysis.rates import rate_over
from evalkit.analysis.rows import CostSplit, Rows, with_asides
from evalkit.labels import Label
from evalkit.pricing import cost_of
from evalkit.records import (
    CaseRecord,
    Details,
    Judgement,
    PromptVersion,
    RunEnd,
    RunHeader,
    SuiteRecord,
    Summary,
    Trial,
    Usage,
)


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
        prompts=tuple(run.prompts.values()),
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
