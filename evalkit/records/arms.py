"""The two sides of a comparison, and why a trial of one was played."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Arm(StrEnum):
    """The two sides of a comparison."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"


class Stage(StrEnum):
    """Why a trial was played: a suite's own round, one more round, a closer look at a suspect, a check of the store,
    or one more trial of a critical case.

    Rounds count for rates and differences; the others were chosen because of what was seen before and do not.
    """

    ROUND = "round"
    MORE = "more"
    CONFIRM = "confirm"
    DRIFT = "drift"
    MUST_PASS = "must-pass"


class Counts(NamedTuple):
    """Trials of one case in one arm; `errors` came to no verdict and count on neither side."""

    passed: int = 0
    failed: int = 0
    errors: int = 0

    @property
    def valid(self) -> int:
        """Trials that passed or failed."""
        return self.passed + self.failed
