"""Tool calls: those that a transcript holds, how a suite writes expected ones, and how the two are compared.

A call counts from the moment the assistant asked for it, whatever the tool answered. An expected value is a value, or a
mapping of nothing but `one_of`, `value`, `optional`, `absent`, `min` and `max`, which says what may stand there; an
object with such keys is written as `value: {...}`. Texts between slashes are regular expressions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_serializer

from evalkit.content import spoken
from evalkit.graders.grader import Fault, Grader, Mention, not_measured, pattern_faults
from evalkit.graders.replies import complete_turns
from evalkit.reading.patterns import matches_somewhere, pattern_of
from evalkit.records import Finding, JsonObject, ToolCall, Transcript, TrialVerdict
from evalkit.yamlsource import FileModel, JsonMap, Text, ValuePath, refusal

_MAX_ARGUMENTS = 160
_MAX_CALLS = 10


@dataclass(frozen=True)
class MadeCalls:
    """The calls to judge in their order, the turn of each, and why some may be missing (empty: none is)."""

    calls: tuple[ToolCall, ...]
    turns: tuple[int, ...]
    missing: str

    def turn_of(self, call: ToolCall) -> int:
        """Return the turn in which a call was made."""
        return next(turn for turn, candidate in zip(self.turns, self.calls, strict=True) if candidate is call)

    def passed(self, observed: str, expected: str, turn: int | None) -> Finding:
        """Return that nothing breaks the rule: passed, unless a call that could break it may be missing."""
        if self.missing:
            return not_measured(self.missing, turn)
        return Finding(TrialVerdict.PASSED, observed, expected, turn=turn)


def made_calls(transcript: Transcript, turn: int | None) -> MadeCalls:
    """Return the calls of a turn, or those of the whole conversation."""
    judged = complete_turns(transcript, turn)
    made = [(turn.n, call) for turn in judged.turns for call in turn.tool_calls]
    return MadeCalls(tuple(call for _, call in made), tuple(turn for turn, _ in made), judged.missing)


def past_calls(transcript: Transcript) -> tuple[ToolCall, ...]:
    """Return the calls that were made before the first turn, as far as the history holds them."""
    made = []
    for part in spoken(transcript.history):
        for call in part.calls:
            output, is_error = part.result_of(call)
            made.append(ToolCall(str(call["id"]), str(call["name"]), call.get("input") or {}, output, is_error, 0.0, 0))
    return tuple(made)


def shown_call(name: str, arguments: JsonObject | None) -> str:
    """Return `name {"key": "value"}`, long arguments cut; only the name when there are none."""
    if not arguments:
        return name
    text = json.dumps(arguments, ensure_ascii=False, default=dict)
    return f"{name} {text if len(text) <= _MAX_ARGUMENTS else text[:_MAX_ARGUMENTS] + '…'}"


def shown_calls(calls: Sequence[ToolCall]) -> str:
    """Return the calls one after the other, or `no tool call`."""
    texts = [shown_call(call.name, call.input) for call in calls[:_MAX_CALLS]]
    more = [f"and {len(calls) - _MAX_CALLS} more"] if len(calls) > _MAX_CALLS else []
    return ", ".join(texts + more) or "no tool call"


Order = Literal["relative", "exact", "any"]

CHOICE_KEYS = frozenset({"one_of", "value", "optional", "absent", "min", "max"})
"""Keys that say what may stand in an argument's place."""

MAX_CHARACTERS = 2000
_IGNORED = re.compile(r"[ ,./\-_*^]")


class Match(FileModel):
    """How strictly expected and actual inputs are compared."""

    called: ClassVar[str] = "match"
    arguments: Literal["subset", "exact"] = Field(
        default="subset", description="exact: no argument that is not named.", examples=["exact"]
    )
    strings: Literal["exact", "loose"] = Field(
        default="exact", description="loose: case, spaces and , . / - _ * ^ do not count.", examples=["loose"]
    )
    types: Literal["lenient", "strict"] = Field(
        default="lenient", description="strict: 1.0 is not 1 (1 may stand for 1.0).", examples=["strict"]
    )
    lists: Literal["ordered", "any_order"] = Field(
        default="ordered", description="any_order: lists are compared whatever their order.", examples=["any_order"]
    )


SUBSET = Match()
SAME = Match(arguments="exact", lists="any_order")
"""What makes two state-changing calls the same: all arguments, lists in any order, 1 and 1.0 alike."""

MatchKey = Annotated[
    Match, Field(description="How strictly inputs are compared here.", examples=[{"arguments": "exact"}])
]
"""The `match` that several graders of tool calls share."""


