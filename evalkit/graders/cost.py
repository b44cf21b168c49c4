"""Graders of what caching saves: expected against actual hits, lost prefixes, cost as billed and as if first.

What a request is expected to read is what an earlier one of its session has left in the cache: all tokens up to that
one's last marker, read or written. A request for which nothing was left is cold, every other one is warm. The engine's
own requests (summaries) have prompts of their own and are left out of the comparison, never out of the costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalkit.graders.findings import joined, limit_finding, not_measured
from evalkit.graders.replies import complete_turns
from evalkit.prefix import Difference, first_difference
from evalkit.records import Assertion, Finding, Request, Transcript, TrialVerdict, Turn


@dataclass(frozen=True)
class CacheUse:
    """What one request was expected to read from the cache and what it read, in tokens.

    `before` is the reply request before it in the session.
    """

    request: Request
    expected: int
    read: int
    prompt: int
    before: Request | None = None

    @property
    def lost(self) -> Difference | None:
        """Where its prompt left what the request before had cached; None when it goes on with it."""
        return first_difference(self.before.body, self.request.body) if self.before is not None else None

    @property
    def is_warm(self) -> bool:
        """Whether an earlier request of the session left something to read."""
        return self.expected > 0

    @property
    def missed(self) -> int:
        """Tokens that were there to read and were paid for again."""
        return max(0, self.expected - self.read)


def cache_use(turns: Sequence[Turn]) -> tuple[CacheUse, ...]:
    """Return the cache's use by every reply request of these turns (all turns of a session up to the last wanted)."""
    uses: list[CacheUse] = []
    before: Request | None = None
    left: dict[str, int] = {}
    for request in (request for turn in turns for request in turn.replies):
        usage, model = request.usage, str(request.body.get("model"))
        if usage is None or request.failure is not None:
            continue
        read = usage.cache_read_input_tokens
        uses.append(CacheUse(request, min(left.get(model, 0), usage.prompt_tokens), read, usage.prompt_tokens, before))
        left[model] = read + usage.cache_creation_input_tokens or left.get(model, 0)
        before = request
    return tuple(uses)


