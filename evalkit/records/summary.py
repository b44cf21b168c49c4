"""What a run comes to: the numbers that the gate judges and the reports show.

Frozen value types that the analysis fills; no arithmetic beyond counting what they hold. Costs are USD, times
milliseconds, shares 0 to 1. None means that nothing is known, and is never to be shown as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from evalkit.records.project import CaseKey, Place, PromptVersion
from evalkit.records.published import FLAT, Key
from evalkit.records.run import RunEnd, RunHeader, SuiteRecord, Trial
from evalkit.records.score import Agreement, CaseVerdict, Enforce, JudgedRate, Level, TrialVerdict

TokenKind = Literal["input", "cache write", "cache read", "output"]


@dataclass(frozen=True)
class TrialOutcome:
    """The verdict of one trial; `reason` names the first broken assertion, or why nothing was measured.

    `recorded` is False for a trial that was planned but never finished. `request_id` is the API's name of the request
    that failed, which its support will ask for; no part of the reason, so that one outage reads the same everywhere.
    """

    trial: int
    verdict: TrialVerdict
    reason: str = ""
    recorded: bool = True
    request_id: str | None = None


@dataclass(frozen=True)
class PassRate:
    """How often single trials passed: `passed` of the `trials` that were measured, in `cases` cases.

    `interval` is the 95 % Wilson interval, None below ten independent units (trials of one case, else clusters of
    cases). `pass_k` holds pass^1, pass^2, ...: the chance that k trials of a case all pass, C(c, k) / C(n, k) averaged
    over the cases with k trials or more. `flaky` counts cases that passed and failed.
    """

    passed: int
    trials: int
    cases: int
    flaky: int
    interval: tuple[float, float] | None = None
    pass_k: tuple[float, ...] = ()


@dataclass(frozen=True)
class CaseSummary:
    """One case over its trials.

    `trials` holds one outcome per planned trial, in order. `why` is one line: the assertion that broke most often, or
    what kept the case from being measured. `broken` and `warned` name rules (`voice/brief`, `tools.calls`), for errors
    and warnings. Times are medians over the turns, but for `played_ms`, which is the time of all replies of all trials;
    waiting before retries is in none of them. `row` is the row of a table that the case was made for.
    """

    suite: str
    case_id: str
    place: Place
    verdict: CaseVerdict
    trials: tuple[TrialOutcome, ...]
    min_pass: int
    critical: bool = False
    gated: bool = True
    skip: str | None = None
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    why: str = ""
    broken: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    requests: int = 0
    cost_usd: float | None = None
    cached_share: float | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None
    played_ms: float | None = None
    trial_rate: PassRate | None = None
    row: Place | None = None

    @property
    def flaky(self) -> Annotated[bool, Key("Whether it passed once and failed once.", False)]:
        """Whether the same conversation passed once and failed once."""
        return self.passed > 0 and self.failed > 0

    @property
    def key(self) -> CaseKey:
        """Suite and id, which name the case within the run."""
        return self.suite, self.case_id

    @property
    def passed(self) -> Annotated[int, Key("Trials that passed.", 3)]:
        """Trials that passed."""
        return self._count(TrialVerdict.PASSED)

    @property
    def failed(self) -> Annotated[int, Key("Trials that failed.", 0)]:
        """Trials that failed."""
        return self._count(TrialVerdict.FAILED)

    @property
    def not_measured(self) -> Annotated[int, Key("Trials that were planned and came to no verdict.", 0)]:
        """Trials that were planned and came to no verdict."""
        return self._count(TrialVerdict.NOT_MEASURED)

    @property
    def failed_request_id(self) -> str | None:
        """The API's name of the first request whose failure kept a trial from being measured; None without one."""
        return next((outcome.request_id for outcome in self.trials if outcome.request_id), None)

    def _count(self, verdict: TrialVerdict) -> int:
        return sum(outcome.verdict is verdict for outcome in self.trials)


@dataclass(frozen=True)
class Tally:
    """Cases by verdict, skipped ones apart; `watched_failing` is the part of `failing` that the gate leaves out."""

    passing: int = 0
    unstable: int = 0
    failing: int = 0
    not_measured: int = 0
    skipped: int = 0
    watched_failing: int = 0

    @property
    def cases(self) -> int:
        """Cases that were to be measured."""
        return self.passing + self.unstable + self.failing + self.not_measured


