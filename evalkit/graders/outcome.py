"""Graders of what a conversation changed in the world: outcome.writes, outcome.state, outcome.ended.

All read the tools' results in the transcript; nothing is executed. A write is a call of a tool named in `write_tools`
whose result was no error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from evalkit.graders.difference import describe_difference
from evalkit.graders.findings import not_measured
from evalkit.graders.matching import SAME, Matching, aligned, matches_call, matches_value, unmet_entry
from evalkit.graders.shown import shown_call, shown_calls
from evalkit.graders.tool_calls import Calls, made_calls
from evalkit.graders.tools import nearest_call, shown_entry
from evalkit.records import Assertion, Finding, JsonObject, ToolCall, Transcript, TrialVerdict

_RECORD = Matching(exact=True)


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


def writes(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require exactly these state-changing calls, in any order, and nothing beyond them.

    Why: what counts is what was done, not how it was found. Example: `outcome: {write_tools: [cancel, refund], writes:
    [{cancel: {order: W1}}]}`. Failed calls and calls that changed nothing (the tool returned the record as it already
    was) do not count; all arguments must match, lists in any order. Instead of the path to it, which `tools.calls`
    asks for, name the result.
    """
    made = made_calls(transcript, assertion.turn)
    done = _effective(made, assertion.params)
    entries: Sequence[JsonObject] = assertion.params["writes"]
    expected = ", ".join(map(shown_entry, entries)) or "nothing is changed"
    observed = shown_calls(done) if done else "nothing is changed"
    unmet = unmet_entry(entries, done, "any", SAME)
    extra = next((call for call in done if not any(matches_call(entry, call, SAME) for entry in entries)), None)
    if extra is None and len(done) > len(entries):
        extra = done[len(entries)]
    if extra is not None:
        note = f"not expected: {shown_call(extra.name, extra.input)}{_difference(entries, unmet, done)}"
        return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(extra), note=note)
    if made.missing:
        return not_measured(made.missing, assertion.turn)
    if unmet is not None:
        return Finding(TrialVerdict.FAILED, observed, expected, note=f"not done: {shown_entry(entries[unmet])}")
    return Finding(TrialVerdict.PASSED, observed, expected)


def state(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require the records that the tools last returned: these, and no other record changed.

    Why: two ways to the same state are both right. Example: `outcome: {write_tools: [cancel], state: [{order_id: W1,
    status: cancelled}]}`. An entity is told by the first of the keys in `ids` that its record (or the call's input)
    has; by default the first key that is `id` or ends in `_id`. Where the tool's record does not hold its own id, the
    expected one still names it. `match: subset` compares only the keys that are named.
    Instead of whole records where tools return none, use `writes`.
    """
    made = made_calls(transcript, assertion.turn)
    if made.missing:
        return not_measured(made.missing, assertion.turn)
    ids: Sequence[str] = assertion.params.get("ids") or ()
    entities = _entities(made.calls, frozenset(assertion.params["write_tools"]), ids)
    how = Matching() if assertion.params.get("match") == "subset" else _RECORD
    left = dict(entities.changed)
    for wanted in assertion.params["state"]:
        key = _entity(wanted, {}, ids)
        actual = entities.last.get(key) if key else None
        asked = {name: value for name, value in wanted.items() if not _is_only_name(name, value, key, actual)}
        if not matches_value(asked, actual, how):
            return _state_failed(asked, actual, how)
        left.pop(key or "", None)
    expected = f"{len(assertion.params['state'])} records as expected, no other changed"
    if left:
        key = next(iter(left))
        writer = entities.writers[key][-1]
        observed = f"{key} was changed by {shown_call(writer.name, writer.input)}"
        return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(writer), note=writer.output)
    return Finding(TrialVerdict.PASSED, "as expected", expected)


def ended(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require that the conversation came to its end: the user said the last word, or a closing tool was called.

    Why: a conversation that was cut off has no outcome. Example: `outcome: {ended: {user_says: "###STOP###", calls:
    [transfer]}}`. Instead of limiting its length, use `budget: {requests: ...}`.
    """
    mark, closing = assertion.params.get("user_says"), assertion.params.get("calls") or ()
    expected = " or ".join([*([f"the user says {mark!r}"] if mark else []), *(f"{name} is called" for name in closing)])
    last = transcript.turns[-1].user if transcript.turns else ""
    if mark and str(mark).casefold() in last.casefold():
        return Finding(TrialVerdict.PASSED, f"the user said {mark!r}", expected)
    called = next((call.name for turn in transcript.turns for call in turn.tool_calls if call.name in closing), None)
    if called:
        return Finding(TrialVerdict.PASSED, f"{called} was called", expected)
    if transcript.failure is not None:
        return not_measured(f"the conversation broke off: {transcript.failure.kind}")
    return Finding(TrialVerdict.FAILED, "neither", expected, turn=transcript.turns[-1].n if transcript.turns else None)


def _effective(made: Calls, params: JsonObject) -> list[ToolCall]:
    """Return the writes that worked, without those that left their entity's record as it was."""
    tools = frozenset(params["write_tools"])
    ids: Sequence[str] = params.get("ids") or ()
    known: dict[str, Any] = {}
    done: list[ToolCall] = []
    for call in made.calls:
        record = _record(call)
        key = _entity(record, call.input, ids) if record is not None else None
        if call.name in tools and not call.is_error and not (key in known and known[key or ""] == record):
            done.append(call)
        if key and record is not None:
            known[key] = record
    return done


def _entities(calls: Sequence[ToolCall], write_tools: frozenset[str], ids: Sequence[str]) -> _Entities:
    found = _Entities()
    for call in calls:
        if call.is_error:
            continue
        record: Any = _record(call)
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


def _is_only_name(name: str, value: Any, entity: str | None, actual: Any) -> bool:
    """Return whether a key of an expected record only says which record is meant, as the record itself lacks it."""
    return f"{name} {value}" == entity and isinstance(actual, Mapping) and name not in actual


def _record(call: ToolCall) -> Any:
    return None if call.is_error else _parsed(call.output)


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


def _state_failed(wanted: JsonObject, actual: Any, how: Matching) -> Finding:
    if actual is None:
        return Finding(
            TrialVerdict.FAILED, "no tool returned this record", json.dumps(wanted, ensure_ascii=False)[:300]
        )
    note = describe_difference(*aligned(wanted, actual, how))
    return Finding(TrialVerdict.FAILED, "a different record", json.dumps(wanted, ensure_ascii=False)[:300], note=note)


def _difference(entries: Sequence[JsonObject], unmet: int | None, done: Sequence[ToolCall]) -> str:
    """Return how the nearest write differs from the expected one that was not met."""
    nearest = nearest_call(entries[unmet], done) if unmet is not None else None
    if unmet is None or nearest is None:
        return ""
    return "\n" + describe_difference(*aligned(entries[unmet].get("input") or {}, nearest.input, SAME))
