"""Which failure is worth another try, and after how long. A table and one function; no waiting, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from evalkit.engine.door import DoorError

# Kinds that pass by themselves. Sources: platform.claude.com errors page (read 2026-09-26); what the SDK retries.
TRANSIENT = frozenset(
    {
        "overloaded_error",
        "rate_limit_error",
        "api_error",
        "timeout_error",
        "conflict_error",
        "connection_error",
        "stalled_stream",
        "truncated_stream",
        "malformed_stream",
    }
)
TRANSIENT_STATUS = frozenset({408, 409, 429})


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently; times in seconds. A server's `retry-after` above `longest_s` ends the tries."""

    retries: int = 4
    first_s: float = 0.5
    longest_s: float = 30.0


def wait_before_retry(error: DoorError, tried: int, policy: RetryPolicy, random: Random) -> float | None:
    """Return the seconds to wait before try number `tried + 1`, or None when the failure is final.

    Exponential back-off with full jitter under a cap; what the server asked for is the least that is waited.
    """
    if tried > policy.retries or not _transient(error):
        return None
    jittered = random.uniform(0, min(policy.longest_s, policy.first_s * 2 ** (tried - 1)))
    if error.retry_after_s is None:
        return jittered
    if error.retry_after_s > policy.longest_s:
        return None
    return max(error.retry_after_s, jittered)


def _transient(error: DoorError) -> bool:
    if error.final is not None:
        return not error.final
    status = error.failure.status
    if status in TRANSIENT_STATUS or (status is not None and status >= 500):
        return True
    return error.failure.kind in TRANSIENT
