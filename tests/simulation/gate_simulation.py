"""Every cell of the acceptance: made-up suites against the gate, 1,000 decisions each, beside the goals.

    python -m tests.simulation.gate_simulation [RUNS]

Prints the table and what misses a goal, and ends with 1 when something does.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import Pool

from tests.simulation.decisions import Cell, Outcome, simulate
from tests.simulation.worlds import SCENARIOS, WORLDS

SIZES = (20, 50, 100, 200)
RUNS = 1000
FIXED_ROUNDS = {50: (2, 3, 4, 5, 6, 7), 100: (2, 3, 4, 5), 200: (2, 3, 4, 5)}
"""By size, the fixed designs that what the stages save is measured against."""
COMPARED = ("1 break", "3 breaks", "5 half", "-5 pp", "-10 pp", "mixed")


@dataclass(frozen=True)
class Row:
    """What the decisions of one cell come to; shares are percent."""

    cell: Cell
    red: float
    excluded: float
    calls: float
    calls_p95: int
    wrongly_named: float
    covered: float


@dataclass(frozen=True)
class Goal:
    """A figure that every row of some cells has to keep."""

    name: str
    concerns: Callable[[Cell], bool]
    figure: Callable[[Row], float]
    limit: float
    at_least: bool

    def kept(self, row: Row) -> bool:
        """Whether a row keeps the goal."""
        found = self.figure(row)
        return found >= self.limit if self.at_least else found <= self.limit


def _power(scenario: str, least: float, *, stored: Sequence[int] = (5,), sizes: Sequence[int] = SIZES) -> Goal:
    def concerns(cell: Cell) -> bool:
        return cell.scenario == scenario and cell.stored in stored and cell.cases in sizes and cell.fixed is None

    name = f"{scenario}, {'/'.join(map(str, stored))} stored, n {sizes[0]}-{sizes[-1]}: red"
    return Goal(name, concerns, lambda row: row.red, least, at_least=True)


def _of_gate(cell: Cell) -> bool:
    return cell.fixed is None


def _nothing_changed(cell: Cell) -> bool:
    return cell.scenario == "A/A" and cell.fixed is None


def _nothing_changed_100(cell: Cell) -> bool:
    return _nothing_changed(cell) and cell.cases == 100 and cell.stored == 5


GOALS = (
    Goal("A/A: red", _nothing_changed, lambda row: row.red, 2.6, at_least=False),
    _power("3 breaks", 99, stored=(3, 5)),
    _power("1 break", 94),
    _power("mixed", 99),
    _power("5 half", 70),
    _power("-10 pp", 85, sizes=(50, 100, 200)),
    _power("-5 pp", 70, stored=(10,), sizes=(100,)),
    _power("-5 pp", 90, stored=(10,), sizes=(200,)),
    Goal("A/A, n 100: mean calls", _nothing_changed_100, lambda row: row.calls, 160, at_least=False),
    Goal("A/A, n 100: calls, 95th percentile", _nothing_changed_100, lambda row: row.calls_p95, 360, at_least=False),
    Goal("a wrongly named case", _of_gate, lambda row: row.wrongly_named, 3, at_least=False),
    Goal("lower bound below the truth", _of_gate, lambda row: row.covered, 93, at_least=True),
)


def gate_cells() -> Iterator[Cell]:
    """Yield the cells of the gate itself."""
    for world in WORLDS:
        for size in SIZES:
            yield from (Cell(world.name, size, scenario) for scenario in SCENARIOS)
            yield Cell(world.name, size, "3 breaks", stored=3)
            if world.name != "flaky40" and size >= 100:
                yield Cell(world.name, size, "-5 pp", stored=10)


def fixed_cells() -> Iterator[Cell]:
    """Yield designs with a fixed number of rounds, for what the stages save."""
    for size, designs in FIXED_ROUNDS.items():
        for rounds in designs:
            yield from (Cell("hard", size, scenario, fixed=rounds) for scenario in COMPARED)


def row_of(cell: Cell, outcomes: Sequence[Outcome]) -> Row:
    """Return a cell's decisions as one row."""
    runs = len(outcomes)
    calls = sorted(outcome.calls for outcome in outcomes)
    return Row(
        cell,
        red=100 * sum(outcome.red for outcome in outcomes) / runs,
        excluded=100 * sum(outcome.excluded for outcome in outcomes) / runs,
        calls=sum(calls) / runs,
        calls_p95=calls[min(runs - 1, int(0.95 * runs))],
        wrongly_named=100 * sum(outcome.wrongly_named for outcome in outcomes) / runs,
        covered=100 * sum(outcome.covered for outcome in outcomes) / runs,
    )


