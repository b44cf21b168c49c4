"""Rate limits as the API keeps them: token buckets per class of models, and the headers that show their state.

Cache reads don't count as input; counting tokens has a bucket of its own; some models share their buckets
(Anthropic's rate limit page, read November 2026). The clock is a parameter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from evalkit.standin.errors import ApiError, ErrorAnswer


@dataclass(frozen=True)
class RateLimits:
    """Allowed amounts per minute; the defaults are far above what one machine can use."""

    requests: int = 1_000_000
    input_tokens: int = 10_000_000_000
    output_tokens: int = 2_000_000_000
    counts: int = 1_000_000  # requests to count_tokens


class _Bucket:
    """Hold up to a minute's allowance; it refills evenly and may be overdrawn by what was already generated."""

    def __init__(self, per_minute: int, now: float) -> None:
        self.limit = per_minute
        self._level = float(per_minute)
        self._at = now

    def level(self, now: float) -> float:
        """Return what is left."""
        self._level = min(self.limit, self._level + (now - self._at) * self.limit / 60)
        self._at = now
        return self._level

    def take(self, amount: float, now: float) -> None:
        """Use up an amount."""
        self._level = self.level(now) - amount

    def full_in_s(self, now: float) -> float:
        """Return how long it takes to fill up again."""
        return (self.limit - self.level(now)) * 60 / self.limit

    def wait_s(self, amount: float, now: float) -> float:
        """Return how long until `amount` is there; 0 if it is there now."""
        missing = min(amount, self.limit) - self.level(now)
        return max(0.0, missing * 60 / self.limit)


_DIMENSIONS = ("requests", "input-tokens", "output-tokens")


class RateLimiter:
    """Admit requests and account for their tokens, each class of models by itself."""

    def __init__(
        self, limits: RateLimits, clock: Callable[[], float], wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._wall_clock = wall_clock
        self._buckets: dict[str, dict[str, _Bucket]] = {}

    def admit(self, rate_class: str, input_tokens: int) -> None:
        """Count a request and its uncached input; raises the 429 of the first dimension that is used up."""
        now = self._clock()
        buckets = self._of(rate_class, now)
        # what a reply will take is not known yet: it is admitted while any output is left, and may overdraw
        for dimension, amount in (("requests", 1), ("input-tokens", input_tokens), ("output-tokens", 1)):
            wait = buckets[dimension].wait_s(amount, now)
            if wait > 0:
                state = {name.decode(): value.decode() for name, value in self.headers(rate_class)}
                raise _refusal(buckets[dimension], dimension.replace("-", " "), wait, state)
        buckets["requests"].take(1, now)
        buckets["input-tokens"].take(input_tokens, now)

    def admit_count(self, rate_class: str) -> None:
        """Count a request to count_tokens; raises the 429 when there were too many."""
        now = self._clock()
        bucket = self._of(rate_class, now)["counts"]
        wait = bucket.wait_s(1, now)
        if wait > 0:
            raise _refusal(bucket, "token counting requests", wait, {})
        bucket.take(1, now)

    def spend_output(self, rate_class: str, output_tokens: int) -> None:
        """Account for what a request generated."""
        now = self._clock()
        self._of(rate_class, now)["output-tokens"].take(output_tokens, now)

    def headers(self, rate_class: str) -> list[tuple[bytes, bytes]]:
        """Return the `anthropic-ratelimit-*` headers for a class; `tokens-*` repeats the tightest token limit."""
        now = self._clock()
        buckets = self._of(rate_class, now)
        tokens = ("input-tokens", "output-tokens")
        tightest = min(tokens, key=lambda name: buckets[name].level(now) / buckets[name].limit)
        shown = [(name, buckets[name]) for name in _DIMENSIONS] + [("tokens", buckets[tightest])]
        wall = self._wall_clock()
        headers: list[tuple[bytes, bytes]] = []
        for name, bucket in shown:
            left = max(0, int(bucket.level(now)))
            remaining = left if name == "requests" else round(left, -3)  # the API rounds tokens to thousands
            prefix = b"anthropic-ratelimit-" + name.encode()
            full_at = datetime.fromtimestamp(int(wall + bucket.full_in_s(now)), UTC)
            headers.append((prefix + b"-limit", b"%d" % bucket.limit))
            headers.append((prefix + b"-remaining", b"%d" % remaining))
            headers.append((prefix + b"-reset", full_at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()))
        return headers

    def _of(self, rate_class: str, now: float) -> dict[str, _Bucket]:
        if rate_class not in self._buckets:
            limits = self._limits
            amounts = (limits.requests, limits.input_tokens, limits.output_tokens, limits.counts)
            named = zip((*_DIMENSIONS, "counts"), amounts, strict=True)
            self._buckets[rate_class] = {name: _Bucket(amount, now) for name, amount in named}
        return self._buckets[rate_class]


def _refusal(bucket: _Bucket, of_what: str, wait_s: float, state: dict[str, str]) -> ApiError:
    message = f"This request would exceed your organization's rate limit of {bucket.limit:,} {of_what} per minute."
    return ApiError(ErrorAnswer(429, message, headers={"retry-after": str(ceil(wait_s)), **state}))
