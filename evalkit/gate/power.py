"""What a suite can see, and what more trials or cases would buy: by formula, by exact test, and by playing it.

Starts from counts that are known. The forecast plays the gate's own procedure on made-up trials drawn around them, with
seeded chance, so that the same baseline gives the same forecast.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalkit.gate.evidence import Answer
from evalkit.gate.procedure import StagePlan, decide
from evalkit.gate.settings import GateCase, GateSettings, usual_confirm
from evalkit.records import Arm, Counts, Verdict
from evalkit.stats import Stratum, case_p, detectable_drop, gate_p, shape_of
from evalkit.wording import plural

MORE_ROUNDS = 2
LEVEL = 0.05


PRIOR_WEIGHT = 0.5
"""Half a trial at the suite's own rate: what is believed of a case beside its counts."""
RUNS = 300
Change = Callable[[list[float], random.Random], list[float]]


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


def drop_by(share: float) -> Change:
    """Return the change by which every case loses this much."""
    return lambda p, _: [max(0.0, each - share) for each in p]


def break_cases(count: int) -> Change:
    """Return the change after which some of the most reliable cases always fail."""

    def change(p: list[float], chance: random.Random) -> list[float]:
        best = sorted(range(len(p)), key=lambda index: -p[index])[: max(count, len(p) // 2)]
        broken = set(chance.sample(best, min(count, len(best))))
        return [0.0 if index in broken else each for index, each in enumerate(p)]

    return change


def forecast(counts: Sequence[Counts], rounds: int, change: Change, runs: int = RUNS) -> float:
    """Return the share of comparisons (0 to 1) that would come out worse after a change."""
    chance = random.Random(20260922)  # noqa: S311 - a forecast, and the same one every time
    known = [each for each in counts if each.valid]
    mean = sum(each.passed / each.valid for each in known) / len(known)
    red = 0
    for _ in range(runs):
        before = [_draw_rate(each, mean, chance) for each in known]
        red += _play(known, before, change(before, chance), rounds, chance)
    return red / runs


def _draw_rate(counts: Counts, mean: float, chance: random.Random) -> float:
    a = counts.passed + PRIOR_WEIGHT * mean
    b = counts.failed + PRIOR_WEIGHT * (1 - mean)
    if a <= 0 or b <= 0:
        return 1.0 if a > 0 else 0.0
    return chance.betavariate(a, b)


def _play(
    counts: Sequence[Counts], before: list[float], after: list[float], rounds: int, chance: random.Random
) -> bool:
    keys = [("", str(number)) for number in range(len(counts))]
    rates = {
        (arm, key): p
        for arm, ps in ((Arm.BASELINE, before), (Arm.CANDIDATE, after))
        for key, p in zip(keys, ps, strict=True)
    }
    stored = [_redraw(each, p, chance) for each, p in zip(counts, before, strict=True)]
    procedure = decide([GateCase(key, rounds, each) for key, each in zip(keys, stored, strict=True)], GateSettings())

    def answer(ask: StagePlan) -> Answer:
        return {who: [chance.random() < rates[who] for _ in range(count)] for who, count in ask.trials.items()}

    try:
        ask = next(procedure)
        while True:
            ask = procedure.send(answer(ask))
    except StopIteration as done:
        return bool(done.value.verdict is Verdict.WORSE)


def _redraw(counts: Counts, p: float, chance: random.Random) -> Counts:
    passed = sum(chance.random() < p for _ in range(counts.valid))
    return Counts(passed, counts.valid - passed)
