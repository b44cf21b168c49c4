"""Graders of what a trial costs and how long it takes: the budget.* kinds.

They read the finished requests; failed tries that were repeated are not the prompt's doing and do not count. A limit
that the complete turns already break is broken, whatever is missing; otherwise anything missing leaves it not measured.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from evalkit.graders.findings import limit_finding, not_measured
from evalkit.graders.grader import Grader
from evalkit.graders.replies import Judged, complete_turns
from evalkit.records import Assertion, Finding, Request, Transcript
from evalkit.yamlsource import Count


def cost_usd(transcript: Transcript, assertion: Assertion) -> Finding:
    """Limit the cost of the trial.

    Why: a prompt that grows or calls too much costs money every day. Example: `budget: {cost_usd: 0.02}`. A request
    without a known price leaves it not measured, never cheap. Instead of a limit in tokens across models, use this.
    """
    judged = complete_turns(transcript, assertion.turn)
    costs = [request.cost_usd for request in _requests(judged)]
    if any(cost is None for cost in costs):
        return not_measured("cost unknown: the record holds no price for at least one request", assertion.turn)
    return _at_most(sum(cost for cost in costs if cost is not None), assertion, judged, "${:.4f}")


class Requests(Grader):
    """Limit the requests of the trial: one for each reply, and one more for each round of tool calls.

    Why: each round is a wait for the customer. Example: `budget: {requests: 4}`. Instead of limiting rounds to keep
    one tool out, use `tools.never`.
    """

    kind = "budget.requests"
    requests: Count = Field(ge=1, description="At most this many requests.", examples=[4])

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        judged = complete_turns(transcript, turn)
        return at_most(self.requests, len(_requests(judged)), judged, "{} requests", turn)


def output_tokens(transcript: Transcript, assertion: Assertion) -> Finding:
    """Limit the output tokens of the trial, thinking included.

    Why: output is the dear part and the slow one. Example: `budget: {output_tokens: 800}`. Instead of comparing models
    by tokens (they count differently), use cost.
    """
    judged = complete_turns(transcript, assertion.turn)
    usages = [request.usage for request in _requests(judged)]
    if any(usage is None for usage in usages):
        return not_measured("the record holds no token usage for at least one request", assertion.turn)
    return _at_most(sum(u.output_tokens for u in usages if u is not None), assertion, judged, "{} output tokens")


def cache_hit(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require a share of prompt tokens read from the cache, over the session's requests from the second on.

    Why: a prefix that changes is paid for in full each time. Example: `budget: {cache_hit: 0.6}`. The first request may
    find nothing to read, so a session of one request is not measured. Instead of a low share, look at the request's
    `cache_miss_reason`.
    """
    judged = complete_turns(transcript, assertion.turn)
    if judged.missing:
        return not_measured(judged.missing, assertion.turn)
    later = [request for request in _requests(judged) if request.n > 1]
    usages = [request.usage for request in later if request.usage is not None]
    if not later:
        return not_measured("a single request has no earlier one to read from", assertion.turn)
    prompt_tokens = sum(usage.prompt_tokens for usage in usages)
    if len(usages) < len(later) or not prompt_tokens:
        return not_measured("the record holds no token usage for at least one request", assertion.turn)
    hit, least = sum(usage.cache_read_input_tokens for usage in usages) / prompt_tokens, float(assertion.params["min"])
    return limit_finding(f"{hit:.3f}", f"at least {least:g}", holds=hit >= least, turn=assertion.turn)


def first_token_ms(transcript: Transcript, assertion: Assertion) -> Finding:
    """Limit the wait for the first token of a turn's first request; the worst turn counts.

    Why: it is the silence the customer sits through. Example: `budget: {first_token_ms: 2500}`. Instead of gating on
    it, watch it: time is a warning unless `strict`.
    """
    judged = complete_turns(transcript, assertion.turn)
    times = {turn.n: turn.first_token_ms for turn in judged.turns}
    known = {turn: time for turn, time in times.items() if time is not None}
    if len(known) < len(times):
        return not_measured("the record holds no times", assertion.turn)
    worst = max(known, key=lambda turn: known[turn], default=None)
    return _at_most(known[worst] if worst else 0.0, assertion, judged, "{:.0f} ms", worst)


def time_ms(transcript: Transcript, assertion: Assertion) -> Finding:
    """Limit the time of all requests together, waiting before a try and the tools' own time excluded.

    Why: a conversation should not drag. Example: `budget: {time_ms: 20000}`. Instead of gating on it, watch it: time is
    a warning unless `strict`.
    """
    judged = complete_turns(transcript, assertion.turn)
    times = [request.total_ms for request in _requests(judged) if request.failure is None]
    if any(time is None for time in times):
        return not_measured("the record holds no times", assertion.turn)
    return _at_most(sum(time for time in times if time is not None), assertion, judged, "{:.0f} ms")


def _requests(judged: Judged) -> Sequence[Request]:
    return [request for turn in judged.turns for request in turn.requests]


def _at_most(value: float, assertion: Assertion, judged: Judged, form: str, turn: int | None = None) -> Finding:
    return at_most(assertion.params["max"], value, judged, form, turn or assertion.turn)


def at_most(limit: float, value: float, judged: Judged, form: str, turn: int | None) -> Finding:
    """Return the finding for a value held against its limit, both shown by the format string `form`."""
    observed, expected = form.format(value), f"at most {form.format(limit)}"
    if value > limit:
        return limit_finding(observed, expected, holds=False, turn=turn)
    if judged.missing:
        return not_measured(judged.missing, turn)
    return limit_finding(observed, expected, holds=True, turn=turn)
