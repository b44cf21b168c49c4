"""Which failure is worth another try, and after how long: one table and one function. No waiting, no I/O.

The table is data, so that the README can show it and a test can hold the engine to every row of it. Sources:
platform.claude.com, errors and rate limits pages, read 2026-09-26; what broken streams look like was tried with
anthropic 2.13.0.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from evalkit.engine.door import DoorError
from evalkit.records import Failure


@dataclass(frozen=True)
class FailureRule:
    """One row: how a failure shows, and whether another try follows.

    A failure fits by its HTTP status or by its kind (`Failure.kind`). `wait` says in words how long the next try waits.
    """

    name: str
    shows: str
    retried: bool
    wait: str = "back-off"
    statuses: Collection[int] = ()
    kinds: Collection[str] = ()

    def fits(self, failure: Failure) -> bool:
        """Tell whether the failure is of this row; a status other than 200 says more than a kind does."""
        if failure.status not in {None, 200}:
            return failure.status in self.statuses
        return failure.kind in self.kinds

    @property
    def becomes(self) -> str:
        """What becomes of the trial, in words."""
        return "goes on; not measured when the tries are used up" if self.retried else "not measured"


_OTHER_5XX = frozenset(range(500, 600)) - {504, 529}
RULES = (
    FailureRule(
        "rate limit",
        "429",
        True,
        "as long as `retry-after` says, the whole model class with it; else back-off",
        (429,),
        ("rate_limit_error",),
    ),
    FailureRule(
        "overloaded", "529, or an `error` event in a stream", True, statuses=(529,), kinds=("overloaded_error",)
    ),
    FailureRule("server error", "other 5xx, or an `error` event", True, statuses=_OTHER_5XX, kinds=("api_error",)),
    FailureRule("timeout", "408, 504, or no headers in time", True, statuses=(408, 504), kinds=("timeout_error",)),
    FailureRule("conflict", "409", True, statuses=(409,), kinds=("conflict_error",)),
    FailureRule("connection", "refused, reset or dropped, also in a stream", True, kinds=("connection_error",)),
    FailureRule("stall", "no bytes for the idle limit, or the try's limit is over", True, kinds=("stalled_stream",)),
    FailureRule("truncated", "a clean end before `message_stop`", True, kinds=("truncated_stream",)),
    FailureRule("malformed", "broken JSON, or a 200 that is no event stream", True, kinds=("malformed_stream",)),
    FailureRule("deadline", "the turn's or the trial's time is over", False, "-", kinds=("deadline_exceeded",)),
)
FINAL = FailureRule("final", "any other 4xx or error type: the request itself, the key, the money", False, "-")
"""What no row fits: the same request would fail again."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently; times in seconds.

    `longest_s` caps the back-off; a server's `retry-after` above `longest_asked_s` ends the tries.
    """

    retries: int = 4
    first_s: float = 0.5
    longest_s: float = 30.0
    longest_asked_s: float = 120.0


def rule_for(failure: Failure) -> FailureRule:
    """Return the row of the table that a failure fits."""
    return next((rule for rule in RULES if rule.fits(failure)), FINAL)


def wait_before_retry(error: DoorError, tried: int, policy: RetryPolicy, random: Random) -> float | None:
    """Return the seconds to wait before try number `tried + 1`, or None when the failure is final.

    Exponential back-off with full jitter under a cap; what the server asked for is the least that is waited. The
    server's own word (`x-should-retry`, a spent limit) stands above the table.
    """
    retried = rule_for(error.failure).retried if error.final is None else not error.final
    if tried > policy.retries or not retried:
        return None
    jittered = random.uniform(0, min(policy.longest_s, policy.first_s * 2 ** (tried - 1)))
    if error.retry_after_s is None:
        return jittered
    if error.retry_after_s > policy.longest_asked_s:
        return None
    return max(error.retry_after_s, jittered)
