"""Matching expected tool calls against actual ones: argument by argument, and calls in an order. Knows values only.

An expected value is a value, or a mapping of nothing but `one_of`, `value`, `optional`, `absent`, `min` and `max`,
which says what may stand there; an object with such keys is written as `value: {...}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evalkit.reading.patterns import matches_somewhere
from evalkit.records import JsonObject, ToolCall

Order = Literal["relative", "exact", "any"]

CHOICE_KEYS = frozenset({"one_of", "value", "optional", "absent", "min", "max"})
"""Keys that say what may stand in an argument's place."""

_IGNORED = re.compile(r"[ ,./\-_*^]")


@dataclass(frozen=True)
class Matching:
    """How strictly values are compared.

    `exact`: no argument or key that was not asked for. `loose_strings`: case, spaces and `,./-_*^` don't count, single
    and double quotes are the same. `strict_types`: 1.0 is not 1 (1 still stands for 1.0). `any_order`: of lists.
    """

    exact: bool = False
    loose_strings: bool = False
    strict_types: bool = False
    any_order: bool = False


SUBSET = Matching()
SAME = Matching(exact=True, any_order=True)
"""What makes two state-changing calls the same: all arguments, lists in any order, 1 and 1.0 alike."""


def matching_of(params: JsonObject) -> Matching:
    """Return how an assertion compares values: its `match`."""
    asked = params.get("match") or {}
    return Matching(
        exact=asked.get("arguments") == "exact",
        loose_strings=asked.get("strings") == "loose",
        strict_types=asked.get("types") == "strict",
        any_order=asked.get("lists") == "any_order",
    )


def is_pattern(expected: str) -> bool:
    """Return whether an expected string is a regular expression: `/.../`."""
    return len(expected) > 2 and expected.startswith("/") and expected.endswith("/")


def is_choice(expected: Any) -> bool:
    """Return whether an expected value says what may stand there, rather than being the value itself."""
    return isinstance(expected, Mapping) and bool(expected) and expected.keys() <= CHOICE_KEYS


def matches_value(expected: Any, actual: Any, how: Matching = SUBSET) -> bool:
    """Return whether `actual` holds what `expected` asks for.

    Objects: every expected key matches, others may be there unless `how.exact`, at every depth. Arrays: same length,
    matched in order unless `how.any_order`. Numbers: equal, 1 and 1.0 alike unless `how.strict_types`, but true is not
    1. Strings: equal, or `/regex/` found anywhere in a string, case counting (`/^...$/` for the whole). null: null.
    Raises Undecided when a pattern can't be decided.
    """
    if isinstance(expected, str):
        return isinstance(actual, str) and _matches_text(expected, actual, how)
    if isinstance(expected, Mapping):
        return _fits_choice(expected, actual, how) if is_choice(expected) else _matches_object(expected, actual, how)
    if isinstance(expected, list | tuple):
        if not isinstance(actual, list | tuple) or len(expected) != len(actual):
            return False
        if how.any_order:
            return (
                _unassigned([[at for at, one in enumerate(actual) if matches_value(e, one, how)] for e in expected])
                is None
            )
        return all(matches_value(one, other, how) for one, other in zip(expected, actual, strict=True))
    if _is_number(expected):
        if how.strict_types and isinstance(expected, int) and not isinstance(actual, int):
            return False
        return _is_number(actual) and bool(expected == actual)
    return type(expected) is type(actual) and bool(expected == actual)


def matches_call(expected: JsonObject, call: ToolCall, how: Matching = SUBSET) -> bool:
    """Return whether a call is the expected one: same name, and arguments that match if any are asked for."""
    wanted = expected.get("input")
    if expected["name"] != call.name:
        return False
    return wanted is None or _matches_object(wanted, call.input, how)


