"""A comparison from end to end: the two arms, what a suite was compared with, the decision, and what explains it.

The counts of a case, what is stored of it, what both arms come to, and a run's verdict are one family, whoever stores
or shows them. Frozen value types that the gate and the analysis fill. Differences and shares are -1 to 1, p values
one-sided against "the candidate is worse". None means that nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from evalkit.records.project import CaseKey


class Arm(StrEnum):
    """The two sides of a comparison."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"


class Stage(StrEnum):
    """Why a trial was played: a suite's own round, one more round, a closer look at a suspect, a check of the store,
    or one more trial of a critical case.

    Rounds count for rates and differences; the others were chosen because of what was seen before and do not.
    """

    ROUND = "round"
    MORE = "more"
    CONFIRM = "confirm"
    DRIFT = "drift"
    MUST_PASS = "must-pass"


class Counts(NamedTuple):
    """Trials of one case in one arm; `errors` came to no verdict and count on neither side."""

    passed: int = 0
    failed: int = 0
    errors: int = 0

    @property
    def valid(self) -> int:
        """Trials that passed or failed."""
        return self.passed + self.failed


BaselineUse = Literal["stored", "fresh", "none"]
"""Stored trials count; they do not and the old version is played now; or there is nothing to compare with."""


@dataclass(frozen=True)
class StoredCase:
    """What is stored of one case: its trials, and what one trial cost and said on average (None when unknown).

    `broken` counts, by rule, the trials in which it broke; None when only the sum over all cases was stored.
    `prompt_sha` is set where they were played with another prompt version than the rest of the baseline.
    """

    counts: Counts
    cost_usd: float | None = None
    output_tokens: float | None = None
    broken: Mapping[str, int] | None = None
    prompt_sha: str = ""


@dataclass(frozen=True)
class BaselineRecord:
    """The baseline of one suite in a run, written before the first trial, so that the verdict can be told again.

    `name` is how people call it: a file, a run, a prompt reference. `cases` holds those that are comparable, `new` the
    cases that are not in the baseline or were changed since, `vanished` those of the baseline that are gone. `note`
    says why the stored trials are not used, with what mends it. `required` marks a suite that asks for the comparison:
    without one there is no verdict. `commit` and `conditions` (source, model, hashes of parameters and judge) are those
    of its trials, empty where they were not stored.
    """

    suite: str
    name: str
    use: BaselineUse
    prompt_ref: str = ""
    prompt_sha: str = ""
    blessed: str = ""
    note: str = ""
    required: bool = False
    cases: Mapping[str, StoredCase] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    rules: Mapping[str, int] = field(default_factory=dict)
    commit: str = ""
    conditions: Mapping[str, str] = field(default_factory=dict)


class Verdict(StrEnum):
    """The verdict of a comparison.

    Worse: a fall that chance does not explain. Better: a rise that it does not. Not worse: a fall of more than the
    margin is excluded. Can't tell: neither. No verdict: too little was measured to say anything.
    """

    WORSE = "worse"
    BETTER = "better"
    NOT_WORSE = "not worse"
    CANT_TELL = "can't tell"
    NO_VERDICT = "no verdict"


class Ground(StrEnum):
    """What makes a comparison worse."""

    MUST_PASS = "critical case failed"
    SIDE_BY_SIDE = "side by side"
    STORED = "stored baseline"
    BOTH_FRESH = "both played now"
    BUDGET = "budget"


class LookName(StrEnum):
    """The looks at the data, in order."""

    SCREEN = "first look"
    CONFIRM = "suspects side by side"
    EXTEND = "second look"
    DRIFT = "baseline today"


@dataclass(frozen=True)
class Look:
    """One test of the data: both statistics, the level it was held to, and whether it was significant."""

    name: LookName
    cases: int
    breadth: float
    breaks: float
    p: float
    level: float

    @property
    def red(self) -> bool:
        """Whether chance does not explain what was seen."""
        return self.p <= self.level


@dataclass(frozen=True)
class Interval:
    """A difference or ratio with its 90 % interval, so that each bound holds at 95 %.

    `clusters` is how many groups of cases it rests on when it speaks of new cases like these.
    """

    value: float
    low: float
    high: float
    se: float
    clusters: int | None = None


class CaseChange(StrEnum):
    """What the trials say of one case."""

    CLEARLY_WORSE = "clearly worse"
    SUSPECT = "suspect"
    NOISE = "within noise"
    UNMEASURED = "not measured"


@dataclass(frozen=True)
class ComparedCase:
    """One case in both arms: counts over the rounds, and over the closer look where there was one.

    `p` is the case's own; `adjusted_p` holds for all the cases looked at together and is what names a case.
    """

    key: CaseKey
    change: CaseChange
    baseline: Counts
    candidate: Counts
    confirm_baseline: Counts | None = None
    confirm_candidate: Counts | None = None
    p: float | None = None
    adjusted_p: float | None = None
    critical: bool = False

    @property
    def difference(self) -> float | None:
        """The candidate's pass rate minus the baseline's, over the rounds; None when an arm has no valid trial."""
        if not self.baseline.valid or not self.candidate.valid:
            return None
        return self.candidate.passed / self.candidate.valid - self.baseline.passed / self.baseline.valid


