"""What can be set on a stand-in server: who answers, its clock, limits, fault rates and pace."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from evalkit.standin.faults import FaultRates
from evalkit.standin.protocol.ratelimits import RateLimits
from evalkit.standin.reply import Answer


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Configure one stand-in server.

    `first_byte_s` and `event_s` slow every reply down: time until the response begins, and between its events.
    `slow_s` is how long the slow faults take in all, `stall_s` how long a stalled response is held at most.
    A message batch ends at its `batch_polls`-th retrieval.
    """

    answer: Answer
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    limits: RateLimits = field(default_factory=RateLimits)
    faults: FaultRates = field(default_factory=FaultRates)
    first_byte_s: float = 0.0
    event_s: float = 0.0
    slow_s: float = 2.0
    stall_s: float = 60.0
    retry_after_s: float = 1
    batch_polls: int = 1