def unmet_entry(
    expected: Sequence[JsonObject], calls: Sequence[ToolCall], order: Order, how: Matching = SUBSET
) -> int | None:
    """Return the index of the first expected call that did not happen in this order, or None when all did.

    For `exact`, an index equal to the number of expected calls means that a call too many was made.
    """
    if order == "any":
        return _unassigned(
            [[at for at, call in enumerate(calls) if matches_call(entry, call, how)] for entry in expected]
        )
    if order == "exact":
        paired = zip(expected, calls, strict=False)
        wrong = next((index for index, (entry, call) in enumerate(paired) if not matches_call(entry, call, how)), None)
        shorter = min(len(expected), len(calls))
        return wrong if wrong is not None else (None if len(expected) == len(calls) else shorter)
    position = 0
    for index, entry in enumerate(expected):
        found = next((at for at in range(position, len(calls)) if matches_call(entry, calls[at], how)), None)
        if found is None:
            return index
        position = found + 1
    return None


def aligned(expected: Any, actual: Any, how: Matching = SUBSET) -> tuple[Any, Any]:
    """Return both values without what already matches, so that a difference shows only what is wrong.

    Keys that were not asked for are left out of the actual value unless `how.exact`; a matching part of the expected
    value is replaced by the actual one.
    """
    if matches_value(expected, actual, how):
        return actual, actual
    if isinstance(expected, Mapping) and not is_choice(expected) and isinstance(actual, Mapping):
        pairs = {key: aligned(value, actual[key], how) for key, value in expected.items() if key in actual}
        missing = {key: value for key, value in expected.items() if key not in actual and not _may_be_missing(value)}
        extra = {key: value for key, value in actual.items() if key not in expected} if how.exact else {}
        left = {key: pair[0] for key, pair in pairs.items()}
        return {**left, **missing}, {**{key: pair[1] for key, pair in pairs.items()}, **extra}
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple) and len(expected) == len(actual):
        items = [aligned(one, other, how) for one, other in zip(expected, actual, strict=True)]
        return [item[0] for item in items], [item[1] for item in items]
    return expected, actual


def _matches_text(expected: str, actual: str, how: Matching) -> bool:
    if is_pattern(expected):
        return matches_somewhere(expected[1:-1], actual)
    return _loosened(expected) == _loosened(actual) if how.loose_strings else expected == actual


def _matches_object(expected: JsonObject, actual: Any, how: Matching) -> bool:
    if not isinstance(actual, Mapping) or (how.exact and not actual.keys() <= expected.keys()):
        return False
    return all(
        matches_value(value, actual[key], how) if key in actual else _may_be_missing(value)
        for key, value in expected.items()
    )


def _may_be_missing(expected: Any) -> bool:
    return is_choice(expected) and bool(expected.get("optional") or expected.get("absent"))


def _fits_choice(choice: JsonObject, actual: Any, how: Matching) -> bool:
    if choice.get("absent"):
        return False
    if "one_of" in choice:
        return any(matches_value(one, actual, how) for one in choice["one_of"])
    if "value" in choice:
        value = choice["value"]
        return _matches_object(value, actual, how) if isinstance(value, Mapping) else matches_value(value, actual, how)
    low, high = choice.get("min"), choice.get("max")
    if low is None and high is None:
        return True
    return _is_number(actual) and (low is None or actual >= low) and (high is None or actual <= high)


def _loosened(text: str) -> str:
    return _IGNORED.sub("", text).lower().replace("'", '"')


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unassigned(fits: Sequence[Sequence[int]]) -> int | None:
    """Give each entry one of the places that fit it, no place twice; return the first entry that gets none.

    By augmenting paths, so that a greedy choice can't fail a good run.
    """
    taken_by: dict[int, int] = {}

    def assign(entry: int, seen: set[int]) -> bool:
        for at in fits[entry]:
            if at in seen:
                continue
            seen.add(at)
            if at not in taken_by or assign(taken_by[at], seen):
                taken_by[at] = entry
                return True
        return False

    return next((entry for entry in range(len(fits)) if not assign(entry, set())), None)
