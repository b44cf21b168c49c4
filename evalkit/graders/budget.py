"""Graders of `budget`: what a trial costs, how long it takes, and what caching saves of it.

They read the finished requests; failed tries that were repeated are not the prompt's doing and do not count. A limit
that the complete turns already break is broken, whatever is missing; otherwise anything missing leaves it not measured.
What a request is expected to read from the cache is what an earlier one of its session has left there: all tokens up to
that one's last marker, read or written. A request for which nothing was left is cold, every other one is warm. The
engine's own requests (summaries) have prompts of their own and are left out of the comparison, never out of the costs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import ClassVar, Literal, Self

from pydantic import Field

from evalkit.graders.grader import Grader, joined, limit_finding, not_measured
from evalkit.graders.replies import complete_turns
from evalkit.prefix import Difference, first_difference
from evalkit.records import Finding, JsonObject, Level, Request, Transcript, Turn
from evalkit.yamlsource import Count, Flag, Number, ValuePath


class _Budget(Grader):
    """A limit of a trial."""

    def label(self) -> str:
        return self.kind


class _AtMost(_Budget):
    """A limit on the sum of amounts: of the trial, or of its dearest turn where `each_turn`."""

    form: ClassVar[str] = "${:.4f}"
    """How the sum and its limit are shown."""
    unknown: ClassVar[str] = "the record holds no price for at least one request"
    """Why nothing can be said where an amount is unknown."""
    each_turn: ClassVar[bool] = False

    @abstractmethod
    def amounts(self, turn: Turn) -> list[float | None]:
        """Return what is summed up over a turn; None where the record does not say."""

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        judged = complete_turns(transcript, turn)
        known: dict[int, list[float]] = {}
        for one in judged.turns:
            amounts = self.amounts(one)
            known[one.n] = [amount for amount in amounts if amount is not None]
            if len(known[one.n]) < len(amounts):
                return not_measured(self.unknown, turn)
        worst = max(known, key=lambda n: sum(known[n]), default=None) if self.each_turn else None
        value = sum(known[worst]) if worst else 0.0 if self.each_turn else sum(chain.from_iterable(known.values()))
        limit = getattr(self, self.key())
        if value <= limit and judged.missing:
            return not_measured(judged.missing, turn)
        observed, expected = self.form.format(value), f"at most {self.form.format(limit)}"
        return limit_finding(observed, expected, holds=value <= limit, turn=worst or turn)


class CostUsd(_AtMost):
    """Limit the cost of the trial.

    Why: a prompt that grows or calls too much costs money every day. Example: `budget: {cost_usd: 0.02}`. A request
    without a known price leaves it not measured, never cheap. Instead of a limit in tokens across models, use this.
    """

    kind = "budget.cost_usd"
    unknown = "cost unknown: the record holds no price for at least one request"
    cost_usd: Number = Field(gt=0, description="At most this many US dollars.", examples=[0.02])

    def amounts(self, turn: Turn) -> list[float | None]:
        return [request.cost_usd for request in turn.requests]


class Requests(_AtMost):
    """Limit the requests of the trial: one for each reply, and one more for each round of tool calls.

    Why: each round is a wait for the customer. Example: `budget: {requests: 4}`. Instead of limiting rounds to keep
    one tool out, use `tools.never`.
    """

    kind = "budget.requests"
    form = "{} requests"
    requests: Count = Field(ge=1, description="At most this many requests.", examples=[4])

    def amounts(self, turn: Turn) -> list[float | None]:
        return [1] * len(turn.requests)


class OutputTokens(_AtMost):
    """Limit the output tokens of the trial, thinking included.

    Why: output is the dear part and the slow one. Example: `budget: {output_tokens: 800}`. Instead of comparing models
    by tokens (they count differently), use cost.
    """

    kind = "budget.output_tokens"
    form = "{} output tokens"
    unknown = "the record holds no token usage for at least one request"
    output_tokens: Count = Field(ge=1, description="At most this many tokens written.", examples=[800])

    def amounts(self, turn: Turn) -> list[float | None]:
        return [request.usage.output_tokens if request.usage else None for request in turn.requests]


class TurnCostUsd(_AtMost):
    """Limit what each turn costs as billed; the dearest turn counts.

    Why: a turn that loops through tools is dear although the conversation's mean is not. Example:
    `budget: {turn_cost_usd: 0.01}`. Instead of a limit for the whole trial, use `cost_usd`.
    """

    kind = "budget.turn_cost_usd"
    each_turn = True
    turn_cost_usd: Number = Field(gt=0, description="Each turn costs at most this many US dollars.", examples=[0.01])

    def amounts(self, turn: Turn) -> list[float | None]:
        return [request.cost_usd for request in turn.requests]


class CostAsFirstUsd(_AtMost):
    """Limit what the trial would cost if no request had found anything in the cache.

    Why: it is the price of a quiet hour, and it doesn't depend on who ran before. Example:
    `budget: {cost_as_first_usd: 0.05}`. Instead of the bill, where runs with warm and cold caches are compared.
    """

    kind = "budget.cost_as_first_usd"
    unknown = "the record holds no cost as if first for at least one request"
    cost_as_first_usd: Number = Field(
        gt=0, description="With an empty cache the trial would cost at most this.", examples=[0.05]
    )

    def amounts(self, turn: Turn) -> list[float | None]:
        return [request.cost_as_first_usd for request in turn.requests]


class TurnCostAsFirstUsd(_AtMost):
    """Limit what each turn would cost if no request had found anything in the cache; the dearest turn counts.

    Why and instead of what: as `cost_as_first_usd`, turn by turn. Example: `budget: {turn_cost_as_first_usd: 0.02}`.
    """

    kind = "budget.turn_cost_as_first_usd"
    each_turn = True
    turn_cost_as_first_usd: Number = Field(
        gt=0, description="With an empty cache each turn would cost at most this.", examples=[0.02]
    )

    def amounts(self, turn: Turn) -> list[float | None]:
        return [request.cost_as_first_usd for request in turn.requests]


class FirstTokenMs(_AtMost):
    """Limit the wait for the first token of a turn's first request; the worst turn counts.

    Why: it is the silence the customer sits through. Example: `budget: {first_token_ms: 2500}`. Instead of gating on
    it, watch it: time is a warning unless `strict`.
    """

    kind = "budget.first_token_ms"
    each_turn = True
    form = "{:.0f} ms"
    unknown = "the record holds no times"
    first_token_ms: Number = Field(
        gt=0, description="The first word comes within this time; a warning unless `strict`.", examples=[2500]
    )
    strict: Flag = Field(False, description="Whether times fail a trial like every other limit.", examples=[True])

    def severity(self) -> Level:
        return Level.ERROR if self.strict else Level.WARNING

    def amounts(self, turn: Turn) -> list[float | None]:
        return [turn.first_token_ms]


class TimeMs(_AtMost):
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

    def amounts(self, turn: Turn) -> list[float | None]:
        return [request.total_ms if request.failure is None else 0.0 for request in turn.requests]


NO_USAGE = "the record holds no token usage"
MissReason = Literal[
    "model_changed",
    "system_changed",
    "tools_changed",
    "messages_changed",
    "previous_message_not_found",
    "unavailable",
]
"""The API's own words: platform.claude.com, prompt caching (read November 2026)."""


