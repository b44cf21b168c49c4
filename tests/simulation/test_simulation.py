"""A small part of the simulation, so that a change that ruins the gate is seen; `make gate-simulation` runs all."""

from __future__ import annotations

import pytest

from tests.simulation.decisions import Cell, simulate
from tests.simulation.gate_simulation import row_of

RUNS = 80


@pytest.mark.parametrize("world", ["hard", "flaky40"])
def test_no_change_is_rarely_red_and_cheap(world: str) -> None:
    """Where nothing changed, at most a few in a hundred decisions are red, for little more than one round."""
    row = row_of(Cell(world, 100, "A/A"), simulate(Cell(world, 100, "A/A"), RUNS))

    assert row.red <= 5
    assert row.calls <= 175


@pytest.mark.parametrize("scenario", ["3 breaks", "mixed"])
def test_broken_cases_are_found_and_named(scenario: str) -> None:
    """Three broken cases are red, also where the mean rises, and the named cases are those."""
    outcomes = simulate(Cell("soft", 50, scenario), RUNS)

    assert sum(outcome.red for outcome in outcomes) >= 0.97 * RUNS
    assert sum(outcome.named for outcome in outcomes) >= 2.5 * RUNS
    assert sum(outcome.wrongly_named for outcome in outcomes) <= 0.05 * RUNS


def test_a_drop_everywhere_is_seen() -> None:
    """Ten points less everywhere is red in most decisions, and never said to be excluded."""
    row = row_of(Cell("hard", 100, "-10 pp"), simulate(Cell("hard", 100, "-10 pp"), RUNS))

    assert row.red >= 85
    assert row.excluded <= 3


def test_an_improvement_is_hardly_ever_red() -> None:
    """Cases that only got better hardly ever make a run worse."""
    row = row_of(Cell("hard", 50, "improve"), simulate(Cell("hard", 50, "improve"), RUNS))

    assert row.red <= 2
    assert row.excluded >= 80
