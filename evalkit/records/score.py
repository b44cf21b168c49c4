"""What graders are asked and what they answer: assertions, findings, scores, verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from evalkit.records.project import Place
from evalkit.records.transcript import JsonObject

UNLABELLED: Literal["unlabelled"] = "unlabelled"
Enforce = bool | Literal["unlabelled"]
"""Whether a judge's no may fail a trial: not at all, as far as labels vouch for the judge, or although none do."""


class Level(StrEnum):
    """How much a broken assertion weighs: an error fails the trial, a warning is counted and shown, a suggestion is
    shown after them and is no warning."""

    ERROR = "error"
    WARNING = "warning"
    SUGGESTION = "suggestion"


class TrialVerdict(StrEnum):
    """The verdict of one trial, and of one assertion in it."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_MEASURED = "not measured"


class CaseVerdict(StrEnum):
    """The verdict of a case over its trials."""

    PASS = "pass"
    UNSTABLE = "unstable"
    FAIL = "fail"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Assertion:
    """One stated requirement, as a grader takes it.

    `kind` names the grader (`says`, `tools.calls`, `voice.existence`, `budget.cost_usd`, ...) and `params` are its
    parameters. `turn` is the turn it speaks of, counted from 1, or None for the whole conversation. `rule` names the
    brand-voice rule, if it is one. `label` is how reports name it: `never_says "on its way"`, `voice/plain-words`.
    """

    kind: str
    params: JsonObject
    place: Place
    label: str
    turn: int | None = None
    level: Level = Level.ERROR
    rule: str | None = None


@dataclass(frozen=True, order=True)
class Span:
    """Evidence in a reply: characters `start` to `end` (end excluded) of `turns[turn - 1].reply`."""

    turn: int
    start: int
    end: int


@dataclass(frozen=True)
class Finding:
    """What one grader found: the answer without the question.

    `observed` and `expected` are short texts for people (`0.42`, `at least 0.80`); `turn` is where it went wrong;
    `note` may hold more, such as the difference between expected and actual arguments.
    """

    verdict: TrialVerdict
    observed: str = ""
    expected: str = ""
    spans: tuple[Span, ...] = ()
    turn: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Score:
    """An assertion and what its grader found in one trial."""

    assertion: Assertion
    finding: Finding

    @property
    def fails_trial(self) -> bool:
        """Whether this score alone makes the trial fail."""
        return self.finding.verdict is TrialVerdict.FAILED and self.assertion.level is Level.ERROR


@dataclass(frozen=True)
class Agreement:
    """How far a judge agrees with people on one criterion: `agreed` of `labels` answers that both have given.

    `people_yes` and `judge_yes` are the base rates as counts. `kappa` is Cohen's, with its 95 % interval; None when
    agreement by chance is certain. `trusted` says whether it is enough to let the judge fail a trial.
    """

    criterion: str
    model: str
    labels: int
    agreed: int
    people_yes: int
    judge_yes: int
    kappa: float | None = None
    kappa_interval: tuple[float, float] | None = None
    trusted: bool = False

    @property
    def agreement(self) -> float | None:
        """The share of answers that agree; None without labels."""
        return self.agreed / self.labels if self.labels else None


@dataclass(frozen=True)
class JudgedRate:
    """How many of a run's answers a judge calls true, and what labels on some of them make of that rate.

    Answers that were given word for word the same count once, as people are asked about them once. `corrected` is the
    share (0 to 1) that people would call true, with its 95 % interval; None below ten labels on answers of the run.
    """

    answers: int
    yes: int
    labels: int
    corrected: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class TrialScore:
    """All scores of one trial, and the verdict they add up to; `reason` says why nothing was measured."""

    verdict: TrialVerdict
    scores: tuple[Score, ...] = field(default=())
    reason: str = ""
