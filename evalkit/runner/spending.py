"""How much a run may cost: what is spent, what running trials may still spend, and whether another one fits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evalkit.records import Judgement, Request, SideRequest, SimulatedMessage
from evalkit.store import RunReader


def cost_of_requests(requests: Iterable[Request | SideRequest]) -> float:
    """Return what requests cost with their abandoned tries, in US dollars.

    An unknown price counts nothing, nor does a reply from the cache: an earlier run has paid for it.
    """
    return sum(
        (request.cost_usd or 0.0) + sum(attempt.cost_usd or 0.0 for attempt in request.attempts)
        for request in requests
        if not request.from_cache
    )


def asides_of(messages: Iterable[SimulatedMessage], judgements: Iterable[Judgement]) -> list[SideRequest]:
    """Return what was asked beside a conversation: of the model that plays the user, and of judges."""
    return [*(message.request for message in messages), *(judgement.request for judgement in judgements)]


def spent_in(reader: RunReader) -> float:
    """Return what a run has cost so far, in US dollars, with everything that was asked beside its conversations."""
    spent = cost_of_requests(test.request for test in reader.judge_tests)
    for trial in reader.trials():
        said = trial.transcript
        spent += cost_of_requests([*said.requests, *asides_of(said.simulated, said.judgements)])
    for session in reader.open_sessions().values():
        spent += cost_of_requests([*session.requests, *asides_of(session.simulated, session.judgements)])
    return spent


@dataclass
class Spending:
    """The money of a run or of one suite in it, in US dollars; `cap` None means no limit.

    A trial is admitted when what is spent, what is reserved for running trials and what it may cost itself fit under
    the cap. The reserve for a trial is the mean of the finished ones, before that the planner's estimate.
    """

    cap: float | None = None
    spent: float = 0.0
    _reserved: dict[str, float] = field(default_factory=dict)
    _finished: int = 0

    def admit(self, session_id: str, estimate: float) -> bool:
        """Reserve money for a trial; False when it does not fit."""
        expected = self.spent / self._finished if self._finished else estimate
        if self.cap is not None and self.spent + sum(self._reserved.values()) + expected > self.cap:
            return False
        self._reserved[session_id] = expected
        return True

    def fits(self, trials: int, estimate: float) -> bool:
        """Tell whether so many more trials may be expected to fit under the cap."""
        expected = self.spent / self._finished if self._finished else estimate
        return self.cap is None or self.spent + sum(self._reserved.values()) + trials * expected <= self.cap

    def pay(self, session_id: str, cost: float) -> None:
        """Book the cost of one request against its trial's reserve."""
        self.spent += cost
        if session_id in self._reserved:
            self._reserved[session_id] = max(0.0, self._reserved[session_id] - cost)

    def release(self, session_id: str) -> None:
        """Give back the reserve of a trial that was not played."""
        self._reserved.pop(session_id, None)

    def settle(self, session_id: str) -> None:
        """Free what a finished trial had left."""
        self._reserved.pop(session_id, None)
        self._finished += 1

    @property
    def exhausted(self) -> bool:
        """Whether the cap is reached, so that not even a running trial may go on."""
        return self.cap is not None and self.spent >= self.cap
