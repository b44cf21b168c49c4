"""Showing how two values differ, in words. The one door to `deepdiff`, which is loaded only when something differs."""

from __future__ import annotations

from typing import Any

MAX_CHARACTERS = 2000


def describe_difference(expected: Any, actual: Any) -> str:
    """Return the difference from expected to actual, one line each, or an empty text when there is none."""
    from deepdiff import DeepDiff

    text: str = DeepDiff(expected, actual, verbose_level=2).pretty().strip()
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + " …"
