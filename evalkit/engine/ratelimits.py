"""The rate limits as response headers tell them, and which models share one. Parsing only.

Source: platform.claude.com, rate limits page, read 2026-09-26: token buckets of requests, uncached input tokens and
output tokens a minute; token counts are rounded to thousands; some model generations share one limit.
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
class SeenLimit:
    """What headers say of one dimension; `full_in_s` is None when they don't say when the bucket is full again."""

    dimension: str
    limit: float
    remaining: float
    full_in_s: float | None = None


def model_class(model: str) -> str:
    """Return the name under which a model's rate limits are counted: its generation or itself, without a date."""
    match = _SHARED.search(model) or _NAME.search(model)
    return match[0] if match else model


def read_limits(headers: Mapping[str, str]) -> list[SeenLimit]:
    """Return the limits that the headers tell; a dimension without two sound numbers is left out."""
    found = []
    for dimension in DIMENSIONS:
        limit = _number(headers.get(f"anthropic-ratelimit-{dimension}-limit"))
        remaining = _number(headers.get(f"anthropic-ratelimit-{dimension}-remaining"))
        if limit is None or remaining is None or limit <= 0:
            continue
        # a bucket that is nearly full tells nothing of its speed
        full_in_s = _full_in_s(headers, dimension) if remaining < limit * 0.8 else None
        found.append(SeenLimit(dimension, limit, remaining, full_in_s))
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
