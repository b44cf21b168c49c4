"""Graders of what a trial costs and how long it takes: money, requests, tokens and times of `budget`.

They read the finished requests; failed tries that were repeated are not the prompt's doing and do not count. A limit
that the complete turns already break is broken, whatever is missing; otherwise anything missing leaves it not measured.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from pydantic import Field

from evalkit.graders.findings import limit_finding, not_measured
from evalkit.graders.grader import Grader
from evalkit.graders.replies import JudgedTurns, complete_turns
from evalkit.records import Finding, Level, Request, Transcript
from evalkit.yamlsource import Count, Flag, Number


class _Budget(Grader):
    """A limit that must not be passed."""

    form: ClassVar[str] = "${:.4f}"
    """How the value and its limit are shown."""

    def at_most(self, value: float, judged: JudgedTurns, turn: int | None, worst: int | None = None) -> Finding:
        """Return the finding for a value held against the limit; `worst` is the turn that it was found in."""
        limit = getattr(self, self.key())
        observed, expected = self.form.format(value), f"at most {self.form.format(limit)}"
        if value <= limit and judged.missing:
            return not_measured(judged.missing, turn)
        return limit_finding(observed, expected, holds=value <= limit, turn=worst or turn)


class _OfRequests(_Budget):
    """A limit on the sum of something that each request has."""

    unknown: ClassVar[str] = "the record holds no price for at least one request"
    """Why nothing can be said where a request lacks it."""

    @abstractmethod
    def amount(self, request: Request) -> float | None:
        """Return what a request adds; None when the record does not say."""


class _OfTrial(_OfRequests):
    """A limit on the sum of a trial."""

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        judged = complete_turns(transcript, turn)
        amounts = [self.amount(request) for one in judged.turns for request in one.requests]
        known = [amount for amount in amounts if amount is not None]
        if len(known) < len(amounts):
            return not_measured(self.unknown, turn)
        return self.at_most(sum(known), judged, turn)


class _OfTurn(_OfRequests):
    """A limit on each turn; the dearest one counts."""

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        judged = complete_turns(transcript, turn)
        totals: dict[int, float] = {}
        for one in judged.turns:
            amounts = [self.amount(request) for request in one.requests]
            known = [amount for amount in amounts if amount is not None]
            if len(known) < len(amounts):
                return not_measured(self.unknown, turn)
            totals[one.n] = sum(known)
        worst = max(totals, key=lambda n: totals[n], default=None)
        return self.at_most(totals[worst] if worst else 0.0, judged, turn, worst)


class CostUsd(_OfTrial):
    """Limit the cost of the trial.

    Why: a prompt that grows or calls too much costs money every day. Example: `budget: {cost_usd: 0.02}`. A request
    without a known price leaves it not measured, never cheap. Instead of a limit in tokens across models, use this.
    """

    kind = "budget.cost_usd"
    unknown = "cost unknown: the record holds no price for at least one request"
    cost_usd: Number = Field(gt=0, description="At most this many US dollars.", examples=[0.02])

    def amount(self, request: Request) -> float | None:
        return request.cost_usd


class Requests(_OfTrial):
    """Limit the requests of the trial: one for each reply, and one more for each round of tool calls.

    Why: each round is a wait for the customer. Example: `budget: {requests: 4}`. Instead of limiting rounds to keep
    one tool out, use `tools.never`.
    """

    kind = "budget.requests"
    form = "{} requests"
    requests: Count = Field(ge=1, description="At most this many requests.", examples=[4])

    def amount(self, request: Request) -> float | None:
        del request
        return 1


class OutputTokens(_OfTrial):
    """Limit the output tokens of the trial, thinking included.

    Why: output is the dear part and the slow one. Example: `budget: {output_tokens: 800}`. Instead of comparing models
    by tokens (they count differently), use cost.
    """

    kind = "budget.output_tokens"
    form = "{} output tokens"
    unknown = "the record holds no token usage for at least one request"
    output_tokens: Count = Field(ge=1, description="At most this many tokens written.", examples=[800])

    def amount(self, request: Request) -> float | None:
        return request.usage.output_tokens if request.usage is not None else None


class TurnCostUsd(_OfTurn):
    """Limit what each turn costs as billed; the dearest turn counts.

    Why: a turn that loops through tools is dear although the conversation's mean is not. Example:
    `budget: {turn_cost_usd: 0.01}`. Instead of a limit for the whole trial, use `cost_usd`.
    """

    kind = "budget.turn_cost_usd"
    turn_cost_usd: Number = Field(gt=0, description="Each turn costs at most this many US dollars.", examples=[0.01])

    def amount(self, request: Request) -> float | None:
        return request.cost_usd


class CostAsFirstUsd(_OfTrial):
    """Limit what the trial would cost if no request had found anything in the cache.

    Why: it is the price of a quiet hour, and it doesn't depend on who ran before. Example:
    `budget: {cost_as_first_usd: 0.05}`. Instead of the bill, where runs with warm and cold caches are compared.
    """

    kind = "budget.cost_as_first_usd"
    unknown = "the record holds no cost as if first for at least one request"
    cost_as_first_usd: Number = Field(
        gt=0, description="With an empty cache the trial would cost at most this.", examples=[0.05]
    )

    def amount(self, request: Request) -> float | None:
        return request.cost_as_first_usd


class TurnCostAsFirstUsd(_OfTurn):
    """Limit what each turn would cost if no request had found anything in the cache; the dearest turn counts.

    Why and instead of what: as `cost_as_first_usd`, turn by turn. Example: `budget: {turn_cost_as_first_usd: 0.02}`.
    """

    kind = "budget.turn_cost_as_first_usd"
    turn_cost_as_first_usd: Number = Field(
        gt=0, description="With an empty cache each turn would cost at most this.", examples=[0.02]
    )

    def amount(self, request: Request) -> float | None:
        return request.cost_as_first_usd


class FirstTokenMs(_Budget):
    """Limit the wait for the first token of a turn's first request; the worst turn counts.

    Why: it is the silence the customer sits through. Example: `budget: {first_token_ms: 2500}`. Instead of gating on
    it, watch it: time is a warning unless `strict`.
    """

    kind = "budget.first_token_ms"
    form = "{:.0f} ms"
    first_token_ms: Number = Field(
        gt=0, description="The first word comes within this time; a warning unless `strict`.", examples=[2500]
    )
    strict: Flag = Field(False, description="Whether times fail a trial like every other limit.", examples=[True])

    def severity(self) -> Level:
        return Level.ERROR if self.strict else Level.WARNING

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        judged = complete_turns(transcript, turn)
        known = {one.n: one.first_token_ms for one in judged.turns if one.first_token_ms is not None}
        if len(known) < len(judged.turns):
            return not_measured("the record holds no times", turn)
        worst = max(known, key=lambda n: known[n], default=None)
        return self.at_most(known[worst] if worst else 0.0, judged, turn, worst)


class TimeMs(_OfTrial):
    """Limit the time of all requests together, waiting before a try and the tools' own time excluded.

    Why: a conversation should not drag. Example: `budget: {time_ms: 20000}`. Instead of gating on it, watch it: time is
    a warning unless `strict`.
    """

    kind = "budget.time_ms"
    form = "{:.0f} ms"
    unknown = "the record holds no times"
    time_ms: Number = Field(
        gt=0, description="All requests together take at most this; a warning unless `strict`.", examples=[20000]
    )
    strict: Flag = Field(False, description="Whether times fail a trial like every other limit.", examples=[True])

    def severity(self) -> Level:
        return Level.ERROR if self.strict else Level.WARNING

    def amount(self, request: Request) -> float | None:
        return request.total_ms if request.failure is None else 0.0
