"""What comes of comparing a candidate with its baseline: looks at the data, the verdict, and what explains it.

Frozen value types that the gate and the analysis fill and the reports show; what carries a `Key` is published in
summary.json. Differences and shares are -1 to 1, p values one-sided against "the candidate is worse". None means that
nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

from evalkit.records.baseline import Arm, BaselineRecord, Counts, SourceKind, Stage
from evalkit.records.migration import Migration, Pair, Uses
from evalkit.records.project import CaseKey
from evalkit.records.published import FLAT, Key
from evalkit.records.run import Source


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

    name: Annotated[LookName, Key("Which look it was.", "suspects side by side")]
    cases: Annotated[int, Key("Cases it looked at.", 5)]
    breadth: float
    breaks: float
    p: Annotated[float, Key("Chance of such trials without a change.", 0.0004)]
    level: Annotated[float, Key("The level it was held to.", 0.015)]

    @property
    def red(self) -> Annotated[bool, Key("Whether chance does not explain what it saw.", True)]:
        """Whether chance does not explain what was seen."""
        return self.p <= self.level


@dataclass(frozen=True)
class Interval:
    """A difference or ratio with its 90 % interval, so that each bound holds at 95 %.

    `clusters` is how many groups of cases it rests on when it speaks of new cases like these.
    """

    value: Annotated[float, Key("The estimate.", -0.071)]
    low: Annotated[float, Key("The lower bound.", -0.11)]
    high: Annotated[float, Key("The upper bound.", -0.032)]
    se: float
    clusters: Annotated[
        int | None, Key("Groups of cases it rests on; null when it speaks of these very cases.", None)
    ] = None


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
    change: Annotated[CaseChange, Key("What its trials say.", "clearly worse")]
    baseline: Annotated[Counts, Key("Rounds of the baseline.", {"passed": 5, "failed": 0, "not_measured": 0})]
    candidate: Annotated[Counts, Key("Rounds of the candidate.", {"passed": 1, "failed": 2, "not_measured": 0})]
    confirm_baseline: Annotated[
        Counts | None, Key("The baseline in the closer look; null without one.", None, "baseline_again")
    ] = None
    confirm_candidate: Annotated[
        Counts | None, Key("The candidate in the closer look; null without one.", None, "candidate_again")
    ] = None
    p: Annotated[float | None, Key("Chance of such rounds of this case without a change.", 0.107)] = None
    adjusted_p: Annotated[float | None, Key("The same over all cases looked at, which names a case.", 0.003)] = None
    critical: Annotated[bool, Key("Whether any failed trial of it is a failure.", True)] = False

    @property
    def suite(self) -> Annotated[str, Key("Its suite.", "suites/returns.yaml")]:
        """The suite's path."""
        return self.key[0]

    @property
    def case_id(self) -> Annotated[str, Key("Its id.", "lookup-keeps-failing")]:
        """The case's id within its suite."""
        return self.key[1]

    @property
    def difference(self) -> Annotated[float | None, Key("Pass rate now minus before, over the rounds.", -0.667)]:
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

    metric: Annotated[str, Key("cost_usd, output_tokens or total_ms.", "cost_usd")]
    ratio: Annotated[Interval, Key("Mean ratio of now to before over the cases; 1 is no change.", {"value": 1.17})]
    totals: Annotated[float | None, Key("Ratio of the sums, which is what the bill shows.", 1.15)]
    cases: Annotated[int, Key("Cases that have it on both sides.", 112)]
    limit: Annotated[float | None, Key("Largest increase the suites allow; null for a report only.", 0.1)] = None

    @property
    def over(self) -> Annotated[bool, Key("Proven to be above the limit.", True)]:
        """Whether the increase is proven to be too large."""
        return self.limit is not None and self.ratio.low > 1 + self.limit

    @property
    def near(self) -> Annotated[bool, Key("Above the limit, and not proven.", False)]:
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

    verdict: Annotated[Verdict, Key("The verdict of the comparison, over all suites.", "worse")]
    grounds: Annotated[tuple[Ground, ...], Key("What makes it worse.", ["side by side"])]
    looks: Annotated[tuple[Look, ...], Key("The tests, in the order in which they were made.", [])]
    overall_p: Annotated[float | None, Key("Chance of such trials without a change, over all looks.", 0.0013, "p")]
    delta: Annotated[Interval | None, Key("Difference of the mean pass rates, -1 to 1; null for one case.", None)]
    delta_beyond: Annotated[Interval | None, Key("The same for new cases like these, by clusters.", None)]
    cases: Annotated[tuple[ComparedCase, ...], Key("Every compared case, the strongest evidence first.", [])]
    margin: Annotated[float, Key("The fall that counts as one.", 0.05)]
    fresh: Annotated[bool, Key("Whether both sides were played in this run.", False)]
    stale: Annotated[bool, Key("Whether the baseline itself scores lower today than when it was stored.", False)] = (
        False
    )
    trade_off: Annotated[bool, Key("Worse although the mean rose: some cases broke, others improved.", False)] = False
    fragile: Annotated[bool, Key("Whether trials without a verdict could turn it around.", False)] = False
    more_errors: Annotated[bool, Key("Whether the candidate ends without a verdict more often.", False)] = False
    problem: Annotated[str, Key("Why there is no verdict; empty when there is one.", "")] = ""
    must_pass_failed: Annotated[
        tuple[CaseKey, ...], Key("Critical cases that failed a trial.", [["suites/returns.yaml", "legal-threat"]])
    ] = ()
    must_pass_clean: Annotated[
        int | None, Key("Fewest clean trials of a critical case; null when one failed or there is none.", 5)
    ] = None
    accepted: Annotated[
        tuple[CaseKey, ...], Key("Cases clearly worse and tolerated by their suite's max_regressions.", [])
    ] = ()
    unplayed: Annotated[tuple[str, ...], Key("Stages that were left out.", ["more rounds"], "not_played")] = ()
    detectable: Annotated[float | None, Key("Drop everywhere that such trials see in four of five runs.", 0.043)] = None
    calls: Annotated[int, Key("Trials that the comparison needed in this run.", 160, "trials_asked")] = 0
    metrics: Annotated[tuple[MetricChange, ...], Key("Cost, tokens written and time of a case.", [])] = ()

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
    """Trials of one arm in one stage; `stored` are those of the baseline's file, not played in this run."""

    stage: Annotated[
        Stage | Literal["stored"],
        Key("stored: with the baseline; round, more: all cases; confirm: suspects; drift: baseline today.", "confirm"),
    ]
    arm: Annotated[Arm, Key("The side.", "candidate")]
    counts: Annotated[Counts, FLAT]