class ExpectedCall(FileModel):
    """A tool call as a suite names it, and what its input must contain; no input: any will do."""

    called: ClassVar[str] = "a tool call"
    name: Text
    input: JsonMap | None = None

    @model_serializer
    def _as_written(self) -> Any:
        return self.name if self.input is None else {self.name: self.input}

    def __str__(self) -> str:
        return shown_call(self.name, self.input)

    def matches(self, call: ToolCall, how: Match = SUBSET) -> bool:
        """Return whether a call is this one: same name, and arguments that match if any are asked for."""
        return self.name == call.name and (self.input is None or _matches_object(self.input, call.input, how))

    def nearest(self, made: Sequence[ToolCall]) -> ToolCall | None:
        """Return the call of the same tool in which the most of the arguments match; the first of equals."""
        wanted = self.input or {}

        def fitting(call: ToolCall) -> int:
            return sum(_matches_object({key: value}, call.input, SUBSET) for key, value in wanted.items())

        return max((call for call in made if call.name == self.name), key=fitting, default=None)

    def difference(self, call: ToolCall, how: Match) -> str:
        """Return how a call's arguments differ from the expected ones, or an empty text."""
        return describe_difference(*aligned(self.input or {}, call.input, how))

    def problems(self, path: ValuePath) -> Iterator[Fault]:
        """Yield what no call could ever fulfil; `path` leads to this call."""
        yield from value_faults(self.input, (*path, self.name))

    def mention(self, path: ValuePath) -> Mention:
        """Return the tool with the part of the input that its schema can check."""
        plain = without_choices(self.input) if self.input is not None else None
        return Mention(self.name, (*path, self.name), plain)