@dataclass(frozen=True)
class CacheUse:
    """What one request was expected to read from the cache and what it read, in tokens.

    `before` is the reply request before it in the session, `inputs` are those of the session's system prompt.
    """

    request: Request
    expected: int
    read: int
    prompt: int
    before: Request | None = None
    inputs: JsonObject = field(default_factory=dict)

    @property
    def lost(self) -> Difference | None:
        """Where its prompt left what the request before had cached; None when it goes on with it."""
        return first_difference(self.before.body, self.request.body, self.inputs) if self.before is not None else None

    @property
    def is_warm(self) -> bool:
        """Whether an earlier request of the session left something to read."""
        return self.expected > 0

    @property
    def missed(self) -> int:
        """Tokens that were there to read and were paid for again."""
        return max(0, self.expected - self.read)


def cache_use(transcript: Transcript) -> tuple[CacheUse, ...]:
    """Return the cache's use by every reply request of a conversation."""
    uses: list[CacheUse] = []
    before: Request | None = None
    left: dict[str, int] = {}
    for request in (request for turn in transcript.turns for request in turn.replies):
        usage, model = request.usage, str(request.body.get("model"))
        if usage is None or request.failure is not None:
            continue
        read = usage.cache_read_input_tokens
        expected = min(left.get(model, 0), usage.prompt_tokens)
        uses.append(CacheUse(request, expected, read, usage.prompt_tokens, before, transcript.inputs))
        left[model] = read + usage.cache_creation_input_tokens or left.get(model, 0)
        before = request
    return tuple(uses)


