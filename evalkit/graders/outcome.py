"""Graders of what a conversation changed in the world: outcome.writes, outcome.state, outcome.ended.

All read the tools' results in the transcript; nothing is executed. A write is a call of a tool named in `write_tools`
whose result was no error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from evalkit.graders.grader import Fault, Grader, Mention, not_measured
from evalkit.graders.matching import (
    SAME,
    SUBSET,
    AnyCall,
    CallsGrader,
    MadeCalls,
    Match,
    aligned,
    describe_difference,
    made_calls,
    matches_value,
    shown_call,
    shown_calls,
    unmet_entry,
)
from evalkit.records import Finding, JsonObject, ToolCall, Transcript, TrialVerdict
from evalkit.yamlsource import FileModel, JsonMap, Text, Texts, refusal

_WriteTools = Annotated[
    Texts, Field(description="The tools that change something.", examples=[["start_return", "cancel_order"]])
]
_Ids = Annotated[
    Texts,
    Field(
        description="Keys that tell records apart, first come first; keys ending in _id when left out.",
        examples=[["order_id", "user_id"]],
    ),
]


class Writes(CallsGrader):
    """Require exactly these state-changing calls, in any order, and nothing beyond them.

    Why: what counts is what was done, not how it was found. Example: `outcome: {write_tools: [cancel, refund], writes:
    [{cancel: {order: W1}}]}`. Failed calls and calls that changed nothing (the tool returned the record as it already
    was) do not count; all arguments must match, lists in any order. Instead of the path to it, which `tools.calls`
    asks for, name the result.
    """

    kind = "outcome.writes"
    write_tools: _WriteTools
    writes: list[AnyCall] = Field(
        description="The calls of these tools that worked, exactly these in any order; [] means nothing is changed.",
        examples=[[{"start_return": {"order_id": "TN-20418"}}]],
    )
    ids: _Ids | None = None

    def problems(self) -> Iterator[Fault]:
        yield from super().problems()
        for path, call in self.calls_by_path():
            if call.name not in self.write_tools:
                yield Fault(path, f"{call.name!r} is not among write_tools; add it there.")

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, turn)
        done = _effective(made, frozenset(self.write_tools), self.ids or ())
        expected = ", ".join(map(str, self.writes)) or "nothing is changed"
        observed = shown_calls(done) if done else "nothing is changed"
        unmet = unmet_entry(self.writes, done, "any", SAME)
        extra = next((call for call in done if not any(entry.matches(call, SAME) for entry in self.writes)), None)
        if extra is None and len(done) > len(self.writes):
            extra = done[len(self.writes)]
        if extra is not None:
            note = f"not expected: {shown_call(extra.name, extra.input)}"
            nearest = self.writes[unmet].nearest(done) if unmet is not None else None
            if unmet is not None and nearest is not None:
                note += "\n" + self.writes[unmet].difference(nearest, SAME)
            return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(extra), note=note)
        if made.missing:
            return not_measured(made.missing, turn)
        if unmet is not None:
            return Finding(TrialVerdict.FAILED, observed, expected, note=f"not done: {self.writes[unmet]}")
        return Finding(TrialVerdict.PASSED, observed, expected)


class State(Grader):
    """Require the records that the tools last returned: these, and no other record changed.

    Why: two ways to the same state are both right. Example: `outcome: {write_tools: [cancel], state: [{order_id: W1,
    status: cancelled}]}`. An entity is told by the first of the keys in `ids` that its record (or the call's input)
    has; by default the first key that is `id` or ends in `_id`. Where the tool's record does not hold its own id, the
    expected one still names it. `match: subset` compares only the keys that are named.
    Instead of whole records where tools return none, use `writes`.
    """

    kind = "outcome.state"
    write_tools: _WriteTools
    state: list[JsonMap] = Field(
        description="The records that the tools last returned, and no other record changed.",
        examples=[[{"order_id": "TN-20418", "status": "return requested"}]],
    )
    match: Literal["exact", "subset"] = Field(
        "exact", description="subset: records in `state` may have more keys.", examples=["subset"]
    )
    ids: _Ids | None = None

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, turn)
        if made.missing:
            return not_measured(made.missing, turn)
        ids = self.ids or ()
        entities = _entities(made.calls, frozenset(self.write_tools), ids)
        how = SUBSET if self.match == "subset" else Match(arguments="exact")
        left = dict(entities.changed)
        for wanted in self.state:
            key = _entity(wanted, {}, ids)
            actual = entities.last.get(key) if key else None
            asked = {
                name: value
                for name, value in wanted.items()
                # What only says which record is meant is not asked of one that lacks its own id.
                if f"{name} {value}" != key or not isinstance(actual, Mapping) or name in actual
            }
            if not matches_value(asked, actual, how):
                shown = json.dumps(asked, ensure_ascii=False)[:300]
                if actual is None:
                    return Finding(TrialVerdict.FAILED, "no tool returned this record", shown)
                note = describe_difference(*aligned(asked, actual, how))
                return Finding(TrialVerdict.FAILED, "a different record", shown, note=note)
            left.pop(key or "", None)
        expected = f"{len(self.state)} records as expected, no other changed"
        if left:
            key = next(iter(left))
            writer = entities.writers[key][-1]
            observed = f"{key} was changed by {shown_call(writer.name, writer.input)}"
            return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(writer), note=writer.output)
        return Finding(TrialVerdict.PASSED, "as expected", expected)


class Ending(FileModel):
    """How a conversation comes to its end."""

    called: ClassVar[str] = "ended"
    user_says: Text | None = Field(None, min_length=1, description="The last user message says this.", examples=["bye"])
    calls: Texts | None = Field(None, description="One of these tools was called.", examples=[["hand_over"]])

    @model_validator(mode="after")
    def _some_way(self) -> Ending:
        if self.user_says is None and self.calls is None:
            raise refusal("'ended' needs `user_says`, `calls` or both.")
        return self


class Ended(Grader):
    """Require that the conversation came to its end: the user said the last word, or a closing tool was called.

    Why: a conversation that was cut off has no outcome. Example: `outcome: {ended: {user_says: "###STOP###", calls:
    [transfer]}}`. Instead of limiting its length, use `budget: {requests: ...}`.
    """

    kind = "outcome.ended"
    ended: Ending = Field(description="How the conversation ends.", examples=[{"calls": ["hand_over"]}])

    def mentions(self) -> Iterator[Mention]:
        yield from (Mention(name, ("ended", "calls", n)) for n, name in enumerate(self.ended.calls or ()))

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        mark, closing = self.ended.user_says, self.ended.calls or ()
        ways = [*([f"the user says {mark!r}"] if mark else []), *(f"{name} is called" for name in closing)]
        expected = " or ".join(ways)
        last = transcript.turns[-1] if transcript.turns else None
        if mark and last is not None and mark.casefold() in last.user.casefold():
            return Finding(TrialVerdict.PASSED, f"the user said {mark!r}", expected)
        called = next(
            (call.name for turn in transcript.turns for call in turn.tool_calls if call.name in closing), None
        )
        if called:
            return Finding(TrialVerdict.PASSED, f"{called} was called", expected)
        if transcript.failure is not None:
            return not_measured(f"the conversation broke off: {transcript.failure.kind}")
        return Finding(TrialVerdict.FAILED, "neither", expected, turn=last.n if last else None)


def _effective(made: MadeCalls, write_tools: frozenset[str], ids: Sequence[str]) -> list[ToolCall]:
    """Return the writes that worked, without those that left their entity's record as it was."""
    known: dict[str, Any] = {}
    done: list[ToolCall] = []
    for call in made.calls:
        record = None if call.is_error else _parsed(call.output)
        key = _entity(record, call.input, ids) if record is not None else None
        if call.name in write_tools and not call.is_error and not (key in known and known[key or ""] == record):
            done.append(call)
        if key and record is not None:
            known[key] = record
    return done


@dataclass
class _Entities:
    """The records that tools returned, by entity: the first and the last one seen, and which were written to."""

    first: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    writers: dict[str, list[ToolCall]] = field(default_factory=dict)

    @property
    def changed(self) -> dict[str, Any]:
        """The last record of every entity that was written to and is not what it was at first."""
        return {
            key: self.last[key] for key in self.writers if key not in self.first or self.first[key] != self.last[key]
        }


def _entities(calls: Sequence[ToolCall], write_tools: frozenset[str], ids: Sequence[str]) -> _Entities:
    found = _Entities()
    for call in calls:
        if call.is_error:
            continue
        record: Any = _parsed(call.output)
        key = _entity(record, call.input, ids) if record is not None else None
        if call.name in write_tools:
            if record is None or key is None:  # a write whose result is no record is a change of its own
                key, record = shown_call(call.name, call.input), call.output
            found.writers.setdefault(key, []).append(call)
        if key is not None and record is not None:
            if key not in found.writers:
                found.first.setdefault(key, record)
            found.last[key] = record
    return found


def _entity(record: Any, arguments: JsonObject, ids: Sequence[str]) -> str | None:
    """Return the name of the entity a record is of: its id, or else the id it was asked for by."""
    for holder in (record, arguments):
        if not isinstance(holder, Mapping):
            continue
        keys = ids or [key for key in holder if key == "id" or key.endswith("_id")]
        key = next((key for key in keys if isinstance(holder.get(key), str | int)), None)
        if key is not None:
            return f"{key} {holder[key]}"
    return None


@lru_cache(maxsize=1024)
def _parsed(output: str) -> Any:
    """Return a tool's result as an object, or None when it is none."""
    if not output.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(output)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
