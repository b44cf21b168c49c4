"""Streams trials into three tables: requests, trials, scores. Holds rows, never a transcript.

The requests table has one row per billed attempt: the final one of each request, and earlier ones that report usage.
Its money columns are USD, its times milliseconds; NaN stands for "unknown" inside these tables and nowhere else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalkit.errors import EvalkitError
from evalkit.graders.budget import CacheUse, cache_use
from evalkit.records import (
    CaseKey,
    Failure,
    Place,
    Request,
    Score,
    SideRequest,
    Transcript,
    Trial,
    TrialKey,
    TrialOutcome,
    TrialVerdict,
    Usage,
)

if TYPE_CHECKING:
    import pandas as pd

CostSplit = Callable[[str, Usage], tuple[float, float, float, float] | None]
"""(model, usage) -> USD for input, cache writes, cache reads and output; None when the price is unknown."""

_WHERE = {"suite": "object", "case_id": "object", "trial": "int64"}
REQUEST_COLUMNS = {
    **_WHERE,
    "turn": "int64",
    "n": "int64",
    "model": "object",
    "own": "bool",
    "final": "bool",
    "complete": "bool",
    "usage": "bool",
    "input": "int64",
    "write": "int64",
    "read": "int64",
    "output": "int64",
    "cost": "float64",
    "cost_input": "float64",
    "cost_write": "float64",
    "cost_read": "float64",
    "cost_output": "float64",
    "miss": "object",
}
TURN_COLUMNS = {**_WHERE, "turn": "int64", "first_token_ms": "float64", "total_ms": "float64"}
SCORE_COLUMNS = {**_WHERE, **dict.fromkeys(("rule", "level", "verdict", "label", "place"), "object")}

Cell = str | int | float | bool | None


@dataclass
class FailureCount:
    """How often one kind of failure was seen, and the first of its kind."""

    first: Failure
    retried: int = 0
    final: int = 0


@dataclass
class CacheTotals:
    """Tokens that the cache could have served and did, and the cost of each request as if it were the first."""

    cold_prompt: int = 0
    cold_read: int = 0
    expected: int = 0
    kept: int = 0
    as_first: list[float | None] = field(default_factory=list)

    def add(self, use: CacheUse) -> None:
        """Take in one request's use of the cache."""
        if use.is_warm:
            self.expected += use.expected
            self.kept += min(use.read, use.expected)
        else:
            self.cold_prompt += use.prompt
            self.cold_read += use.read