def cold_cache_hit(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require a share of the first request's prompt to be read from the cache: another session has warmed it.

    Why: a product's sessions share their prompt, and a prompt with something of the session in front never shares.
    Example: `budget: {cold_cache_hit: 0.8}`. Instead of a share in the first session of all, look at later trials.
    """
    uses, why = _uses(transcript, assertion)
    if why or not uses or not uses[0].prompt:
        return not_measured(why or "the record holds no token usage", assertion.turn)
    share, least = uses[0].read / uses[0].prompt, float(assertion.params["min"])
    return limit_finding(f"{share:.3f} in request 1", f"at least {least:g}", holds=share >= least, turn=1)


def cache_kept(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require a share of what earlier requests of the session left in the cache to be read again.

    Why: a low share means that the prefix changes between requests. Example: `budget: {cache_kept: 0.95}`. Instead of
    a share of the whole prompt, which grows with what is new, hold the share of what could be read.
    """
    uses, why = _uses(transcript, assertion)
    return _kept([use for use in uses if use.is_warm], why, assertion)


def turn_cache_kept(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require the share of `cache_kept` in each turn by itself; the worst turn counts.

    Why: one bad turn drowns in a long conversation. Example: `budget: {turn_cache_kept: 0.9}`.
    """
    uses, why = _uses(transcript, assertion)
    warm = [use for use in uses if use.is_warm]
    turns = {use.request.turn: [other for other in warm if other.request.turn == use.request.turn] for use in warm}
    worst = min(turns.values(), key=_share, default=[])
    return _kept(worst, why, assertion)


def prefix_kept(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require each request to begin with all that the one before left in the cache, byte by byte.

    Why: the cache reads only what is the same from the first byte on. Example: `budget: {prefix_kept: true}`. Instead
    of asking why a cache was missed, see the first byte that differs.
    """
    uses, why = _uses(transcript, assertion)
    lost = [use for use in uses if use.lost is not None]
    expected = "every request begins with the cached prefix of the one before"
    if lost:
        use = lost[0]
        return limit_finding(
            _where(use), expected, holds=False, turn=use.request.turn, note=joined((_told(one) for one in lost), "\n")
        )
    if why or len(uses) < 2:
        return not_measured(why or "a single request has no earlier one to begin with", assertion.turn)
    return limit_finding(f"{len(uses)} requests begin alike", expected, holds=True, turn=assertion.turn)


def miss_reasons(transcript: Transcript, assertion: Assertion) -> Finding:
    """Allow only these reasons that the API gives for a cache miss.

    Why: a changed system prompt or tool list is a bug, a changed message may be meant. Example:
    `budget: {miss_reasons: [messages_changed]}`; `[]` allows none. Instead of a share, where any miss is one too many.
    """
    uses, why = _uses(transcript, assertion)
    allowed = list(assertion.params["allowed"])
    expected = f"no miss but {', '.join(allowed)}" if allowed else "no cache miss"
    wrong = [use for use in uses if use.request.cache_miss_reason and use.request.cache_miss_reason not in allowed]
    if wrong:
        observed = joined(f"{use.request.cache_miss_reason} in request {use.request.n}" for use in wrong)
        note = joined((_told(use) for use in wrong), "\n")
        return limit_finding(observed, expected, holds=False, turn=wrong[0].request.turn, note=note)
    if why or not uses:
        return not_measured(why or "the record holds no token usage", assertion.turn)
    return limit_finding("no other reason", expected, holds=True, turn=assertion.turn)


def turn_cost_usd(transcript: Transcript, assertion: Assertion) -> Finding:
    """Limit what each turn costs as billed; the dearest turn counts.

    Why: a turn that loops through tools is dear although the conversation's mean is not. Example:
    `budget: {turn_cost_usd: 0.01}`. Instead of a limit for the whole trial, use `cost_usd`.
    """
    return _dearest_turn(transcript, assertion, lambda request: request.cost_usd)


def cost_as_first_usd(transcript: Transcript, assertion: Assertion) -> Finding:
    """Limit what the trial would cost if no request had found anything in the cache.

    Why: it is the price of a quiet hour, and it doesn't depend on who ran before. Example:
    `budget: {cost_as_first_usd: 0.05}`. Instead of the bill, where runs with warm and cold caches are compared.
    """
    judged = complete_turns(transcript, assertion.turn)
    costs = [request.cost_as_first_usd for turn in judged.turns for request in turn.requests]
    if any(cost is None for cost in costs):
        return not_measured("the record holds no cost as if first for at least one request", assertion.turn)
    total = sum(cost for cost in costs if cost is not None)
    return _at_most(total, assertion, judged.missing, assertion.turn)


def turn_cost_as_first_usd(transcript: Transcript, assertion: Assertion) -> Finding:
    """Limit what each turn would cost if no request had found anything in the cache; the dearest turn counts.

    Why and instead of what: as `cost_as_first_usd`, turn by turn. Example: `budget: {turn_cost_as_first_usd: 0.02}`.
    """
    return _dearest_turn(transcript, assertion, lambda request: request.cost_as_first_usd)


def _uses(transcript: Transcript, assertion: Assertion) -> tuple[list[CacheUse], str]:
    """Return the uses that an assertion speaks of, and why some can't be told."""
    judged = complete_turns(transcript, assertion.turn)
    wanted = {turn.n for turn in judged.turns}
    uses = [use for use in cache_use(transcript.turns) if use.request.turn in wanted]
    known = sum(request.usage is not None for turn in judged.turns for request in turn.replies)
    every = sum(len(turn.replies) for turn in judged.turns)
    unknown = "the record holds no token usage for at least one request" if known < every else ""
    return uses, judged.missing or unknown


def _share(uses: Sequence[CacheUse]) -> float:
    return sum(min(use.read, use.expected) for use in uses) / sum(use.expected for use in uses)


def _kept(warm: Sequence[CacheUse], why: str, assertion: Assertion) -> Finding:
    if why or not warm:
        return not_measured(why or "no request had anything to read that an earlier one left", assertion.turn)
    share, least = _share(warm), float(assertion.params["min"])
    missed = [use for use in warm if use.missed]
    note = "" if share >= least else joined((_told(use) for use in missed), "\n")
    turn = None if share >= least else missed[0].request.turn
    return limit_finding(f"{share:.3f}", f"at least {least:g}", holds=share >= least, turn=turn, note=note)


def _where(use: CacheUse) -> str:
    lost = use.lost
    return f"request {use.request.n} differs at byte {lost.byte}, in {lost.where}" if lost else ""


def _told(use: CacheUse) -> str:
    """Return what is known about one request's miss."""
    request, lost = use.request, use.lost
    words = f"request {request.n}: {use.read} of {use.expected} tokens read"
    if request.cache_miss_reason:
        words += f"; the API says {request.cache_miss_reason}"
    if lost is not None:
        words += f"; first differing byte {lost.byte} in {lost.where}: {lost.before!r} became {lost.after!r}"
    return words


def _dearest_turn(transcript: Transcript, assertion: Assertion, cost: Callable[[Request], float | None]) -> Finding:
    judged = complete_turns(transcript, assertion.turn)
    totals: dict[int, float] = {}
    for turn in judged.turns:
        for request in turn.requests:
            price = cost(request)
            if price is None:
                return not_measured("the record holds no price for at least one request", assertion.turn)
            totals[turn.n] = totals.get(turn.n, 0.0) + price
    worst = max(totals, key=lambda n: totals[n], default=None)
    return _at_most(totals[worst] if worst else 0.0, assertion, judged.missing, worst)


def _at_most(value: float, assertion: Assertion, missing: str, turn: int | None) -> Finding:
    limit = float(assertion.params["max"])
    found = limit_finding(f"${value:.4f}", f"at most ${limit:.4f}", holds=value <= limit, turn=turn)
    return not_measured(missing, assertion.turn) if missing and found.verdict is TrialVerdict.PASSED else found
