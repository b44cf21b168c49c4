"""What comes of comparing a candidate with its baseline: counts, looks at the data, the verdict and what led to it.

Frozen value types that the gate fills and the reports show. Differences and shares are 0 to 1, p values one-sided
against "the candidate is worse". None means that nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalkit.records.arms import Counts
from evalkit.records.summary import CaseKey


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