def savings(rows: dict[Cell, Row]) -> Iterator[tuple[str, bool]]:
    """Yield, by size, what is saved against the fewest fixed rounds that match the gate in all scenarios."""
    for size, goal in ((50, 49.0), (100, 65.0), (200, 65.0)):
        calls = rows[Cell("hard", size, "A/A")].calls
        matching = (k for k in FIXED_ROUNDS[size] if all(_matches(rows, size, k, scenario) for scenario in COMPARED))
        found = next(matching, None)
        rounds = found or FIXED_ROUNDS[size][-1]
        saved = 100 * (1 - calls / (rounds * size))
        words = f"{rounds} fixed rounds match" if found else f"not even {rounds} fixed rounds match"
        yield f"saved when nothing changed, n {size}: {saved:.0f} % ({words}); goal {goal:.0f} %", saved >= goal


def _matches(rows: dict[Cell, Row], size: int, rounds: int, scenario: str) -> bool:
    fixed, gate = rows[Cell("hard", size, scenario, fixed=rounds)], rows[Cell("hard", size, scenario)]
    return fixed.red >= gate.red - 1


def _line(row: Row) -> str:
    cell = row.cell
    return (
        f"{cell.world:<8}{cell.cases:>4}{cell.stored:>7}  {cell.scenario:<9}{row.red:>7.1f}{row.excluded:>10.1f}"
        f"{row.calls:>8.0f}{row.calls_p95:>6}{row.wrongly_named:>9.1f}{row.covered:>8.1f}"
    )


def _job(job: tuple[Cell, int]) -> Row:
    cell, runs = job
    return row_of(cell, simulate(cell, runs))


def main(runs: int = RUNS) -> int:
    """Simulate every cell, print the table, return how many goals are missed."""
    began = time.monotonic()
    cells = [*gate_cells(), *fixed_cells()]
    largest_first = sorted(cells, key=lambda cell: -cell.cases)
    with Pool(os.cpu_count()) as pool:
        rows = {row.cell: row for row in pool.imap_unordered(_job, [(cell, runs) for cell in largest_first])}
    print(f"{'world':<8}{'n':>4}{'stored':>7}  {'scenario':<9}{'red %':>7}{'excl. %':>10}{'calls':>8}{'p95':>6}"
          f"{'misnamed':>9}{'covered':>8}")  # fmt: skip
    for cell in gate_cells():
        print(_line(rows[cell]))
    missed = 0
    for goal in GOALS:
        concerned = [row for cell, row in rows.items() if goal.concerns(cell)]
        worst = (min if goal.at_least else max)(concerned, key=goal.figure)
        kept = goal.kept(worst)
        missed += not kept
        where = f"{worst.cell.world}, n {worst.cell.cases}, {worst.cell.scenario}"
        sign = "at least" if goal.at_least else "at most"
        mark = "ok  " if kept else "MISS"
        print(f"{mark} {goal.name}: {goal.figure(worst):.1f} at worst ({where}); goal {sign} {goal.limit:g}")
    for words, kept in savings(rows):
        missed += not kept
        print(f"{'ok  ' if kept else 'MISS'} {words}")
    print(f"{len(cells)} cells x {runs:,} decisions in {time.monotonic() - began:.0f} s; {missed} goals missed")
    return missed


if __name__ == "__main__":
    sys.exit(1 if main(*map(int, sys.argv[1:2])) else 0)
