"""Matching expected tool calls against actual ones: arguments as a subset, calls in an order. Knows values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from evalkit.graders.patterns import matches_somewhere
from evalkit.records import JsonObject, ToolCall

Order = Literal["relative", "exact", "any"]


def is_pattern(expected: str) -> bool:
    """Return whether an expected string is a regular expression: `/.../`."""
    return len(expected) > 2 and expected.startswith("/") and expected.endswith("/")


def matches_value(expected: Any, actual: Any) -> bool:
    """Return whether `actual` holds what `expected` asks for.

    Objects: every expected key matches, others may be there, at every depth. Arrays: same length, matched in order.
    Numbers: equal, 1 and 1.0 alike, but true is not 1. Strings: equal, or `/regex/` found anywhere in a string, case
    counting (`/^...$/` for the whole). null: null. Raises Undecided when a pattern can't be decided.
    """
    if isinstance(expected, str) and is_pattern(expected):
        return isinstance(actual, str) and matches_somewhere(expected[1:-1], actual)
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and all(
            key in actual and matches_value(value, actual[key]) for key, value in expected.items()
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(actual, list | tuple)
            and len(expected) == len(actual)
            and all(map(matches_value, expected, actual))
        )
    if _is_number(expected):
        return _is_number(actual) and bool(expected == actual)
    return type(expected) is type(actual) and bool(expected == actual)


def matches_call(expected: JsonObject, call: ToolCall) -> bool:
    """Return whether a call is the expected one: same name, and arguments that match if any are asked for."""
    wanted = expected.get("input")
    return bool(expected["name"] == call.name) and (wanted is None or matches_value(wanted, call.input))


def unmet_entry(expected: Sequence[JsonObject], calls: Sequence[ToolCall], order: Order) -> int | None:
    """Return the index of the first expected call that did not happen in this order, or None when all did.

    For `exact`, an index equal to the number of expected calls means that a call too many was made.
    """
    if order == "any":
        return _unmet_in_any_order(expected, calls)
    if order == "exact":
        paired = zip(expected, calls, strict=False)
        wrong = next((index for index, (entry, call) in enumerate(paired) if not matches_call(entry, call)), None)
        shorter = min(len(expected), len(calls))
        return wrong if wrong is not None else (None if len(expected) == len(calls) else shorter)
    position = 0
    for index, entry in enumerate(expected):
        found = next((at for at in range(position, len(calls)) if matches_call(entry, calls[at])), None)
        if found is None:
            return index
        position = found + 1
    return None


def aligned(expected: Any, actual: Any) -> tuple[Any, Any]:
    """Return both values without what already matches, so that a difference shows only what is wrong.

    Keys that were not asked for are left out of the actual value; a matching part of the expected value is replaced by
    the actual one.
    """
    if matches_value(expected, actual):
        return actual, actual
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        pairs = {key: aligned(value, actual[key]) for key, value in expected.items() if key in actual}
        left = {key: pairs[key][0] if key in pairs else value for key, value in expected.items()}
        return left, {key: pair[1] for key, pair in pairs.items()}
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple) and len(expected) == len(actual):
        items = list(map(aligned, expected, actual))
        return [item[0] for item in items], [item[1] for item in items]
    return expected, actual


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unmet_in_any_order(expected: Sequence[JsonObject], calls: Sequence[ToolCall]) -> int | None:
    """Assign each expected call a call of its own (augmenting paths), so that a greedy choice can't fail a good run."""
    taken_by: dict[int, int] = {}
    fits = [[at for at, call in enumerate(calls) if matches_call(entry, call)] for entry in expected]

    def assign(entry: int, seen: set[int]) -> bool:
        for at in fits[entry]:
            if at in seen:
                continue
            seen.add(at)
            if at not in taken_by or assign(taken_by[at], seen):
                taken_by[at] = entry
                return True
        return False

    return next((entry for entry in range(len(expected)) if not assign(entry, set())), None)
