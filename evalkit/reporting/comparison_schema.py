"""The published shape of `comparison` in `summary.json`: how a run stands beside its baselines, key by key.

Only names, types, what they mean and an example of each; `comparison_json.py` fills them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from evalkit.records import Arm, BaselineUse, CaseChange, Ground, LookName, Stage, Verdict

StageName = Stage | Literal["stored"]


def key(description: str, example: Any) -> Any:
    """Return what the schema says about a key."""
    return Field(description=description, examples=[example])


@dataclass(frozen=True)
class CountsFile:
    """Trials of a case; those without a verdict count on neither side."""

    passed: Annotated[int, key("Trials that passed.", 5)]
    failed: Annotated[int, key("Trials that failed.", 0)]
    not_measured: Annotated[int, key("Trials without a verdict.", 0)]


@dataclass(frozen=True)
class IntervalFile:
    """A number with its 90 % interval, so that each bound holds at 95 %."""

    value: Annotated[float, key("The estimate.", -0.071)]
    low: Annotated[float, key("The lower bound.", -0.11)]
    high: Annotated[float, key("The upper bound.", -0.032)]
    clusters: Annotated[int | None, key("Groups of cases it rests on; null when it speaks of these very cases.", None)]


@dataclass(frozen=True)
class BaselineFile:
    """What a suite was compared with."""

    name: Annotated[str, key("Its file, run or prompt reference.", "suites/returns.baseline.json")]
    use: Annotated[
        BaselineUse,
        key("stored: its trials count. fresh: its version was played again. none: nothing to compare with.", "stored"),
    ]
    note: Annotated[str, key("Why stored trials are not used, and what mends it; empty when they are.", "")]
    blessed: Annotated[str, key("The day it was accepted; empty when it is no blessed file.", "2026-11-14")]
    commit: Annotated[str, key("Git revision of its trials; empty when not recorded.", "8d1f0c2")]
    prompt_ref: Annotated[str, key("Its prompt version.", "support@v3")]
    prompt_sha: Annotated[str, key("SHA-256 of that prompt with model, parameters and tools.", "3f9c1a20")]
    conditions: Annotated[
        dict[str, str],
        key("What its trials were made under: source, model, hashes of parameters and judge.", {"source": "live"}),
    ]
    required: Annotated[bool, key("Whether the suite has no verdict without it.", False)]
    new: Annotated[list[str], key("Cases that it does not have.", ["gift-card"])]
    changed: Annotated[list[str], key("Cases that have changed since, and are not compared.", [])]
    vanished: Annotated[list[str], key("Its cases that are gone.", [])]


@dataclass(frozen=True)
class StageFile:
    """Trials of one arm in one stage."""

    stage: Annotated[
        StageName,
        key("stored: with the baseline; round, more: all cases; confirm: suspects; drift: baseline today.", "confirm"),
    ]
    arm: Annotated[Arm, key("The side.", "candidate")]
    passed: Annotated[int, key("Trials that passed.", 3)]
    failed: Annotated[int, key("Trials that failed.", 13)]
    not_measured: Annotated[int, key("Trials without a verdict.", 0)]


@dataclass(frozen=True)
class SuiteComparisonFile:
    """One suite beside its baseline. With several suites only the verdict of the whole turns a run red."""

    suite: Annotated[str, key("The suite.", "suites/returns.yaml")]
    verdict: Annotated[Verdict, key("Its verdict.", "worse")]
    cases: Annotated[int, key("Cases that both sides have.", 21)]
    p: Annotated[float | None, key("Chance of such trials without a change; adjusted for the number of suites.", 0.002)]
    delta: Annotated[IntervalFile | None, key("Difference of the mean pass rates, -1 to 1; null for one case.", None)]
    baseline: Annotated[BaselineFile, key("What it was compared with.", {"name": "suites/returns.baseline.json"})]
    trials: Annotated[list[StageFile], key("Trials by stage and arm.", [{"stage": "round", "arm": "candidate"}])]


@dataclass(frozen=True)
class LookFile:
    """One test of the data."""

    name: Annotated[LookName, key("Which look it was.", "suspects side by side")]
    cases: Annotated[int, key("Cases it looked at.", 5)]
    p: Annotated[float, key("Chance of such trials without a change.", 0.0004)]
    level: Annotated[float, key("The level it was held to.", 0.015)]
    red: Annotated[bool, key("Whether chance does not explain what it saw.", True)]


@dataclass(frozen=True)
class ComparedCaseFile:
    """One case in both arms. Rounds count for the difference; trials of a closer look were chosen and do not."""

    suite: Annotated[str, key("Its suite.", "suites/returns.yaml")]
    case_id: Annotated[str, key("Its id.", "lookup-keeps-failing")]
    change: Annotated[CaseChange, key("What its trials say.", "clearly worse")]
    confirmed: Annotated[bool, key("Proven to be worse; wrong for any case in one of twenty runs at most.", True)]
    suspect: Annotated[bool, key("Looked worse and may be chance.", False)]
    accepted: Annotated[bool, key("Clearly worse and tolerated by the suite's max_regressions.", False)]
    critical: Annotated[bool, key("Whether any failed trial of it is a failure.", True)]
    baseline: Annotated[CountsFile, key("Rounds of the baseline.", {"passed": 5, "failed": 0, "not_measured": 0})]
    candidate: Annotated[CountsFile, key("Rounds of the candidate.", {"passed": 1, "failed": 2, "not_measured": 0})]
    baseline_again: Annotated[CountsFile | None, key("The baseline in the closer look; null without one.", None)]
    candidate_again: Annotated[CountsFile | None, key("The candidate in the closer look; null without one.", None)]
    difference: Annotated[float | None, key("Pass rate now minus before, over the rounds.", -0.667)]
    p: Annotated[float | None, key("Chance of such rounds of this case without a change.", 0.107)]
    adjusted_p: Annotated[float | None, key("The same over all cases looked at, which names a case.", 0.003)]


@dataclass(frozen=True)
class RateFile:
    """How often the cases of a tag passed, or a rule held, before and now: diagnostic, does not gate."""

    name: Annotated[str, key("The tag or the rule.", "voice/brief")]
    cases: Annotated[int, key("Cases that have it on both sides.", 14)]
    baseline: Annotated[CountsFile, key("Trials of the baseline in which it held or not.", {"passed": 70})]
    candidate: Annotated[CountsFile, key("Trials of the candidate in which it held or not.", {"passed": 31})]
    baseline_interval: Annotated[
        tuple[float, float] | None, key("95 % Wilson interval over the cases; null below ten.", [0.78, 1.0])
    ]
    candidate_interval: Annotated[
        tuple[float, float] | None, key("95 % Wilson interval over the cases; null below ten.", [0.48, 0.92])
    ]
    p: Annotated[float, key("Chance of such trials without a change, exact, one-sided for worse.", 0.003)]
    q: Annotated[float, key("Benjamini-Hochberg: share of chance findings up to this one. Does not gate.", 0.04)]


@dataclass(frozen=True)
class MetricFile:
    """How a metric changed from case to case."""

    metric: Annotated[str, key("cost_usd, output_tokens or total_ms.", "cost_usd")]
    ratio: Annotated[IntervalFile, key("Mean ratio of now to before over the cases; 1 is no change.", {"value": 1.17})]
    totals: Annotated[float | None, key("Ratio of the sums, which is what the bill shows.", 1.15)]
    cases: Annotated[int, key("Cases that have it on both sides.", 112)]
    limit: Annotated[float | None, key("Largest increase the suites allow; null for a report only.", 0.1)]
    over: Annotated[bool, key("Proven to be above the limit.", True)]
    near: Annotated[bool, key("Above the limit, and not proven.", False)]


@dataclass(frozen=True)
class ComparisonFile:
    """How a run stands beside its baselines. Differences and shares are -1 to 1, p values one-sided for "worse"."""

    name: Annotated[str, key("What it was compared with.", "suites/returns.baseline.json")]
    verdict: Annotated[Verdict, key("The verdict of the comparison, over all suites.", "worse")]
    sentence: Annotated[str, key("The verdict in words.", "not worse than main: a drop above 3.1 points is excluded")]
    grounds: Annotated[list[Ground], key("What makes it worse.", ["side by side"])]
    problem: Annotated[str, key("Why there is no verdict; empty when there is one.", "")]
    p: Annotated[float | None, key("Chance of such trials without a change, over all looks.", 0.0013)]
    delta: Annotated[IntervalFile | None, key("Difference of the mean pass rates; null for one case.", None)]
    delta_beyond: Annotated[IntervalFile | None, key("The same for new cases like these, by clusters.", None)]
    margin: Annotated[float | None, key("The fall that counts as one.", 0.05)]
    detectable: Annotated[float | None, key("Drop everywhere that such trials see in four of five runs.", 0.043)]
    fresh: Annotated[bool, key("Whether both sides were played in this run.", False)]
    stale: Annotated[bool, key("Whether the baseline itself scores lower today than when it was stored.", False)]
    trade_off: Annotated[bool, key("Worse although the mean rose: some cases broke, others improved.", False)]
    fragile: Annotated[bool, key("Whether trials without a verdict could turn it around.", False)]
    more_errors: Annotated[bool, key("Whether the candidate ends without a verdict more often.", False)]
    trials_asked: Annotated[int, key("Trials that the comparison needed in this run.", 160)]
    not_played: Annotated[list[str], key("Stages that were left out.", ["more rounds"])]
    looks: Annotated[list[LookFile], key("The tests, in the order in which they were made.", [])]
    suites: Annotated[list[SuiteComparisonFile], key("Each suite's part in it.", [])]
    cases: Annotated[list[ComparedCaseFile], key("Every compared case, the strongest evidence first.", [])]
    metrics: Annotated[list[MetricFile], key("Cost, tokens written and time of a case.", [])]
    tags: Annotated[list[RateFile], key("Pass rates by tag; diagnostic, does not gate.", [])]
    rules: Annotated[list[RateFile], key("How often each rule held; diagnostic, does not gate.", [])]
