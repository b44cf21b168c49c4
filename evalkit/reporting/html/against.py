"""How a run stands beside its baselines, as the page shows it: the verdict, where it comes from, and what changed.

Knows which of a comparison's numbers a reader needs and in which words; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.records import (
    Arm,
    BaselineRecord,
    CaseChange,
    CaseKey,
    ComparedCase,
    Counts,
    Interval,
    MetricChange,
    RateChange,
    RunComparison,
    Stage,
    Statement,
    SuiteComparison,
    Topic,
)
from evalkit.reporting.migration import Line, migration_lines, use_lines
from evalkit.wording import METRIC_WORDS, percent_change, plural, points

Q_TOLD = 0.1
_STAGE_WORDS: dict[Stage | Literal["stored"], str] = {
    "stored": "stored with the baseline",
    Stage.ROUND: "rounds over all cases",
    Stage.MORE: "more rounds over all cases",
    Stage.CONFIRM: "suspects again, side by side",
    Stage.DRIFT: "the baseline as it is today",
    Stage.MUST_PASS: "critical cases, more trials",
}
_REACH = 0.1
"""The drawing of a difference shows at least this much on both sides of zero."""


@dataclass(frozen=True)
class BesideBaseline:
    """A case beside its baseline: `chip` is empty when nothing about it stands out."""

    words: str
    chip: str = ""
    slug: str = ""


@dataclass(frozen=True)
class IntervalDrawing:
    """A difference on a line from 0 to 100: the interval, its estimate, zero, and the fall that counts as one."""

    low: float
    high: float
    value: float
    zero: float
    margin: float


@dataclass(frozen=True)
class SuiteLine:
    """A suite's part: what it was compared with and what came of it."""

    suite: str
    verdict: str
    delta: str
    baseline: str
    note: str


@dataclass(frozen=True)
class AgainstView:
    """The section; every list may be empty."""

    sentence: str
    verdict: str
    delta: str
    drawn: IntervalDrawing | None
    suites: tuple[SuiteLine, ...]
    worse: tuple[ComparedCase, ...]
    suspects: tuple[ComparedCase, ...]
    rose: tuple[ComparedCase, ...]
    trials: tuple[tuple[str, str, str], ...]
    metrics: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]
    cases: int
    rates: tuple[tuple[str, tuple[RateChange, ...]], ...]
    migrations: tuple[tuple[Line, ...], ...]

    @property
    def fallen(self) -> int:
        """How many tags and rules are lower with a q that says more than chance."""
        return sum(change.q <= Q_TOLD for _, changes in self.rates for change in changes)


def view_against(told: RunComparison | None, notes: Sequence[Statement]) -> AgainstView | None:
    """Return the section about a comparison; None when nothing was compared."""
    if told is None or told.decision is None:
        return None
    decision = told.decision
    rose = [case for case in decision.cases if (case.difference or 0) > 0]
    return AgainstView(
        sentence=told.sentence,
        verdict=decision.verdict.value,
        delta=interval_in_points(decision.delta),
        drawn=_draw(decision.delta, decision.margin),
        suites=tuple(_suite(suite) for suite in told.suites),
        worse=decision.clearly_worse,
        suspects=decision.suspects,
        rose=tuple(sorted(rose, key=lambda case: -(case.difference or 0))),
        trials=tuple(_trials(told.suites)),
        metrics=tuple(_metric(metric) for metric in decision.metrics),
        notes=tuple(note.words for note in notes if note.topic not in (Topic.METRIC, Topic.SUSPECTS)),
        cases=len(decision.cases),
        rates=(("Rule", _moved(told.rules)), ("Tag", _moved(told.tags))),
        migrations=tuple((*migration_lines(each), *use_lines(each.uses)) for each in told.migrations),
    )


def beside_baseline(told: RunComparison | None) -> Mapping[CaseKey, BesideBaseline]:
    """Return, by case, what it was and is."""
    return {key: _was(case) for key, case in told.by_key.items()} if told else {}


