"""Seeded fault rates: same request, same fate."""

from __future__ import annotations

import pytest

from evalkit.standin import FaultRates
from evalkit.standin.faults import find_fault

BODIES = [b'{"n": %d}' % number for number in range(2000)]


def test_draws_depend_on_seed_request_trial_and_attempt_only() -> None:
    """Two servers with one seed agree on every draw; another seed disagrees on some."""
    draws = [
        [FaultRates({"overloaded": 0.5}, seed).draw(body, 1, 0) is None for body in BODIES[:64]] for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_trials_and_attempts_are_drawn_apart() -> None:
    """The second attempt and the second trial of a request have fates of their own."""
    rates = FaultRates({"overloaded": 0.5}, 7)
    fates = {tuple(rates.draw(body, *place) is None for body in BODIES[:64]) for place in ((1, 0), (1, 1), (2, 0))}
    assert len(fates) == 3


def test_rates_are_kept() -> None:
    """Over many requests each fault strikes about as often as asked."""
    rates = FaultRates({"overloaded": 0.3, "truncated": 0.1}, 3)
    names = [fault.name for body in BODIES if (fault := rates.draw(body, 1, 0))]
    assert 0.25 < names.count("overloaded") / len(BODIES) < 0.35
    assert 0.07 < names.count("truncated") / len(BODIES) < 0.13


def test_no_rates_no_faults() -> None:
    """Without rates no request is struck."""
    assert not any(FaultRates().draw(body, 1, 0) for body in BODIES)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"overlaoded": 0.1}, "unknown fault 'overlaoded'; did you mean 'overloaded'?"),
        ({"overloaded": 1.5}, "rate of 'overloaded' is 1.5; expected 0 to 1"),
        ({"overloaded": 0.7, "stall": 0.7}, "sum to 1.4; expected at most 1"),
    ],
)
def test_wrong_rates_are_refused(rates: dict[str, float], message: str) -> None:
    """A rate that can't be meant is refused when the server is made."""
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        FaultRates(rates)


def test_unknown_name_without_a_near_one_lists_all() -> None:
    """A name that resembles none is answered with the whole table."""
    with pytest.raises(ValueError, match="expected one of overloaded, rate_limited"):
        find_fault("zzz")