def _expected_call(value: Any) -> Any:
    """Accept `lookup_order` and `lookup_order: {order_id: TN-20418}`."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and len(value) == 1:
        (name, given), *_ = value.items()
        if isinstance(given, dict):
            return {"name": name, "input": given}
        raise refusal(f"the input of {name!r} must be a mapping; to expect any input, write just {name}.")
    raise refusal("a call is a tool's name, or one `name: {argument: value}`.")


AnyCall = Annotated[
    ExpectedCall, BeforeValidator(_expected_call, json_schema_input_type=str | dict[str, dict[str, Any]])
]


def is_choice(expected: Any) -> bool:
    """Return whether an expected value says what may stand there, rather than being the value itself."""
    return isinstance(expected, Mapping) and bool(expected) and expected.keys() <= CHOICE_KEYS


class CallsGrader(Grader):
    """A grader whose key holds expected calls: they are checked, and held against the prompt, one by one."""

    def calls_by_path(self) -> Iterator[tuple[ValuePath, ExpectedCall]]:
        """Yield each expected call with where it stands."""
        yield from (((self.key(), n), call) for n, call in enumerate(getattr(self, self.key())))

    def problems(self) -> Iterator[Fault]:
        return (fault for path, call in self.calls_by_path() for fault in call.problems(path))

    def mentions(self) -> Iterator[Mention]:
        return (call.mention(path) for path, call in self.calls_by_path())


def matches_value(expected: Any, actual: Any, how: Match = SUBSET) -> bool:
    """Return whether `actual` holds what `expected` asks for.

    Objects: every expected key matches, others may be there unless arguments are exact, at every depth. Arrays: same
    length, matched in order unless any order will do. Numbers: equal, 1 and 1.0 alike unless types are strict, but true
    is not 1. Strings: equal, or `/regex/` found anywhere in a string, case counting (`/^...$/` for the whole). null:
    null. Raises Undecided when a pattern can't be decided.
    """
    if isinstance(expected, str):
        if not isinstance(actual, str):
            return False
        if pattern := pattern_of(expected):
            return matches_somewhere(pattern, actual)
        return _loosened(expected) == _loosened(actual) if how.strings == "loose" else expected == actual
    if isinstance(expected, Mapping):
        return _fits_choice(expected, actual, how) if is_choice(expected) else _matches_object(expected, actual, how)
    if isinstance(expected, list | tuple):
        if not isinstance(actual, list | tuple) or len(expected) != len(actual):
            return False
        if how.lists == "any_order":
            return (
                _unassigned([[at for at, one in enumerate(actual) if matches_value(e, one, how)] for e in expected])
                is None
            )
        return all(matches_value(one, other, how) for one, other in zip(expected, actual, strict=True))
    if _is_number(expected):
        if how.types == "strict" and isinstance(expected, int) and not isinstance(actual, int):
            return False
        return _is_number(actual) and bool(expected == actual)
    return type(expected) is type(actual) and bool(expected == actual)


def unmet_entry(
    expected: Sequence[ExpectedCall], calls: Sequence[ToolCall], order: Order, how: Match = SUBSET
) -> int | None:
    """Return the index of the first expected call that did not happen in this order, or None when all did.

    For `exact`, an index equal to the number of expected calls means that a call too many was made.
    """
    if order == "any":
        return _unassigned([[at for at, call in enumerate(calls) if entry.matches(call, how)] for entry in expected])
    if order == "exact":
        paired = zip(expected, calls, strict=False)
        wrong = next((index for index, (entry, call) in enumerate(paired) if not entry.matches(call, how)), None)
        shorter = min(len(expected), len(calls))
        return wrong if wrong is not None else (None if len(expected) == len(calls) else shorter)
    position = 0
    for index, entry in enumerate(expected):
        found = next((at for at in range(position, len(calls)) if entry.matches(calls[at], how)), None)
        if found is None:
            return index
        position = found + 1
    return None


def aligned(expected: Any, actual: Any, how: Match = SUBSET) -> tuple[Any, Any]:
    """Return both values without what already matches, so that a difference shows only what is wrong.

    Keys that were not asked for are left out of the actual value unless arguments are exact; a matching part of the
    expected value is replaced by the actual one.
    """
    if matches_value(expected, actual, how):
        return actual, actual
    if isinstance(expected, Mapping) and not is_choice(expected) and isinstance(actual, Mapping):
        pairs = {key: aligned(value, actual[key], how) for key, value in expected.items() if key in actual}
        missing = {key: value for key, value in expected.items() if key not in actual and not may_be_missing(value)}
        extra = {key: value for key, value in actual.items() if key not in expected} if how.arguments == "exact" else {}
        left = {key: pair[0] for key, pair in pairs.items()}
        return {**left, **missing}, {**{key: pair[1] for key, pair in pairs.items()}, **extra}
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple) and len(expected) == len(actual):
        items = [aligned(one, other, how) for one, other in zip(expected, actual, strict=True)]
        return [item[0] for item in items], [item[1] for item in items]
    return expected, actual


def describe_difference(expected: Any, actual: Any) -> str:
    """Return the difference from expected to actual, one line each, or an empty text when there is none."""
    from deepdiff import DeepDiff  # slow to load, and needed only where something differs

    text: str = DeepDiff(expected, actual, verbose_level=2).pretty().strip()
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + " …"


def _matches_object(expected: JsonObject, actual: Any, how: Match) -> bool:
    if not isinstance(actual, Mapping) or (how.arguments == "exact" and not actual.keys() <= expected.keys()):
        return False
    return all(
        matches_value(value, actual[key], how) if key in actual else may_be_missing(value)
        for key, value in expected.items()
    )


def may_be_missing(expected: Any) -> bool:
    """Return whether an expected value is content with nothing in its place."""
    return is_choice(expected) and bool(expected.get("optional") or expected.get("absent"))


def _fits_choice(choice: JsonObject, actual: Any, how: Match) -> bool:
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


def without_choices(value: Any) -> Any:
    """Return an expected input without what only says what may stand there: the part a tool's schema can check."""
    if isinstance(value, dict):
        return {key: without_choices(item) for key, item in value.items() if not is_choice(item)}
    if isinstance(value, list):
        return [without_choices(item) for item in value if not is_choice(item)]
    return value


def value_faults(value: Any, path: ValuePath) -> Iterator[Fault]:
    """Yield wrong patterns and wrong choices anywhere in an expected value."""
    if isinstance(value, str) and (pattern := pattern_of(value)):
        yield from pattern_faults(path, pattern)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from value_faults(item, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            if is_choice(item) and (message := _choice_fault(item)):
                yield Fault((*path, key), message)
            yield from value_faults(item, (*path, key))


def _choice_fault(choice: Mapping[str, Any]) -> str:
    """Return what is wrong with `{one_of: ...}` and its kin, or an empty text."""
    ways: list[str] = [key for key in ("one_of", "value", "absent") if key in choice]
    if {"min", "max"} & choice.keys():
        ways.append("min/max")
    low, high = choice.get("min"), choice.get("max")
    numbers = [limit for limit in (low, high) if limit is not None]
    if len(ways) > 1:
        return f"{' and '.join(ways)} exclude each other; write one of them, or `value: {{...}}` for such an object."
    if any(isinstance(limit, bool) or not isinstance(limit, int | float) for limit in numbers):
        return "min and max are numbers; an object with such keys is written as `value: {...}`."
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        return f"min {low} is more than max {high}; no value can be both."
    if "one_of" in choice and (not isinstance(choice["one_of"], list) or not choice["one_of"]):
        return "`one_of` is a list of at least one value."
    flags = [key for key in ("optional", "absent") if key in choice and choice[key] is not True]
    return f"`{flags[0]}` is true or left out." if flags else ""
