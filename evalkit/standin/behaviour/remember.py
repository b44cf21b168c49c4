"""A cache for what is read from texts, bounded in entries and in the length of the texts. Knows nothing of either."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_LONGEST = 16_384


def remembered(entries: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that keeps the newest results; the last argument is the text, and long ones are not kept."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        kept: Callable[P, R] = lru_cache(maxsize=entries)(function)  # type: ignore[assignment]  # it forgets signatures

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if len(args[-1]) > _LONGEST:  # type: ignore[arg-type]
                return function(*args, **kwargs)
            return kept(*args, **kwargs)

        return call

    return decorate