def _was(case: ComparedCase) -> BesideBaseline:
    words = f"was {_share(case.baseline)}, now {_share(case.candidate)}"
    if case.confirm_baseline is not None and case.confirm_candidate is not None:
        words += f"; again {_share(case.confirm_baseline)}, now {_share(case.confirm_candidate)}"
    if case.change is CaseChange.CLEARLY_WORSE:
        return BesideBaseline(words, "clearly worse", "worse")
    if case.change is CaseChange.SUSPECT:
        return BesideBaseline(words, "looks worse", "suspect")
    return BesideBaseline(words)


def _share(counts: Counts) -> str:
    return f"{counts.passed}/{counts.valid}" if counts.valid else "not measured"


def interval_in_points(interval: Interval | None) -> str:
    """Return a difference of pass rates with its interval: `−7.1 points (−11.0 to −3.2)`."""
    if interval is None:
        return "a single case has no interval"
    low, high = points(interval.low), points(interval.high)
    return f"{points(interval.value)} points ({low} to {high})"


def _draw(interval: Interval | None, margin: float) -> IntervalDrawing | None:
    if interval is None:
        return None
    reach = 1.1 * max(_REACH, abs(interval.low), abs(interval.high))

    def at(share: float) -> float:
        return round(50 + 50 * share / reach, 2)

    return IntervalDrawing(at(interval.low), at(interval.high), at(interval.value), at(0), at(-margin))


def _suite(part: SuiteComparison) -> SuiteLine:
    delta = interval_in_points(part.delta) if part.delta else ""
    return SuiteLine(part.baseline.suite, part.verdict.value, delta, _baseline(part.baseline), part.baseline.note)


def _baseline(record: BaselineRecord) -> str:
    """Return what a suite was compared with: its version, its day, and whether it was played again."""
    parts = [f"{record.prompt_ref} ({record.template_sha[:7]})" if record.prompt_ref else record.name]
    parts += [f"accepted {record.blessed}"] if record.blessed else []
    parts += ["played in this run"] if record.use == "fresh" else []
    return ", ".join(parts)


def _trials(suites: Iterable[SuiteComparison]) -> Iterable[tuple[str, str, str]]:
    """Yield each stage that was played with the passes of both arms, over all suites."""
    sums: dict[tuple[Stage | Literal["stored"], Arm], Counts] = {}
    for suite in suites:
        for trials in suite.trials:
            known = sums.get((trials.stage, trials.arm), Counts())
            sums[trials.stage, trials.arm] = Counts(*(a + b for a, b in zip(known, trials.counts, strict=True)))
    for stage in ("stored", *Stage):
        if any((stage, arm) in sums for arm in Arm):
            told = [_passed(sums.get((stage, arm))) for arm in Arm]
            yield _STAGE_WORDS[stage], told[0], told[1]


def _passed(counts: Counts | None) -> str:
    if counts is None:
        return ""
    lost = f", {counts.errors} not measured" if counts.errors else ""
    return f"{counts.passed} of {counts.valid}{lost}"


def _metric(metric: MetricChange) -> tuple[str, str, str]:
    """Return a metric's name, its change with interval, and how it stands to its limit."""
    ratio = metric.ratio
    change = f"{percent_change(ratio.value)} ({percent_change(ratio.low)} to {percent_change(ratio.high)})"
    limit = "" if metric.limit is None else f"at most +{metric.limit * 100:.0f} % is allowed"
    if metric.over:
        limit += ": proven to be more"
    elif metric.near:
        limit += ": above it, not proven"
    name = f"{METRIC_WORDS.get(metric.metric, metric.metric)} a case"
    return f"{name}, {plural(metric.cases, 'case')}", change, limit


def _moved(changes: Iterable[RateChange]) -> tuple[RateChange, ...]:
    """Return what holds more or less often than it did."""
    return tuple(
        change
        for change in changes
        if change.baseline.passed * change.candidate.valid != change.candidate.passed * change.baseline.valid
    )