@dataclass(frozen=True)
class SuiteSummary:
    """One suite: its record, its cases by verdict, and what it cost (None when a price is unknown)."""

    record: Annotated[SuiteRecord, FLAT]
    tally: Annotated[Tally, Key("Its cases by verdict.", {"passing": 8, "unstable": 1}, "cases_by_verdict")]
    cost_usd: Annotated[float | None, Key("What it cost; null when a price is unknown.", 0.24)]


@dataclass(frozen=True)
class RuleSummary:
    """How often one rule broke: a brand-voice rule by its name, other assertions by their kind.

    Counted in trials: `broken` of `measured`, and `not_measured` beside them. `labels` are the assertions that broke,
    with the number of trials, most broken first, and where they stand. `interval` is the 95 % Wilson interval of the
    share that holds, over cases; None below ten of them. In `trial_rate` a trial passes when the rule
    held in it.
    """

    name: str
    level: Level
    broken: int
    measured: int
    not_measured: int
    labels: tuple[tuple[str, int, Place], ...] = ()
    interval: tuple[float, float] | None = None
    trial_rate: PassRate | None = None


@dataclass(frozen=True)
class TagSummary:
    """Pass rate of the measured cases with a tag; unstable counts as passed.

    `units` counts clusters (a case without one counts by itself). `interval` is the 95 % Wilson interval over the
    units, None below ten of them.
    """

    tag: str
    passed: int
    cases: int
    units: int
    interval: tuple[float, float] | None
    trial_rate: PassRate | None = None


@dataclass(frozen=True)
class KindCost:
    """Tokens of one kind and what they cost; None when the model's price is unknown."""

    kind: TokenKind
    tokens: int
    cost_usd: float | None


@dataclass(frozen=True)
class ModelMoney:
    """What one model cost: by token kind, and in total as billed. `unknown` counts requests without a price."""

    model: str
    requests: int
    unknown: int
    cost_usd: float | None
    kinds: tuple[KindCost, ...]


@dataclass(frozen=True)
class Money:
    """The cost of the recorded replies. `cost_usd` is the part with known prices, None when no price is known."""

    cost_usd: float | None
    unknown: int
    models: tuple[ModelMoney, ...] = ()


@dataclass(frozen=True)
class SideMoney:
    """What models cost beside the conversations: those that judge them, and those that play their users."""

    purpose: Literal["judge", "simulated user"]
    models: tuple[ModelMoney, ...]

    @property
    def cost_usd(self) -> Annotated[float | None, Key("Dollars together; null when a price is unknown.", 0.02)]:
        """Dollars together; None when a price is unknown."""
        costs = [model.cost_usd for model in self.models]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) and not any(model.unknown for model in self.models) else None


@dataclass(frozen=True)
class CriterionSummary:
    """What a judge said about one criterion, in trials, how far people agree with it, and what a no may do."""

    suite: str
    criterion: str
    model: str
    yes: int
    no: int
    not_measured: int
    agreement: Agreement
    rate: JudgedRate
    enforce: Enforce = False


@dataclass(frozen=True)
class CacheSummary:
    """Share of prompt tokens read from the cache: overall, and from the second request of a session on.

    `cold_share` is that of the requests for which nothing of their own session was in the cache, `kept_share` what was
    read of the tokens that earlier requests had left there. `cost_as_first_usd` is what the conversations would have
    cost with an empty cache; None when it is not known of every request.
    """

    prompt_tokens: int
    read_tokens: int
    read_share: float | None
    later_share: float | None
    misses: tuple[tuple[str, int], ...] = ()
    cold_share: float | None = None
    kept_share: float | None = None
    cost_as_first_usd: float | None = None


