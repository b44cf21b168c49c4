"""How often the gate would see a change, by playing it on made-up trials drawn around a baseline's counts.

The same generator as everywhere, with seeded chance, so that the same baseline gives the same forecast.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from evalkit.gate.evidence import Answer
from evalkit.gate.procedure import Ask, decide
from evalkit.gate.settings import GateCase, GateSettings
from evalkit.records import Arm, Counts, Verdict

PRIOR_WEIGHT = 0.5
"""Half a trial at the suite's own rate: what is believed of a case beside its counts."""
RUNS = 300

Change = Callable[[list[float], random.Random], list[float]]


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

    def answer(ask: Ask) -> Answer:
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
