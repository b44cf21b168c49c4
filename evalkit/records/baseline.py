"""A baseline from the file to the run's record: the two arms, the counts of a case, what is stored of it, and when.

One family: `suites/NAME.baseline.json` is a `Baseline`, a run keeps what of it still holds as a `BaselineRecord`, and
both hold their cases as `BaselineCase`. Frozen value types. None means that nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from evalkit.records.published import Key

BASELINE_VERSION = 1

SourceKind = Literal["live", "stand-in", "replayed", "imported"]
BaselineUse = Literal["stored", "fresh", "none"]
"""Stored trials count; they do not and the old version is played now; or there is nothing to compare with."""


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

    passed: Annotated[int, Key("Trials that passed.", 5)] = 0
    failed: Annotated[int, Key("Trials that failed.", 0)] = 0
    errors: Annotated[int, Key("Trials without a verdict.", 0, "not_measured")] = 0

    @property
    def valid(self) -> int:
        """Trials that passed or failed."""
        return self.passed + self.failed


@dataclass(frozen=True)
class Conditions:
    """What trials were made under beside the prompt's text: other conditions, other trials.

    `place` is the host of an endpoint that is not Anthropic's own, or the file that was imported. `params_sha` and
    `judge_sha` are short hashes, `judge_sha` empty without a judge. `evalkit` is set for the stand-in only, whose
    behaviour is part of evalkit. `tools` names the functions that answered what the suite did not, and their version;
    empty where only the suite answered.
    """

    source: SourceKind
    model: str
    params_sha: str
    judge_sha: str = ""
    evalkit: str = ""
    place: str = ""
    tools: str = ""

    @property
    def source_name(self) -> str:
        """The source as people name it: `live`, `live, gateway.example`."""
        return f"{self.source}, {self.place}" if self.place else self.source


@dataclass(frozen=True)
class Origin:
    """Where the entry of a case comes from that was kept from an earlier baseline; `blessed` is its own day."""

    prompt_ref: str
    template_sha: str
    source: str
    blessed: str
    commit: str = ""


@dataclass(frozen=True)
class BaselineCase:
    """What is stored of one case: its short hash, its trials, and what one trial cost and said on average.

    `trials` are those with a verdict, `errors` those without. `broken` counts, by rule, the trials in which it broke.
    `origin` is set where the entry is older than its baseline.
    """

    sha: str
    passed: int
    trials: int
    errors: int = 0
    cost_usd: float | None = None
    output_tokens: float | None = None
    broken: Mapping[str, int] = field(default_factory=dict)
    origin: Origin | None = None

    @property
    def counts(self) -> Counts:
        """The trials as the gate counts them."""
        return Counts(self.passed, self.trials - self.passed, self.errors)


@dataclass(frozen=True)
class Baseline:
    """The baseline of one suite. `blessed` is a day, `rounds` the fewest trials of a case, `rules` broken ones."""

    suite: str
    blessed: str
    prompt_ref: str
    template_sha: str
    conditions: Conditions
    rounds: int
    commit: str = ""
    cost_usd: float | None = None
    rules: Mapping[str, int] = field(default_factory=dict)
    cases: Mapping[str, BaselineCase] = field(default_factory=dict)
    baseline_version: int = BASELINE_VERSION


@dataclass(frozen=True)
class BaselineRecord:
    """The baseline of one suite in a run, written before the first trial, so that the verdict can be told again.

    `name` is how people call it: a file, a run, a prompt reference. `cases` holds those that are comparable. `commit`
    and `conditions` (source, model, hashes of parameters and judge) are those of its trials, empty where they were not
    stored. `prompts` holds the hash of the version as it is rendered for each case that can be played with it.
    `broken_by_case` is False where only the sum of the broken rules is known, not in which cases they broke.
    """

    suite: str
    name: Annotated[str, Key("Its file, run or prompt reference.", "suites/returns.baseline.json")]
    use: Annotated[
        BaselineUse,
        Key("stored: its trials count. fresh: its version was played again. none: nothing to compare with.", "stored"),
    ]
    prompt_ref: Annotated[str, Key("Its prompt version.", "support@v3")] = ""
    template_sha: Annotated[
        str, Key("SHA-256 of that version whatever its inputs: texts, model, parameters, tools.", "3f9c1a20")
    ] = ""
    blessed: Annotated[str, Key("The day it was accepted; empty when it is no blessed file.", "2026-11-14")] = ""
    note: Annotated[str, Key("Why stored trials are not used, and what mends it; empty when they are.", "")] = ""
    required: Annotated[bool, Key("Whether the suite has no verdict without it.", False)] = False
    cases: Mapping[str, BaselineCase] = field(default_factory=dict)
    new: Annotated[tuple[str, ...], Key("Cases that it does not have.", ["gift-card"])] = ()
    changed: Annotated[tuple[str, ...], Key("Cases that have changed since, and are not compared.", [])] = ()
    vanished: Annotated[tuple[str, ...], Key("Its cases that are gone.", [])] = ()
    rules: Mapping[str, int] = field(default_factory=dict)
    commit: Annotated[str, Key("Git revision of its trials; empty when not recorded.", "8d1f0c2")] = ""
    conditions: Annotated[
        Mapping[str, str],
        Key("What its trials were made under: source, model, hashes of parameters and judge.", {"source": "live"}),
    ] = field(default_factory=dict)
    broken_by_case: bool = True
    prompts: Mapping[str, str] = field(default_factory=dict)