@dataclass(frozen=True)
class SuiteComparison:
    """One suite's part of a comparison.

    With a single compared suite `verdict`, `p` and `delta` are those of the whole. With several, the whole decides:
    a suite is worse where the whole is and the suite's own cases show it, and `p` is that of its rounds, adjusted for
    the number of suites.
    """

    baseline: Annotated[BaselineRecord, Key("What it was compared with.", {"name": "suites/returns.baseline.json"})]
    verdict: Annotated[Verdict, Key("Its verdict.", "worse")]
    cases: Annotated[int, Key("Cases that both sides have.", 21)]
    p: Annotated[float | None, Key("Chance of such trials without a change; adjusted for the number of suites.", 0.002)]
    delta: Annotated[Interval | None, Key("Difference of the mean pass rates, -1 to 1; null for one case.", None)]
    trials: Annotated[tuple[StageTrials, ...], Key("Trials by stage and arm.", [{"stage": "round"}])] = ()

    @property
    def suite(self) -> Annotated[str, Key("The suite.", "suites/returns.yaml")]:
        """The suite's path."""
        return self.baseline.suite


@dataclass(frozen=True)
class RateChange:
    """How often the cases of a tag passed, or a rule held, in both arms: a diagnosis, which decides nothing.

    Counted in trials of `cases` cases; the 95 % Wilson intervals are over those, None below ten of them. `p` is exact
    and one-sided for "worse", `q` Benjamini-Hochberg's over all tags, or all rules.
    """

    name: Annotated[str, Key("The tag or the rule.", "voice/brief")]
    cases: Annotated[int, Key("Cases that have it on both sides.", 14)]
    baseline: Annotated[Counts, Key("Trials of the baseline in which it held or not.", {"passed": 70})]
    candidate: Annotated[Counts, Key("Trials of the candidate in which it held or not.", {"passed": 31})]
    baseline_interval: Annotated[
        tuple[float, float] | None, Key("95 % Wilson interval over the cases; null below ten.", [0.78, 1.0])
    ]
    candidate_interval: Annotated[
        tuple[float, float] | None, Key("95 % Wilson interval over the cases; null below ten.", [0.48, 0.92])
    ]
    p: Annotated[float, Key("Chance of such trials without a change, exact, one-sided for worse.", 0.003)]
    q: Annotated[float, Key("Benjamini-Hochberg: share of chance findings up to this one. Does not gate.", 0.04)]


@dataclass(frozen=True)
class RunComparison:
    """A run beside its baselines; `name` is what people call the other side, `sentence` the verdict in words.

    No decision where there was nothing to compare with; `suites` says why. `tags` and `rules` are diagnoses, the
    likeliest falls first.
    """

    name: Annotated[str, Key("What it was compared with.", "suites/returns.baseline.json")]
    sentence: Annotated[str, Key("The verdict in words.", "not worse than main: a drop above 3.1 points is excluded")]
    decision: Annotated[Decision | None, Key("The decision about the whole; null with nothing to compare.", None)]
    suites: Annotated[tuple[SuiteComparison, ...], Key("Each suite's part in it.", [])]
    tags: Annotated[tuple[RateChange, ...], Key("Pass rates by tag; diagnostic, does not gate.", [])] = ()
    rules: Annotated[tuple[RateChange, ...], Key("How often each rule held; diagnostic, does not gate.", [])] = ()
    migrations: Annotated[
        tuple[Migration, ...], Key("What it means that another model was asked; empty when it is the same.", [])
    ] = ()

    @property
    def verdict(self) -> Annotated[Verdict, Key("The verdict in a word.", "worse")]:
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
class Unlike:
    """What two finished runs do not have in common beside the prompt, so that a difference may come from there.

    `sources` are those of the replies, baseline first, where they differ; `suites` are only in one of the runs.
    """

    sources: tuple[SourceKind, SourceKind] | None = None
    judges: bool = False
    suites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contrast:
    """What a comparison shows beside its verdict.

    `rules` counts, by name, the share of trials in which a rule broke (0 to 1). `unlabelled_judges` holds, by suite,
    the judge that may fail trials although no labels vouch for it, or None.
    """

    baseline_name: str
    candidate_name: str
    source: Source
    prompts: tuple[PromptChange, ...]
    flips: Flips
    differences: tuple[FirstDifference, ...]
    rules: tuple[tuple[str, Pair], ...]
    uses: Uses
    migrations: tuple[Migration, ...] = ()
    unlike: Unlike = field(default_factory=Unlike)
    unlabelled_judges: Mapping[str, str | None] = field(default_factory=dict)