class CacheHit(_Budget):
    """Require a share of prompt tokens read from the cache, over the session's requests from the second on.

    Why: a prefix that changes is paid for in full each time. Example: `budget: {cache_hit: 0.6}`. The first request may
    find nothing to read, so a session of one request is not measured. Instead of a low share, look at the request's
    `cache_miss_reason`.
    """

    kind = "budget.cache_hit"
    cache_hit: Number = Field(
        ge=0,
        le=1,
        description="At least this share of input is read from the cache, from request 2 on.",
        examples=[0.6],
    )

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        judged = complete_turns(transcript, turn)
        if judged.missing:
            return not_measured(judged.missing, turn)
        later = [request for one in judged.turns for request in one.requests if request.n > 1]
        if not later:
            return not_measured("a single request has no earlier one to read from", turn)
        usages = [request.usage for request in later if request.usage is not None]
        prompt_tokens = sum(usage.prompt_tokens for usage in usages)
        if len(usages) < len(later) or not prompt_tokens:
            return not_measured(f"{NO_USAGE} for at least one request", turn)
        return _at_least(self.cache_hit, sum(usage.cache_read_input_tokens for usage in usages) / prompt_tokens, turn)


class ColdCacheHit(_Budget):
    """Require a share of the first request's prompt to be read from the cache: another session has warmed it.

    Why: a product's sessions share their prompt, and a prompt with something of the session in front never shares.
    Example: `budget: {cold_cache_hit: 0.8}`. Instead of a share in the first session of all, look at later trials.
    """

    kind = "budget.cold_cache_hit"
    cold_cache_hit: Number = Field(
        ge=0,
        le=1,
        description="At least this share of the first request's input is read from the cache.",
        examples=[0.8],
    )

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        uses, why = _uses(transcript, turn)
        if why or not uses or not uses[0].prompt:
            return not_measured(why or NO_USAGE, turn)
        return _at_least(self.cold_cache_hit, uses[0].read / uses[0].prompt, 1, " in request 1")


class CacheKept(_Budget):
    """Require a share of what earlier requests of the session left in the cache to be read again.

    Why: a low share means that the prefix changes between requests. Example: `budget: {cache_kept: 0.95}`. Instead of
    a share of the whole prompt, which grows with what is new, hold the share of what could be read.
    """

    kind = "budget.cache_kept"
    cache_kept: Number = Field(
        ge=0, le=1, description="At least this share of what earlier requests left in the cache is read again.",
        examples=[0.95],
    )  # fmt: skip

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        uses, why = _uses(transcript, turn)
        return _kept(self.cache_kept, [use for use in uses if use.is_warm], why, turn)


class TurnCacheKept(_Budget):
    """Require the share of `cache_kept` in each turn by itself; the worst turn counts.

    Why: one bad turn drowns in a long conversation. Example: `budget: {turn_cache_kept: 0.9}`.
    """

    kind = "budget.turn_cache_kept"
    turn_cache_kept: Number = Field(ge=0, le=1, description="The same in each turn by itself.", examples=[0.9])

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        uses, why = _uses(transcript, turn)
        turns: dict[int, list[CacheUse]] = {}
        for use in uses:
            if use.is_warm:
                turns.setdefault(use.request.turn, []).append(use)
        return _kept(self.turn_cache_kept, min(turns.values(), key=_share, default=[]), why, turn)