@dataclass(frozen=True)
class Times:
    """A distribution of times; `values` are at most 200 of the `n`, evenly spaced in rank, in rising order."""

    n: Annotated[int, Key("How many were measured.", 27)]
    p50: Annotated[float | None, Key("The median; null without any.", 410.0)]
    p95: Annotated[float | None, Key("The 95th percentile; null without any.", 1100.0)]
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class TurnSummary:
    """Tokens of the nth turn, summed over the `trials` that reached it."""

    turn: int
    trials: int
    input_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class FailureSummary:
    """One kind of failed request: how often it was retried and how often it ended a trial, with the first in words."""

    kind: str
    retried: int
    final: int
    message: str
    status: int | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class Summary:
    """Everything about a run but the conversations. `end` is None when the run never came to its end.

    `cached` counts the replies that came from the cache; they are in all other numbers, and cost `cached_usd` then.
    """

    header: RunHeader
    end: Annotated[
        RunEnd | None,
        Key(
            "Why and when the run ended; null when it never did.",
            {"reason": "finished", "ended": "2026-11-22T07:15:43Z", "elapsed_s": 48.2, "notes": []},
        ),
    ]
    suites: Annotated[
        tuple[SuiteSummary, ...],
        Key("The suites as they were measured.", [{"path": "suites/returns.yaml", "prompt_ref": "support@v4"}]),
    ]
    prompts: Annotated[
        tuple[PromptVersion, ...],
        Key(
            "The prompt versions, each with the inputs of its first case.",
            [{"ref": "support@v4", "model": "claude-sonnet-5-5"}],
        ),
    ]
    cases: Annotated[
        tuple[CaseSummary, ...],
        Key("Every case over its trials.", [{"case_id": "legal-threat", "verdict": "pass", "passed": 3}]),
    ]
    tally: Annotated[Tally, Key("Cases by verdict.", {"passing": 8, "unstable": 1}, "cases_by_verdict")]
    rules: Annotated[
        tuple[RuleSummary, ...],
        Key("How often each rule broke.", [{"name": "voice/brief", "level": "warning", "broken": 2, "measured": 27}]),
    ]
    tags: Annotated[tuple[TagSummary, ...], Key("Pass rate by tag.", [{"tag": "shipping", "passed": 4, "cases": 5}])]
    money: Annotated[Money, Key("What the conversations cost.", {"cost_usd": 0.24, "unknown": 0})]
    cache: Annotated[
        CacheSummary, Key("Share of input that was read from the cache.", {"read_share": 0.86, "later_share": 0.97})
    ]
    first_token: Annotated[
        Times, Key("Time to the first token, per turn.", {"n": 27, "p50": 410.0, "p95": 1100.0}, "first_token_ms")
    ]
    whole_reply: Annotated[
        Times, Key("Time of the whole reply, per turn.", {"n": 27, "p50": 2900.0, "p95": 7400.0}, "whole_reply_ms")
    ]
    turns: Annotated[
        tuple[TurnSummary, ...], Key("Tokens by number of the turn.", [{"turn": 1, "trials": 27, "input_tokens": 5508}])
    ]
    requests: Annotated[int, Key("Requests with their last try.", 61)]
    retries: Annotated[int, Key("Tries that failed and were followed by another.", 0)]
    failures: Annotated[
        tuple[FailureSummary, ...],
        Key("Failed tries by kind.", [{"kind": "overloaded_error", "retried": 2, "final": 0}]),
    ]
    cached: Annotated[int, Key("Replies that were found in the response cache.", 0, "cached_replies")] = 0
    cached_usd: Annotated[float, Key("What those would have cost.", 0.0)] = 0.0
    side_money: Annotated[
        tuple[SideMoney, ...],
        Key("What models beside the conversations cost.", [{"purpose": "judge", "cost_usd": 0.02}]),
    ] = ()
    criteria: Annotated[
        tuple[CriterionSummary, ...],
        Key("What judges said, by criterion.", [{"criterion": "offers a way on", "yes": 26, "no": 1}]),
    ] = ()
    trial_rate: Annotated[
        PassRate | None, Key("How often single trials passed.", {"passed": 25, "trials": 27, "cases": 9})
    ] = None

    @property
    def unlabelled_judges(self) -> dict[str, str | None]:
        """By suite, the judge that may fail trials although no labels vouch for it, or None."""
        return {suite.record.path: suite.record.unlabelled_judge for suite in self.suites}

    @property
    def trials_planned(self) -> Annotated[int, Key("Trials that were to be played.", 27)]:
        """Trials that were to be run, skipped cases left out."""
        return sum(len(case.trials) for case in self.cases if case.skip is None)

    @property
    def trials_recorded(self) -> Annotated[int, Key("Trials that were.", 27)]:
        """Trials that finished, measured or not."""
        return sum(outcome.recorded for case in self.cases if case.skip is None for outcome in case.trials)


Details = Mapping[CaseKey, Trial]
"""For cases that did not pass, the trial that shows why: the first failed one, else the first not measured."""
