"""What the cache did for a request and for a turn, in one short line each, where there is something to say.

Knows what was expected of the cache and what came; nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from evalkit.graders.cache import CacheUse, cache_use
from evalkit.records import Request, Turn
from evalkit.reporting.safe_text import one_line
from evalkit.wording import number, usd_exact

EXCERPT = 44

Uses = Mapping[int, CacheUse]
"""Uses of the cache by the identity of their request."""


def uses_of(turns: Sequence[Turn]) -> Uses:
    """Return the cache's use by every reply request of a session."""
    return {id(use.request): use for use in cache_use(turns)}


def is_cold(request: Request, uses: Uses) -> bool:
    """Whether nothing of the request's own session was in the cache for it."""
    use = uses.get(id(request))
    return use is not None and not use.is_warm


def missed_in_words(request: Request, uses: Uses) -> str:
    """Return what was in the cache and was not read, with the API's reason and the first byte that differs; else empty.

    A cold request has nothing to read, so that only the API's reason is told of it.
    """
    use = uses.get(id(request))
    reason = one_line(request.cache_miss_reason or "")
    if use is None or not use.missed:
        return f"cache miss: {reason}" if reason else ""
    words = f"cache: read {number(use.read)} of {number(use.expected)} tokens left by this session"
    if reason:
        words += f"; the API says {reason}"
    lost = use.lost
    if lost is not None:
        words += f"; differs from byte {number(lost.byte)} on, in {one_line(lost.where)}: "
        words += f"“{_short(lost.before)}” became “{_short(lost.after)}”"
    return words


def _short(excerpt: str) -> str:
    """Return an excerpt, which begins shortly before the difference, on a part of a line."""
    text = one_line(excerpt)
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"


def bill_in_words(requests: Iterable[Request]) -> str:
    """Return what requests cost as billed and would have cost with an empty cache; empty where that is the same.

    Also empty when a price is unknown: a sum without it would be too low. Tries that failed and were billed count.
    """
    asked = [request for request in requests if request.usage is not None]
    tries = [attempt.cost_usd for request in asked for attempt in request.attempts if attempt.usage is not None]
    billed = _sum([*(request.cost_usd for request in asked), *tries])
    first = _sum([*(request.cost_as_first_usd for request in asked), *tries])
    if not asked or billed is None or first is None:
        return ""
    bill, empty = usd_exact(billed), usd_exact(first)
    return f"{bill} as billed, {empty} with an empty cache" if bill != empty else ""


def _sum(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
