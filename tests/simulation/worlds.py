"""Made-up suites whose cases pass with known probabilities, and what a change of the prompt does to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Chances = NDArray[np.float64]
"""The pass probability of each case."""

ALWAYS = 0.97
"""A case this reliable can break."""


@dataclass(frozen=True)
class World:
    """What the cases of a suite are like: reliable ones, hopeless ones, and flaky ones."""

    name: str
    flaky: float
    flaky_shape: tuple[float, float]
    reliable_shape: tuple[float, float] | None

    def suite(self, cases: int, chance: np.random.Generator) -> Chances:
        """Return the pass probabilities of a suite: a tenth always fails, the rest is reliable or flaky."""
        flaky, hopeless = round(self.flaky * cases), round(0.1 * cases)
        reliable = cases - flaky - hopeless
        steady = np.ones(reliable) if self.reliable_shape is None else chance.beta(*self.reliable_shape, reliable)
        return np.concatenate([steady, np.zeros(hopeless), chance.beta(*self.flaky_shape, flaky)])


WORLDS = (
    World("hard", 0.2, (3, 1), None),
    World("soft", 0.2, (3, 1), (60, 0.6)),
    World("flaky40", 0.4, (2, 1), (60, 0.6)),
)


def nothing(p: Chances, chance: np.random.Generator) -> Chances:
    """Change nothing."""
    return p


def breaks(count: int, to: float = 0.0) -> Callable[[Chances, np.random.Generator], Chances]:
    """Return the change after which some of the most reliable cases pass with this probability only."""

    def change(p: Chances, chance: np.random.Generator) -> Chances:
        reliable = np.flatnonzero(p > 0)[: len(p) // 2]  # the reliable ones stand first
        after = p.copy()
        after[chance.choice(reliable, count, replace=False)] = to
        return after

    return change


def drop(by: float) -> Callable[[Chances, np.random.Generator], Chances]:
    """Return the change by which every case loses this much."""
    return lambda p, _: np.maximum(p - by, 0)


def improve(p: Chances, chance: np.random.Generator) -> Chances:
    """Let half of the flaky and failing cases always pass."""
    weak = np.flatnonzero(p < ALWAYS)
    after = p.copy()
    after[chance.choice(weak, len(weak) // 2, replace=False)] = 1
    return after


def mixed(p: Chances, chance: np.random.Generator) -> Chances:
    """Improve, and break three reliable cases: the mean goes up."""
    broken = breaks(3)(p, chance)
    better = improve(p, chance)
    return np.where(broken != p, broken, better)


SCENARIOS: dict[str, Callable[[Chances, np.random.Generator], Chances]] = {
    "A/A": nothing,
    "1 break": breaks(1),
    "3 breaks": breaks(3),
    "5 breaks": breaks(5),
    "5 half": breaks(5, 0.5),
    "-5 pp": drop(0.05),
    "-10 pp": drop(0.10),
    "improve": improve,
    "mixed": mixed,
}