@dataclass(frozen=True)
class MetricChange:
    """How a continuous metric changed per case: geometric mean ratio, and the ratio of the sums.

    `limit` is the largest increase that is allowed (0.1 for 10 %), None for a report only. `over` says that even the
    interval's lower end is above it, `near` that the estimate is.
    """

    metric: str
    ratio: Interval
    totals: float | None
    cases: int
    limit: float | None = None

    @property
    def over(self) -> bool:
        """Whether the increase is proven to be too large."""
        return self.limit is not None and self.ratio.low > 1 + self.limit

    @property
    def near(self) -> bool:
        """Whether the estimate is above the limit and the interval is not."""
        return self.limit is not None and not self.over and self.ratio.value > 1 + self.limit


@dataclass(frozen=True)
class Decision:
    """The gate's verdict on two arms.

    `delta` is the mean difference of pass rates over the rounds, for these very cases; `delta_beyond` the same for new
    cases like them, where cases have clusters. `margin` is the fall that counts as one. `detectable` is the uniform
    drop that these numbers of trials see in four of five runs. `accepted` are clearly worse cases that the suite
    allows. `calls` counts the trials asked for.
    """

    verdict: Verdict
    grounds: tuple[Ground, ...]
    looks: tuple[Look, ...]
    overall_p: float | None
    delta: Interval | None
    delta_beyond: Interval | None
    cases: tuple[ComparedCase, ...]
    margin: float
    fresh: bool
    stale: bool = False
    trade_off: bool = False
    fragile: bool = False
    more_errors: bool = False
    problem: str = ""
    must_pass_failed: tuple[CaseKey, ...] = ()
    must_pass_clean: int | None = None
    accepted: tuple[CaseKey, ...] = ()
    unplayed: tuple[str, ...] = ()
    detectable: float | None = None
    calls: int = 0
    metrics: tuple[MetricChange, ...] = ()

    @property
    def clearly_worse(self) -> tuple[ComparedCase, ...]:
        """The cases that are named, strongest evidence first."""
        return tuple(case for case in self.cases if case.change is CaseChange.CLEARLY_WORSE)

    @property
    def suspects(self) -> tuple[ComparedCase, ...]:
        """The cases that looked worse and were not proven to be."""
        return tuple(case for case in self.cases if case.change is CaseChange.SUSPECT)


@dataclass(frozen=True)
class StageTrials:
    """Trials of one arm in one stage; no stage are those that were stored with the baseline, not played in this run."""

    stage: Stage | None
    arm: Arm
    counts: Counts


@dataclass(frozen=True)
class SuiteComparison:
    """One suite's part of a comparison.

    With a single compared suite `verdict`, `p` and `delta` are those of the whole. With several, the whole decides:
    a suite is worse where the whole is and the suite's own cases show it, and `p` is that of its rounds, adjusted for
    the number of suites.
    """

    baseline: BaselineRecord
    verdict: Verdict
    cases: int
    p: float | None
    delta: Interval | None
    trials: tuple[StageTrials, ...] = ()


@dataclass(frozen=True)
class RateChange:
    """How often the cases of a tag passed, or a rule held, in both arms: a diagnosis, which decides nothing.

    Counted in trials of `cases` cases; the 95 % Wilson intervals are over those, None below ten of them. `p` is exact
    and one-sided for "worse", `q` Benjamini-Hochberg's over all tags, or all rules.
    """

    name: str
    cases: int
    baseline: Counts
    candidate: Counts
    baseline_interval: tuple[float, float] | None
    candidate_interval: tuple[float, float] | None
    p: float
    q: float


@dataclass(frozen=True)
class RunComparison:
    """A run beside its baselines; `name` is what people call the other side, `sentence` the verdict in words.

    No decision where there was nothing to compare with; `suites` says why. `tags` and `rules` are diagnoses, the
    likeliest falls first.
    """

    name: str
    sentence: str
    decision: Decision | None
    suites: tuple[SuiteComparison, ...]
    tags: tuple[RateChange, ...] = ()
    rules: tuple[RateChange, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict of the whole."""
        return self.decision.verdict if self.decision else Verdict.NO_VERDICT

    @property
    def by_key(self) -> dict[CaseKey, ComparedCase]:
        """The compared cases by key."""
        return {case.key: case for case in (self.decision.cases if self.decision else ())}


@dataclass(frozen=True)
class PromptChange:
    """The difference of two prompt versions: unified lines, and what changed beside the text, a line each."""

    baseline_ref: str
    candidate_ref: str
    lines: tuple[str, ...]
    words: str
    beside: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the versions are the same."""
        return not self.lines and not self.beside


@dataclass(frozen=True)
class FirstDifference:
    """Where the paths of two conversations part: the first action that is not the same in both."""

    key: CaseKey
    turn: int
    baseline: str
    candidate: str
    baseline_reply: str = ""
    candidate_reply: str = ""


@dataclass(frozen=True)
class Flips:
    """Cases by what they were and are: passed when at least the needed share of their rounds did."""

    better: tuple[CaseKey, ...] = ()
    worse: tuple[CaseKey, ...] = ()
    both_pass: int = 0
    both_fail: int = 0


@dataclass(frozen=True)
class Pair:
    """A number of the baseline and of the candidate."""

    baseline: float | None
    candidate: float | None


@dataclass(frozen=True)
class Contrast:
    """What a comparison shows beside its verdict.

    `rules` counts, by name, the share of trials in which a rule broke (0 to 1). `cost_usd` is of 100 conversations,
    `cached` the share of input read from the cache, times are medians in milliseconds.
    """

    baseline_name: str
    candidate_name: str
    source: str
    prompts: tuple[PromptChange, ...]
    flips: Flips
    differences: tuple[FirstDifference, ...]
    rules: tuple[tuple[str, Pair], ...]
    cost_usd: Pair
    cached: Pair
    first_token_ms: Pair
    total_ms: Pair
    cautions: tuple[str, ...] = ()