class PrefixKept(_Budget):
    """Require each request to begin with all that the one before left in the cache, byte by byte.

    Why: the cache reads only what is the same from the first byte on. Example: `budget: {prefix_kept: true}`. Instead
    of asking why a cache was missed, see the first byte that differs.
    """

    kind = "budget.prefix_kept"
    prefix_kept: Flag = Field(
        description="Each request begins with what the one before left in the cache.", examples=[True]
    )

    def parts(self) -> Iterator[tuple[ValuePath, Self]]:
        return super().parts() if self.prefix_kept else iter(())

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        uses, why = _uses(transcript, turn)
        lost = [use for use in uses if use.lost is not None]
        expected = "every request begins with the cached prefix of the one before"
        if lost:
            first, at = lost[0].request, lost[0].lost
            observed = f"request {first.n} differs at byte {at.byte}, in {place_of(at)}" if at else ""
            return limit_finding(observed, expected, holds=False, turn=first.turn, note=_misses(lost))
        if why or len(uses) < 2:
            return not_measured(why or "a single request has no earlier one to begin with", turn)
        return limit_finding(f"{len(uses)} requests begin alike", expected, holds=True, turn=turn)


class MissReasons(_Budget):
    """Allow only these reasons that the API gives for a cache miss.

    Why: a changed system prompt or tool list is a bug, a changed message may be meant. Example:
    `budget: {miss_reasons: [messages_changed]}`; `[]` allows none. Instead of a share, where any miss is one too many.
    """

    kind = "budget.miss_reasons"
    miss_reasons: list[MissReason] = Field(
        description="Reasons for cache misses that are fine; the API must give no other.",
        examples=[["messages_changed"]],
    )

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        uses, why = _uses(transcript, turn)
        expected = f"no miss but {', '.join(self.miss_reasons)}" if self.miss_reasons else "no cache miss"
        told = [use for use in uses if use.request.cache_miss_reason]
        wrong = [use for use in told if use.request.cache_miss_reason not in self.miss_reasons]
        if wrong:
            observed = joined(f"{use.request.cache_miss_reason} in request {use.request.n}" for use in wrong)
            return limit_finding(observed, expected, holds=False, turn=wrong[0].request.turn, note=_misses(wrong))
        if why or not uses:
            return not_measured(why or NO_USAGE, turn)
        return limit_finding("no other reason", expected, holds=True, turn=turn)


def place_of(lost: Difference) -> str:
    """Return where two prompts part: the part of the body, and the input whose value stands there."""
    return f"{lost.where} (input {lost.input!r})" if lost.input else lost.where


def _uses(transcript: Transcript, turn: int | None) -> tuple[list[CacheUse], str]:
    """Return the uses that an assertion speaks of, and why some can't be told."""
    judged = complete_turns(transcript, turn)
    wanted = {turn.n for turn in judged.turns}
    uses = [use for use in cache_use(transcript) if use.request.turn in wanted]
    is_unknown = any(request.usage is None for turn in judged.turns for request in turn.replies)
    return uses, judged.missing or (f"{NO_USAGE} for at least one request" if is_unknown else "")


def _share(uses: Sequence[CacheUse]) -> float:
    return sum(min(use.read, use.expected) for use in uses) / sum(use.expected for use in uses)


def _at_least(least: float, share: float, turn: int | None, where: str = "") -> Finding:
    return limit_finding(f"{share:.3f}{where}", f"at least {least:g}", holds=share >= least, turn=turn)


def _kept(least: float, warm: Sequence[CacheUse], why: str, turn: int | None) -> Finding:
    if why or not warm:
        return not_measured(why or "no request had anything to read that an earlier one left", turn)
    share = _share(warm)
    missed = [use for use in warm if use.missed] if share < least else []
    at = missed[0].request.turn if missed else None
    return limit_finding(f"{share:.3f}", f"at least {least:g}", holds=share >= least, turn=at, note=_misses(missed))


def _misses(uses: Sequence[CacheUse]) -> str:
    """Return what is known about the misses of these requests, one line each."""
    lines = []
    for use in uses:
        request, lost = use.request, use.lost
        words = f"request {request.n}: {use.read} of {use.expected} tokens read"
        if request.cache_miss_reason:
            words += f"; the API says {request.cache_miss_reason}"
        if lost is not None:
            words += f"; first differing byte {lost.byte} in {place_of(lost)}: {lost.before!r} became {lost.after!r}"
        lines.append(words)
    return joined(lines, "\n")
