"""How long things may take: a piece of a reply, a try, a turn, a whole conversation. Keeps time, ends nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Limits:
    """Time limits in seconds: silence between two pieces, one try of a request, a turn, the conversation (a trial).

    None means no limit. Turns and conversations are limited only where one source of replies serves one conversation.
    """

    idle_s: float = 60.0
    whole_s: float = 600.0
    turn_s: float | None = None
    trial_s: float | None = None


class Deadlines:
    """The clock of one conversation: when its turn and itself must be over.

    Time that our own rate limiter held a request back is excused: a busy run must not fail its trials.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._turn = 0
        self._turn_ends = self._trial_ends = inf

    def begin(self, turn: int) -> None:
        """Start the clock of a turn at its first request, and that of the conversation at its first turn."""
        if self._turn == 0 and self._limits.trial_s is not None:
            self._trial_ends = self._clock() + self._limits.trial_s
        if turn != self._turn:
            self._turn = turn
            self._turn_ends = inf if self._limits.turn_s is None else self._clock() + self._limits.turn_s

    def excuse(self, seconds: float) -> None:
        """Move the deadlines by time that does not count."""
        self._turn_ends += seconds
        self._trial_ends += seconds

    def left_s(self) -> float:
        """Return the seconds until the nearest deadline; infinite when there is none."""
        return min(self._turn_ends, self._trial_ends) - self._clock()

    def exceeded(self) -> str | None:
        """Say which deadline has passed, None when none has."""
        now = self._clock()
        if self._trial_ends <= now:
            return f"the whole conversation took longer than {self._limits.trial_s:g} seconds"
        if self._turn_ends <= now:
            return f"the turn took longer than {self._limits.turn_s:g} seconds"
        return None
