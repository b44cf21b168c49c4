"""What a suite can see, and what more trials or cases would buy: drops by formula, broken cases by exact test.

From counts that are known; plays nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.gate.settings import usual_confirm
from evalkit.stats import Stratum, case_p, detectable_drop, gate_p, shape_of
from evalkit.wording import plural

MORE_ROUNDS = 2
LEVEL = 0.05


@dataclass(frozen=True)
class Offer:
    """One way to see more: what it costs, and the drop it makes visible. `cost_usd` None when no price is known."""

    what: str
    trials: int
    cost_usd: float | None
    drop: float | None


@dataclass(frozen=True)
class Outlook:
    """What these numbers of trials see in four of five runs.

    `drop` is the uniform drop (0 to 1), None when not even a total loss is seen; `breaks` how many cases that always
    passed and always fail now it takes.
    """

    cases: int
    stored: float
    rounds: float
    drop: float | None
    breaks: int | None
    offers: tuple[Offer, ...]


def outlook(counts: Sequence[tuple[int, int]], rounds: float, cost_per_trial: float | None = None) -> Outlook | None:
    """Return what a comparison sees: `counts` are the baseline's (passes, trials) by case; None without a pass."""
    tried = [(a, k) for a, k in counts if k]
    shape = shape_of(tried)
    if shape is None:
        return None
    n, stored = len(tried), statistics.fmean(k for _, k in tried)

    def price(trials: int) -> float | None:
        return None if cost_per_trial is None else trials * cost_per_trial

    more = MORE_ROUNDS * n
    double = type(shape)(2 * shape.cases, shape.within, shape.rate)
    offers = (
        Offer(f"{MORE_ROUNDS} more rounds", more, price(more), detectable_drop(shape, stored, rounds + MORE_ROUNDS)),
        Offer(
            "a baseline of twice the rounds",
            round(stored * n),
            price(round(stored * n)),
            detectable_drop(shape, 2 * stored, rounds),
        ),
        Offer(f"{n} more cases", round(rounds * n), price(round(rounds * n)), detectable_drop(double, stored, rounds)),
    )
    return Outlook(
        n, stored, rounds, detectable_drop(shape, stored, rounds), _breaks(n, round(stored), round(rounds)), offers
    )


def _breaks(cases: int, stored: int, rounds: int) -> int | None:
    """Return how many broken cases are seen: one where a closer look or a batch of five is enough."""
    closer = usual_confirm(cases)
    if case_p(Stratum(closer, closer, 0, closer)) <= LEVEL * 0.3 / 2 and cases >= 20:
        return 1
    for broken in range(1, cases + 1):
        strata = [Stratum(stored, stored, 0, max(rounds, 1))] * broken + [Stratum(stored, stored, rounds, rounds)] * (
            cases - broken
        )
        if gate_p(strata).p <= LEVEL:
            return broken
    return None


def outlook_in_words(seen: Outlook) -> str:
    """Return one line: what is seen, and what would be seen for how much more."""
    drop = f"a drop of {seen.drop * 100:.1f} points everywhere" if seen.drop is not None else "no uniform drop"
    breaks = f" or {plural(seen.breaks, 'broken case')}" if seen.breaks else ""
    offers = [_offer(offer) for offer in seen.offers if offer.drop is not None]
    return f"this suite sees {drop}{breaks} in four of five runs; " + "; ".join(offers)


def _offer(offer: Offer) -> str:
    price = f", about ${offer.cost_usd:,.2f}" if offer.cost_usd is not None else ""
    return f"with {offer.what} {(offer.drop or 0) * 100:.1f} (+{offer.trials} trials{price})"
