"""What the page says of the cache, request by request, and of the bill, turn by turn."""

from __future__ import annotations

from dataclasses import replace

from evalkit.records import Attempt, Failure, Request, Turn
from evalkit.reporting.html.conversation import RequestView, TrialView, view_trial
from tests.made_up_run import PASSED, request, score, trial, turn, usage

MARKED = [{"type": "text", "text": "You are Mo.", "cache_control": {"type": "ephemeral"}}]


def asked(n: int, system: object = MARKED, **changes: object) -> Request:
    """A request whose system prompt is marked for the cache."""
    body = {"model": "m", "system": system, "messages": [{"role": "user", "content": "Hello?"}]}
    return request(1, n, body=body, **changes)


def viewed(*requests: Request) -> TrialView:
    """A trial with one request a turn, as the page shows it."""
    turns: list[Turn] = [replace(turn(n), requests=(each,)) for n, each in enumerate(requests, 1)]
    return view_trial(trial("a", 1, score(PASSED), turns=turns))


def told(view: TrialView) -> list[RequestView]:
    """The requests of all turns."""
    return [each for of_turn in view.turns for each in of_turn.requests]


WROTE = usage(cache_read_input_tokens=0, ephemeral_5m_input_tokens=1200)
READ = usage(cache_read_input_tokens=1200)


def test_what_was_there_and_was_read_needs_no_word() -> None:
    """The first request of a session is cold, the next one warm, and nothing is said of either."""
    first, second = told(viewed(asked(1, usage=WROTE), asked(2, usage=READ)))
    assert [(each.cold, each.miss) for each in (first, second)] == [(True, ""), (False, "")]


def test_a_lost_prefix_is_told_with_reason_and_byte() -> None:
    """A warm request that read less than was left says how much, why in the API's words, and where it differs."""
    changed = [{**MARKED[0], "text": "You are Max."}]
    reason = {"cache_miss_reason": "system_changed"}
    _, second = told(viewed(asked(1, usage=WROTE), asked(2, changed, usage=WROTE, **reason)))

    assert second.miss.startswith("cache: read 0 of 1,200 tokens left by this session; the API says system_changed;")
    assert "in system[0]" in second.miss
    assert "You are Mo" in second.miss
    assert "You are Max" in second.miss


def test_a_miss_without_a_difference_names_no_byte() -> None:
    """The same prefix that was not found again (it ran out) is told without a place."""
    _, second = told(viewed(asked(1, usage=WROTE), asked(2, usage=WROTE)))
    assert second.miss == "cache: read 0 of 1,200 tokens left by this session"


def test_a_cold_miss_has_the_reason_only() -> None:
    """Where nothing of the session was there, the API's reason stands by itself."""
    (only,) = told(viewed(asked(1, usage=WROTE, cache_miss_reason="unavailable")))
    assert (only.cold, only.miss) == (True, "cache miss: unavailable")


def test_the_bill_is_told_by_turn_and_session() -> None:
    """As billed and as with an empty cache, where the two differ; failed tries that were billed are in both."""
    lost = Attempt(Failure("overloaded_error", "busy"), 0.0, usage=usage(), cost_usd=0.002)
    first = asked(1, usage=WROTE, cost_usd=0.004, cost_as_first_usd=0.004)
    second = asked(2, usage=READ, cost_usd=0.001, cost_as_first_usd=0.004, attempts=(lost,))
    view = viewed(first, second)

    assert [each.bill for each in view.turns] == ["", "$0.0030 as billed, $0.0060 with an empty cache"]
    assert view.bill == "$0.0070 as billed, $0.0100 with an empty cache"


def test_an_unknown_price_has_no_bill() -> None:
    """A sum that would leave a request out is not told."""
    view = viewed(asked(1, cost_as_first_usd=0.004), asked(2, cost_usd=None, cost_as_first_usd=0.004))
    assert view.bill == ""
