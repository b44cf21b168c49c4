"""What is believed of the server's rate limits: what headers tell, what is left, what the next request will count.

Parsing and arithmetic, the time is an argument; `limiter.py` waits. Source: platform.claude.com, rate limits page, read
2026-09-26: token buckets of requests, uncached input tokens and output tokens a minute; token counts are rounded to
thousands; some model generations share one limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

REQUESTS, INPUT, OUTPUT = "requests", "input-tokens", "output-tokens"
DIMENSIONS = (REQUESTS, INPUT, OUTPUT)
ROUNDING = {REQUESTS: 1.0, INPUT: 500.0, OUTPUT: 500.0}
_SHARED = re.compile(r"claude-(?:opus-4|sonnet-4|fable-5)(?![0-9])")
_NAME = re.compile(r"claude-[a-z]+(?:-[0-9]{1,2})*(?![0-9])")


@dataclass(frozen=True)
class ReportedLimit:
    """What headers say of one dimension; `full_in_s` is None when they don't say when the bucket is full again."""

    dimension: str
    limit: float
    remaining: float
    full_in_s: float | None = None


def model_class(model: str) -> str:
    """Return the name under which a model's rate limits are counted: its generation or itself, without a date."""
    match = _SHARED.search(model) or _NAME.search(model)
    return match[0] if match else model


def read_limits(headers: Mapping[str, str]) -> list[ReportedLimit]:
    """Return the limits that the headers tell; a dimension without two sound numbers is left out."""
    found = []
    for dimension in DIMENSIONS:
        limit = _number(headers.get(f"anthropic-ratelimit-{dimension}-limit"))
        remaining = _number(headers.get(f"anthropic-ratelimit-{dimension}-remaining"))
        if limit is None or remaining is None or limit <= 0:
            continue
        # a bucket that is nearly full tells nothing of its speed
        full_in_s = _full_in_s(headers, dimension) if remaining < limit * 0.8 else None
        found.append(ReportedLimit(dimension, limit, remaining, full_in_s))
    return found


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None


def _full_in_s(headers: Mapping[str, str], dimension: str) -> float | None:
    """Return the seconds until `-reset` by the server's own clock: ours may be wrong."""
    reset, date = headers.get(f"anthropic-ratelimit-{dimension}-reset"), headers.get("date")
    if not reset or not date:
        return None
    try:
        return (datetime.fromisoformat(reset) - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):
        return None


ENOUGH = 1e-6  # rounding of the clock must not cost another round of waiting


@dataclass
class Bucket:
    """A rate limit of `limit` per minute that refills evenly.

    `level` is what may still be used: the server's last word less everything since. `ceiling` is the same without our
    reserves for what is not known yet; giving back a reserve never lifts the level above it.
    """

    limit: float
    level: float
    ceiling: float
    at: float
    per_s: float

    @classmethod
    def seen(cls, limit: float, remaining: float, unseen: float, now: float) -> Bucket:
        """Return the mirror for a limit seen for the first time; `unseen` is in flight and may not be counted in it."""
        return cls(limit, remaining - unseen, remaining, now, limit / 60)

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` is there; 0 when it is there now. A whole minute's worth is enough."""
        self._refill(now)
        missing = min(amount, self.limit) - self.level
        return missing / self.per_s if missing > ENOUGH else 0.0

    def take(self, amount: float, now: float) -> None:
        """Use up or reserve an amount."""
        self._refill(now)
        self.level -= amount
        self.ceiling -= amount

    def correct(self, reserved: float, used: float, now: float) -> None:
        """Replace a reserve by what was really used."""
        self._refill(now)
        if used > reserved:
            self.take(used - reserved, now)
        else:
            self.level = min(self.level + reserved - used, max(self.level, self.ceiling))

    def believe(self, remaining: float, unseen: float, rounding: float, now: float) -> None:
        """Take the server's word: it counted at least what it had seen, at most everything that is in flight."""
        self._refill(now)
        self.ceiling = min(remaining, self.limit)
        self.level = min(self.ceiling, max(self.level, remaining - unseen - rounding))

    def refused(self, amount: float, retry_after_s: float, now: float) -> None:
        """Believe a refusal: `amount` is there only when the server says so."""
        self._refill(now)
        self.level = min(self.level, amount - retry_after_s * self.per_s)

    def slow_down(self, full_in_s: float, remaining: float) -> None:
        """Lower the speed when the server needs longer to fill up than a minute's limit would; never raise it.

        Times are whole seconds on both ends, so a second is taken off before they count.
        """
        missing = self.limit - remaining
        if missing > 0 and full_in_s > 1:
            self.per_s = min(self.limit / 60, missing / (full_in_s - 1))

    def _refill(self, now: float) -> None:
        gained = (now - self.at) * self.per_s
        self.level = min(self.limit, self.level + gained)
        self.ceiling = min(self.limit, self.ceiling + gained)
        self.at = now


WEIGHT = 0.2
"""How much the newest request moves the mean."""
FIRST_TOKENS_PER_BYTE = 0.35
FIRST_OUTPUT_TOKENS = 300.0


@dataclass
class RunningMean:
    """A running mean and how far single values stray from it."""

    mean: float
    stray: float = 0.0
    count: int = 0

    def learn(self, value: float) -> None:
        """Move towards a new value; the first one replaces the guess."""
        weight = WEIGHT if self.count else 1.0
        self.count += 1
        self.stray += WEIGHT * (abs(value - self.mean) * (weight < 1) - self.stray)
        self.mean += weight * (value - self.mean)

    def cautious(self) -> float:
        """Return a value that few will exceed."""
        return self.mean + 2 * self.stray


class Estimates:
    """Estimates of one model class: uncached input by the size of the body, output by what replies took so far.

    Cache reads don't count as input, so the tokens a byte of body counts for are far fewer once the cache is warm;
    that is learned, not computed.
    """

    def __init__(self) -> None:
        self._per_byte = RunningMean(FIRST_TOKENS_PER_BYTE)
        self._output = RunningMean(FIRST_OUTPUT_TOKENS)

    def input_tokens(self, size: int) -> float:
        """Return the input tokens that a body of `size` bytes will count."""
        return self._per_byte.cautious() * size

    def output_tokens(self) -> float:
        """Return the output tokens that a reply will count."""
        return self._output.cautious()

    def learn_input(self, size: int, tokens: int) -> None:
        """Learn what a body really counted."""
        self._per_byte.learn(tokens / max(1, size))

    def learn_output(self, tokens: int) -> None:
        """Learn what a reply really took."""
        self._output.learn(tokens)


FIRST, LEAST, MOST = 8.0, 1.0, 4096.0
CUT = 0.7


@dataclass
class CongestionWindow:
    """Doubles with each round of clean replies until the first cut, then grows by one a round (as TCP does)."""

    size: float = FIRST
    cut_at: float = float("-inf")
    doubling: bool = True

    def clean(self) -> None:
        """Grow after a clean reply that came while the window was full."""
        self.size = min(MOST, self.size + (1.0 if self.doubling else 1.0 / self.size))

    def refused(self, sent_at: float, now: float) -> None:
        """Shrink, once for all requests that were under way together."""
        if sent_at >= self.cut_at:
            self.size = max(LEAST, self.size * CUT)
            self.cut_at = now
            self.doubling = False