@dataclass
class Rows:
    """The tables as they grow."""

    split: CostSplit | None = None
    outcomes: dict[CaseKey, list[TrialOutcome]] = field(default_factory=dict)
    failures: dict[str, FailureCount] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    retries: int = 0
    cached: int = 0
    cached_usd: float = 0.0
    cache: CacheTotals = field(default_factory=CacheTotals)
    _requests: list[tuple[Cell, ...]] = field(default_factory=list)
    _asides: list[tuple[Cell, ...]] = field(default_factory=list)
    _turns: list[tuple[Cell, ...]] = field(default_factory=list)
    _scores: list[tuple[Cell, ...]] = field(default_factory=list)
    _seen: set[TrialKey] = field(default_factory=set)

    def add(self, trial: Trial) -> None:
        """Take in one trial; raises EvalkitError when it was already taken in.

        Trials that only serve a comparison count for money, cache and failures, not for cases, rules and times.
        """
        key = trial.key
        if key in self._seen:
            raise EvalkitError(f"{key.session_id}: the record holds this trial twice; expected once.")
        self._seen.add(key)
        where = (sys.intern(key.suite), sys.intern(key.case_id), key.trial)
        self._add_requests(where, trial.transcript, own=key.is_own)
        self._add_cache(trial.transcript)
        for message in trial.transcript.simulated:
            self.add_aside(where, "simulated user", message.request)
        for judgement in trial.transcript.judgements:
            self.add_aside(where, "judge", judgement.request)
        if not key.is_own:
            return
        self.outcomes.setdefault((where[0], where[1]), []).append(outcome_of(trial))
        for score in trial.score.scores if trial.score else ():
            self._add_score(where, score)

    def add_aside(self, where: tuple[str, str, int], purpose: str, request: SideRequest) -> None:
        """Take in a paid request beside the conversations; an empty suite stands for the run as a whole."""
        model = sys.intern(request.model)
        for attempt in request.attempts:
            if attempt.usage is not None:
                money = self._money(model, attempt.usage, attempt.cost_usd)
                self._asides.append((*where, 0, 0, model, True, False, False, *money, None, purpose))
        money = self._money(model, request.usage, request.cost_usd)
        self._asides.append((*where, 0, 0, model, True, True, request.failure is None, *money, None, purpose))

    def asides(self) -> pd.DataFrame:
        """Return the requests beside the conversations, one row for each that was billed, with their purpose."""
        return _table(self._asides, {**REQUEST_COLUMNS, "purpose": "object"})

    def _add_cache(self, transcript: Transcript) -> None:
        for use in cache_use(transcript):
            self.cache.add(use)
        for request in transcript.requests:
            self.cache.as_first.append(request.cost_as_first_usd if request.usage else 0.0)

    def requests(self) -> pd.DataFrame:
        """Return the billed attempts, one row each."""
        return _table(self._requests, REQUEST_COLUMNS)

    def turns(self) -> pd.DataFrame:
        """Return the complete turns, one row each: first token of its first request, all its requests' time."""
        return _table(self._turns, TURN_COLUMNS)

    def scores(self) -> pd.DataFrame:
        """Return the scores, one row per assertion and trial."""
        return _table(self._scores, SCORE_COLUMNS)

    def _add_requests(self, where: tuple[str, str, int], transcript: Transcript, *, own: bool) -> None:
        for turn in transcript.turns:
            for request in turn.requests:
                self._add_request(where, request, own=own)
            times = [request.total_ms for request in turn.requests if request.failure is None]
            if own and turn.requests and turn.failure is None:
                total = sum(time for time in times if time is not None) if None not in times else None
                self._turns.append((*where, turn.n, turn.first_token_ms, total))

    def _add_request(self, where: tuple[str, str, int], request: Request, *, own: bool) -> None:
        if request.from_cache:
            self.cached += 1
            self.cached_usd += request.cost_usd or 0.0
        model = sys.intern(str(request.body.get("model", "unknown model")))
        for attempt in request.attempts:
            self.retries += 1
            self._count_failure(attempt.failure).retried += 1
            if attempt.usage is not None:
                money = self._money(model, attempt.usage, attempt.cost_usd)
                flags = (request.turn, request.n, model, own, False, False)
                self._requests.append((*where, *flags, *money, None))
        if request.failure is not None:
            self._count_failure(request.failure).final += 1
        money = self._money(model, request.usage, request.cost_usd)
        flags = (request.turn, request.n, model, own, True, request.failure is None)
        self._requests.append((*where, *flags, *money, request.cache_miss_reason))

    def _money(self, model: str, usage: Usage | None, cost_usd: float | None) -> tuple[Cell, ...]:
        """Usage, tokens by kind, the cost, and the cost by kind: priced shares scaled to what the record says."""
        used = usage or Usage()
        tokens = (used.input_tokens, used.cache_creation_input_tokens, used.cache_read_input_tokens, used.output_tokens)
        parts: tuple[Cell, ...] = (None,) * 4
        priced = self.split(model, used) if self.split and usage and cost_usd is not None else None
        if priced is not None and cost_usd is not None and sum(priced) > 0:
            parts = tuple(part * cost_usd / sum(priced) for part in priced)
        return (usage is not None, *tokens, cost_usd, *parts)

    def _count_failure(self, failure: Failure) -> FailureCount:
        return self.failures.setdefault(failure.kind, FailureCount(failure))

    def _add_score(self, where: tuple[str, str, int], score: Score) -> None:
        assertion = score.assertion
        rule, label = sys.intern(rule_name(score)), sys.intern(assertion.label)
        place = sys.intern(str(assertion.place))
        self.places.setdefault(place, assertion.place)
        self._scores.append((*where, rule, assertion.level.value, score.finding.verdict.value, label, place))


def _table(rows: list[tuple[Cell, ...]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Return rows as a table whose types hold even when it is empty."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns)).astype(dict(columns))


def with_asides(requests: pd.DataFrame, asides: pd.DataFrame) -> pd.DataFrame:
    """Return everything that was paid: the requests of the conversations and those beside them."""
    import pandas as pd

    return pd.concat([requests, asides[list(REQUEST_COLUMNS)]], ignore_index=True) if len(asides) else requests


def rule_name(score: Score) -> str:
    """Return the name a report counts a score under: the brand-voice rule, else the kind of assertion."""
    assertion = score.assertion
    return f"voice/{assertion.rule}" if assertion.rule else assertion.kind


def outcome_of(trial: Trial) -> TrialOutcome:
    """Return a trial's verdict with its reason in one line."""
    if trial.score is None:
        return TrialOutcome(trial.key.trial, TrialVerdict.NOT_MEASURED, trial.crash or "not graded")
    broken = next((score.assertion.label for score in trial.score.scores if score.fails_trial), "")
    reason = broken or trial.score.reason or trial.crash or ""
    unmeasured = trial.score.verdict is TrialVerdict.NOT_MEASURED
    failure = trial.transcript.failure if unmeasured else None
    return TrialOutcome(
        trial.key.trial, trial.score.verdict, reason, request_id=failure.request_id if failure else None
    )
