"""Graders of cost, tokens, cache and time."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.records import Transcript, TrialVerdict, Turn
from tests.graders.build import broken_off, finding, request, said, used, verdict

PASSED, FAILED, NOT_MEASURED = TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED


def one_turn(*fields: dict[str, Any]) -> Transcript:
    requests = tuple(request(n, 1, "ok", **values) for n, values in enumerate(fields, 1))
    return Transcript("s", "p", (Turn(1, "hello", requests),))


def test_cost_is_summed_and_the_limit_is_inclusive() -> None:
    """Two requests of one cent break a budget of 1.9 cents and keep one of 2."""
    transcript = said("a", "b", cost_usd=0.01)
    assert verdict(transcript, "budget.cost_usd", {"cost_usd": 0.02}) is PASSED
    found = finding(transcript, "budget.cost_usd", {"cost_usd": 0.019})
    assert (found.verdict, found.observed, found.expected) == (FAILED, "$0.0200", "at most $0.0190")


def test_an_unknown_price_is_not_measured() -> None:
    """A request without a price is never counted as free."""
    found = finding(one_turn({"cost_usd": 0.5}, {"cost_usd": None}), "budget.cost_usd", {"cost_usd": 0.1})
    assert (found.verdict, found.note[:12]) == (NOT_MEASURED, "cost unknown")


def test_requests_and_output_tokens_are_counted_over_the_trial() -> None:
    """The sum of all turns is held against the limit."""
    transcript = said("a", "b", usage=used(output_tokens=30))
    assert verdict(transcript, "budget.requests", {"requests": 2}) is PASSED
    assert verdict(transcript, "budget.requests", {"requests": 1}) is FAILED
    assert verdict(transcript, "budget.output_tokens", {"output_tokens": 60}) is PASSED
    assert verdict(transcript, "budget.output_tokens", {"output_tokens": 59}) is FAILED
    assert verdict(said("a"), "budget.output_tokens", {"output_tokens": 1}) is NOT_MEASURED


def test_the_cache_share_leaves_out_the_first_request() -> None:
    """From the second request on: read over plain, written and read tokens together."""
    transcript = one_turn(
        {"usage": used(input_tokens=1000)},
        {
            "usage": used(
                input_tokens=10, ephemeral_5m_input_tokens=20, ephemeral_1h_input_tokens=10, cache_read_input_tokens=60
            )
        },
        {"usage": used(cache_read_input_tokens=20, input_tokens=80)},
    )
    found = finding(transcript, "budget.cache_hit", {"cache_hit": 0.4})
    assert (found.verdict, found.observed) == (PASSED, "0.400")
    assert verdict(transcript, "budget.cache_hit", {"cache_hit": 0.41}) is FAILED


def test_a_single_request_has_no_cache_share() -> None:
    """There is no second request to look at, and the note says so."""
    found = finding(said("a", usage=used(input_tokens=5)), "budget.cache_hit", {"cache_hit": 0.1})
    assert (found.verdict, found.note) == (NOT_MEASURED, "a single request has no earlier one to read from")


def test_first_token_takes_the_worst_turns_first_request() -> None:
    """Later requests of a turn do not count; the worst turn is named."""
    slow_second = Turn(1, "q", (request(1, 1, None, first_token_ms=300.0), request(2, 1, "ok", first_token_ms=9000.0)))
    worst = Turn(2, "q", (request(3, 2, "ok", first_token_ms=800.0),))
    transcript = Transcript("s", "p", (slow_second, worst))
    assert verdict(transcript, "budget.first_token_ms", {"first_token_ms": 800}) is PASSED
    found = finding(transcript, "budget.first_token_ms", {"first_token_ms": 700})
    assert (found.verdict, found.turn, found.observed) == (FAILED, 2, "800 ms")


def test_waiting_is_no_time() -> None:
    """Only the requests' own time is summed."""
    transcript = said("a", "b", total_ms=1000.0, waited_ms=60_000.0)
    assert verdict(transcript, "budget.time_ms", {"time_ms": 2000}) is PASSED
    assert verdict(transcript, "budget.time_ms", {"time_ms": 1999}) is FAILED


@pytest.mark.parametrize("kind", ["budget.first_token_ms", "budget.time_ms"])
def test_without_times_nothing_is_measured(kind: str) -> None:
    """An imported conversation has no clock."""
    assert verdict(said("a"), kind, {kind.removeprefix("budget."): 1}) is NOT_MEASURED


@pytest.mark.parametrize(
    ("kind", "broken", "kept"),
    [
        ("budget.cost_usd", {"cost_usd": 0.05}, {"cost_usd": 1}),
        ("budget.requests", {"requests": 1}, {"requests": 2}),
        ("budget.output_tokens", {"output_tokens": 9}, {"output_tokens": 10}),
        ("budget.first_token_ms", {"first_token_ms": 1}, {"first_token_ms": 5000}),
        ("budget.time_ms", {"time_ms": 1}, {"time_ms": 5000}),
    ],
)
def test_a_broken_off_conversation_proves_only_what_went_over(
    kind: str, broken: dict[str, float], kept: dict[str, float]
) -> None:
    """A limit that the complete turns break is broken; otherwise the rest is missing."""
    transcript = broken_off(
        said("a", "b", cost_usd=0.05, usage=used(output_tokens=5), first_token_ms=9.0, total_ms=99.0)
    )
    assert verdict(transcript, kind, broken) is FAILED
    assert verdict(transcript, kind, kept) is NOT_MEASURED


def test_a_cache_share_of_a_broken_off_conversation_is_not_measured() -> None:
    """A share may still rise, so an incomplete one proves nothing."""
    transcript = broken_off(said("a", "b", usage=used(input_tokens=10)))
    assert verdict(transcript, "budget.cache_hit", {"cache_hit": 0.5}) is NOT_MEASURED
