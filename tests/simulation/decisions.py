"""Plays made-up suites against evalkit's own gate: the same generator that the runner drives, with drawn outcomes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from evalkit.gate import Answer, GateCase, GateSettings, StagePlan, decide
from evalkit.records import Arm, CaseKey, Counts, Decision, Verdict
from tests.simulation.worlds import SCENARIOS, WORLDS, Chances

SUITE = "suites/simulated.yaml"
SETTINGS = GateSettings()


@dataclass(frozen=True)
class Cell:
    """One line of the simulation; `stored` is the baseline's trials per case, 0 for nothing stored.

    `fixed` None is the gate as it is; a number decides in one batch of so many rounds instead.
    """

    world: str
    cases: int
    scenario: str
    stored: int = 5
    fixed: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What one decision came to, beside the truth."""

    red: bool
    excluded: bool
    calls: int
    wrongly_named: bool
    named: int
    covered: bool


def simulate(cell: Cell, runs: int) -> list[Outcome]:
    """Decide `runs` times, each time about a new suite; the seed is the cell's name."""
    world = next(world for world in WORLDS if world.name == cell.world)
    chance = np.random.default_rng(zlib.crc32(repr(cell).encode()))
    outcomes = []
    for _ in range(runs):
        before = world.suite(cell.cases, chance)
        after = SCENARIOS[cell.scenario](before, chance)
        outcomes.append(_outcome(play(before, after, chance, cell), before, after))
    return outcomes


def rounds_of(cases: int) -> int:
    """Return the screening rounds that suit a number of cases: about 100 trials, one to five rounds."""
    return min(5, max(1, ceil(100 / cases)))


def play(before: Chances, after: Chances, chance: np.random.Generator, cell: Cell) -> Decision:
    """Let the gate decide between two versions whose cases pass with these probabilities."""
    keys = [(SUITE, f"case-{number:04}") for number in range(len(before))]
    place = {key: number for number, key in enumerate(keys)}
    passes = chance.binomial(cell.stored, before)
    kept = [Counts(int(count), cell.stored - int(count)) if cell.stored else None for count in passes]
    rounds = rounds_of(len(keys)) if cell.fixed is None else cell.fixed
    settings = SETTINGS if cell.fixed is None else replace(SETTINGS, adaptive=False, rounds_fixed=cell.fixed)
    cases = [GateCase(key, rounds, counts) for key, counts in zip(keys, kept, strict=True)]
    procedure = decide(cases, settings)
    chances = {Arm.BASELINE: before, Arm.CANDIDATE: after}
    try:
        ask = next(procedure)
        while True:
            ask = procedure.send(_draw(ask, chances, place, chance))
    except StopIteration as done:
        decision: Decision = done.value
        return decision


def _draw(
    ask: StagePlan, chances: dict[Arm, Chances], place: dict[CaseKey, int], chance: np.random.Generator
) -> Answer:
    wanted = list(ask.trials.items())
    p = np.array([chances[arm][place[key]] for (arm, key), _ in wanted])
    drawn = chance.random((len(wanted), max(count for _, count in wanted))) < p[:, None]
    return {who: told[:count] for (who, count), told in zip(wanted, drawn.tolist(), strict=True)}


def _outcome(decision: Decision, before: Chances, after: Chances) -> Outcome:
    named = [int(case.key[1].removeprefix("case-")) for case in decision.clearly_worse]
    truth = float((after - before).mean())
    return Outcome(
        red=decision.verdict is Verdict.WORSE,
        excluded=decision.verdict in (Verdict.NOT_WORSE, Verdict.BETTER),
        calls=decision.calls,
        wrongly_named=any(after[number] >= before[number] for number in named),
        named=len(named),
        covered=decision.delta is not None and decision.delta.low <= truth,
    )
