"""What comparing a whole run has come to, for its reports: the decision, and each suite's part in it.

Frozen value types that the gate fills. None means that nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.records.arms import Arm, Counts, Stage
from evalkit.records.baseline import BaselineRecord
from evalkit.records.comparison import ComparedCase, Decision, Interval, Verdict
from evalkit.records.summary import CaseKey


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
