"""Graders of what a conversation changed in the world: outcome.writes, outcome.state, outcome.closed_by.

Without a world they read the tools' results in the transcript: a write is a call of a tool named in `write_tools` whose
result was no error. In a world they follow the transcript's calls from its start: what they then know is what there
is, whatever the tools returned. Nothing is executed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from evalkit.graders.grader import Fault, Grader, not_measured
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
    value_faults,
)
from evalkit.records import Finding, JsonObject, ToolCall, Transcript, TrialVerdict
from evalkit.wording import listed, plural
from evalkit.world import Course, World, changed_between
from evalkit.yamlsource import Texts, ValuePath, did_you_mean, refusal, unwrapped

_WriteTools = Annotated[
    Texts | None,
    Field(
        description="The tools that change something; not needed where there is a `world`.",
        examples=[["start_return", "cancel_order"]],
    ),
]
CourseOf = Callable[[Sequence[ToolCall]], Course | None]
"""Says what recorded calls made of a world; None where there is none."""
_Ids = Annotated[
    Texts,
    Field(
        description="Keys that tell records apart, first come first; keys ending in _id when left out.",
        examples=[["order_id", "user_id"]],
    ),
]


class WorldGrader(Grader):
    """A grader that follows what calls made of a world, where the case has one."""

    given = frozenset({"course_of"})
    write_tools: _WriteTools = None
    course_of: SkipJsonSchema[CourseOf | None] = Field(None, exclude=True, description="What calls make of the world.")

    def in_world(self, course_of: CourseOf) -> Self:
        """Return the grader for a case in whose world calls come to this."""
        return self.model_copy(update={"course_of": course_of})

    def faults_in(self, world: World | None) -> Iterator[Fault]:
        """Yield what is wrong with its values in a world, or without one."""
        if world is None and self.write_tools is None:
            message = f"`{self.key()}` needs `write_tools`, the tools that change something, or a `world`."
            yield Fault((self.key(),), message, on_key=True)

    def course(self, made: MadeCalls) -> Course | None:
        """Return what calls made of the world; None where the grader is about what tools returned."""
        return self.course_of(made.calls) if self.course_of and self.write_tools is None else None


class Writes(WorldGrader, CallsGrader):
    """Require exactly these state-changing calls, in any order, and nothing beyond them.

    Why: what counts is what was done, not how it was found. Example: `outcome: {writes: [{cancel: {order: W1}}]}` in a
    suite with a `world`, which knows what changed; elsewhere `write_tools` names the tools that change something.
    Failed calls and calls that changed nothing (the tool returned the record as it already
    was) do not count; all arguments must match, lists in any order. Instead of the path to it, which `tools.calls`
    asks for, name the result.
    """

    kind = "outcome.writes"
    writes: list[AnyCall] = Field(
        description="The calls that changed something, exactly these in any order; [] means nothing is changed.",
        examples=[[{"start_return": {"order_id": "TN-20418"}}]],
    )
    ids: _Ids | None = None

    def problems(self) -> Iterator[Fault]:
        yield from super().problems()
        for path, call in self.calls_by_path():
            if self.write_tools is not None and call.name not in self.write_tools:
                yield Fault(path, f"{call.name!r} is not among write_tools; add it there.")

    def faults_in(self, world: World | None) -> Iterator[Fault]:
        yield from super().faults_in(world)
        for path, call in self.calls_by_path():
            if world is not None and self.write_tools is None and call.name not in world.writers:
                hint = did_you_mean(call.name, world.writers) or f"; {', '.join(sorted(world.writers))} can"
                yield Fault(path, f"{call.name!r} changes nothing in this world{hint}")

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, turn)
        course = self.course(made)
        if course is not None and course.lost:
            return not_measured(course.lost, turn)
        if course is None and self.write_tools is None:
            return not_measured(NO_WORLD, turn)
        if course is not None:
            done = [write.call for write in course.writes]
        else:
            done = _effective(made, frozenset(self.write_tools or ()), self.ids or ())
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


UNCHANGED = "unchanged"
NO_WORLD = "which calls changed something is known only with the suite's world; score it with its suite"
_STATE = "'state' is a list of records, or in a world a mapping of kinds, ids and fields, or `unchanged`."


def _state(value: Any) -> Any:
    value = unwrapped(value)
    if isinstance(value, list) and all(isinstance(record, dict) for record in value):
        return value
    if value != UNCHANGED and not isinstance(value, dict):
        raise refusal(_STATE)
    for kind, entities in value.items() if isinstance(value, dict) else ():
        if entities != UNCHANGED and not isinstance(entities, dict):
            raise refusal(f"what is expected of a {kind} stands under its id, or is `unchanged` for all of them.", kind)
        for key, fields in entities.items() if isinstance(entities, dict) else ():
            if fields is not None and fields != UNCHANGED and not isinstance(fields, dict):
                raise refusal(f"of {kind} {key} is expected a mapping of its fields, `unchanged`, or null.", kind)
    return value


AnyState = Annotated[
    Any,
    BeforeValidator(
        _state, json_schema_input_type=list[dict[str, Any]] | Literal["unchanged"] | dict[str, dict[str, Any] | str]
    ),
]
Named = dict[tuple[str, str], Any]
"""What is expected, or there, by kind and id; None where there is nothing."""


class State(WorldGrader):
    """Require what there is at the end: these, and nothing else changed.

    Why: two ways to the same state are both right. Example: `outcome: {state: {order: {W1: {status: cancelled}}}}` in a
    suite with a `world`: by kind and id, each with the fields that it must have, with the matchers that tool arguments
    have; null where there is to be none, `unchanged` for one entity, a kind or all. Without a world, `outcome:
    {write_tools: [cancel], state: [{order_id: W1, status: cancelled}]}` names the records that the tools last returned:
    an entity is recognised by the first of the keys in `ids` that its record (or the call's input) has; by default the
    first key that is `id` or ends in `_id`. Where the tool's record does not hold its own id, the expected one names
    it. Instead of whole records where tools return none, use `writes`.
    """

    kind = "outcome.state"
    state: AnyState = Field(
        description="What there is at the end, and nothing else changed.",
        examples=[
            {"booking": {"KX4P2A": {"status": "cancelled", "bags": {"min": 1}}, "LQ81ZD": "unchanged"}},
            [{"order_id": "TN-20418", "status": "return requested"}],
        ],
    )
    match: Literal["exact", "subset"] | None = Field(
        None,
        description="subset: there may be more keys than are named, as usual in a world. exact: there may not, as "
        "usual for records; in a world, fields that are not named are as they were.",
        examples=["subset"],
    )
    others: Literal["unchanged", "free"] = Field(
        "unchanged", description="free: what `state` does not name may have changed too.", examples=["free"]
    )
    ids: _Ids | None = None

    def problems(self) -> Iterator[Fault]:
        return value_faults(self.state, ("state",))

    def faults_in(self, world: World | None) -> Iterator[Fault]:
        if isinstance(self.state, list):
            if self.write_tools is None:
                message = "a list of records needs `write_tools`; in a world, `state` names kinds and ids."
                yield Fault(("state",), message, on_key=True)
        elif world is None:
            yield Fault(("state",), "`state` by kind and id needs a `world` of the suite or the case.", on_key=True)
        elif self.write_tools is not None:
            yield Fault(("write_tools",), "the world knows what changes something; remove `write_tools`.", on_key=True)
        elif isinstance(self.state, dict):
            yield from _unknown(self.state, world)

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        made = made_calls(transcript, turn)
        if made.missing:
            return not_measured(made.missing, turn)
        if isinstance(self.state, list):
            return self._grade_records(made)
        course = self.course(made)
        if course is None or course.lost:
            return not_measured(course.lost if course else NO_WORLD, turn)
        return self._grade_world(made, course)

    def _grade_world(self, made: MadeCalls, course: Course) -> Finding:
        """Hold the end of a world against what is expected of it."""
        wanted = self._wanted(course)
        there: Named = {(kind, key): course.end.get(kind, {}).get(key) for kind, key in wanted}
        exact, subset = Match(arguments="exact"), SUBSET
        how = {name: exact if self.match == "exact" or self._is_unchanged(name) else subset for name in wanted}
        wrong = [name for name in wanted if not matches_value(wanted[name], there[name], how[name])]
        if wrong:
            pairs = {name: aligned(wanted[name], there[name], how[name]) for name in wrong}
            return Finding(
                TrialVerdict.FAILED,
                observed=f"{_listed(wrong)} not as expected",
                expected=json.dumps(_nested({name: wanted[name] for name in wrong}), ensure_ascii=False)[:300],
                turn=_turn_of_change(made, course, wrong),
                note=describe_difference(*(_nested({name: pairs[name][side] for name in wrong}) for side in (0, 1))),
            )
        alone = ", no other changed" if self.others == UNCHANGED else ""
        expected = f"{plural(len(wanted), 'entity', 'entities')} as expected{alone}" if wanted else "nothing changed"
        changed = [*changed_between(course.start, course.end)] if self.others == UNCHANGED else []
        more = [name for name in changed if name not in wanted]
        if more:
            writer = next(write.call for write in reversed(course.writes) if more[0] in write.changed)
            before, after = (
                _nested({(kind, key): side.get(kind, {}).get(key) for kind, key in more})
                for side in (course.start, course.end)
            )
            return Finding(
                TrialVerdict.FAILED,
                observed=f"{_listed(more[:1])} changed by {shown_call(writer.name, writer.input)}",
                expected=expected,
                turn=made.turn_of(writer),
                note=describe_difference(before, after),
            )
        return Finding(TrialVerdict.PASSED, "as expected", expected)

    def _is_unchanged(self, name: tuple[str, str]) -> bool:
        entities = self.state[name[0]]
        return bool(entities == UNCHANGED or entities[name[1]] == UNCHANGED)

    def _wanted(self, course: Course) -> Named:
        """Return what is expected of each entity that is named."""
        wanted: Named = {}
        for kind, entities in self.state.items() if isinstance(self.state, dict) else ():
            start = course.start.get(kind, {})
            named = dict.fromkeys([*start, *course.end.get(kind, {})], UNCHANGED) if entities == UNCHANGED else entities
            for key, fields in named.items():
                if fields == UNCHANGED:
                    wanted[kind, key] = start.get(key)
                elif isinstance(fields, Mapping) and self.match == "exact":
                    wanted[kind, key] = {**start.get(key, {}), **fields}
                else:
                    wanted[kind, key] = fields
        return wanted

    def _grade_records(self, made: MadeCalls) -> Finding:
        """Hold what the tools returned against the records that are expected."""
        ids = self.ids or ()
        entities = _entities(made.calls, frozenset(self.write_tools or ()), ids)
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
        alone = ", no other changed" if self.others == UNCHANGED else ""
        expected = f"{plural(len(self.state), 'record')} as expected{alone}"
        if left and self.others == UNCHANGED:
            key = next(iter(left))
            writer = entities.writers[key][-1]
            observed = f"{key} was changed by {shown_call(writer.name, writer.input)}"
            return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(writer), note=writer.output)
        return Finding(TrialVerdict.PASSED, "as expected", expected)


def _unknown(state: JsonObject, world: World) -> Iterator[Fault]:
    """Yield kinds, ids and fields that can't be in a world."""
    for kind, entities in state.items():
        path: ValuePath = ("state", kind)
        if kind not in world.fields:
            hint = did_you_mean(kind, world.fields) or f"; it has {', '.join(world.fields)}"
            yield Fault(path, f"the world has no kind {kind!r}{hint}", on_key=True)
            continue
        there = world.entities.get(kind, {})
        for key, fields in entities.items() if isinstance(entities, Mapping) else ():
            if key not in there and not world.creates(kind):
                message = f"there is no {kind} {key!r}{did_you_mean(key, there)}, and no tool makes one."
                yield Fault((*path, key), message, on_key=True)
            for name in fields if isinstance(fields, Mapping) else ():
                if name not in world.fields[kind]:
                    hint = did_you_mean(name, world.fields[kind])
                    yield Fault((*path, key, name), f"a {kind} has no field {name!r}{hint}.", on_key=True)


def _nested(named: Named) -> dict[str, dict[str, Any]]:
    """Return what is known of entities by kind and id, one in the other."""
    made: dict[str, dict[str, Any]] = {}
    for (kind, key), value in named.items():
        made.setdefault(kind, {})[key] = value
    return made


def _listed(names: Sequence[tuple[str, str]]) -> str:
    """Return entities with the verb behind them: `booking KX4P2A was`, `booking KX4P2A and seat 2D were`."""
    words = listed([f"{kind} {key}" for kind, key in names])
    return f"{words} {'was' if len(names) == 1 else 'were'}"


def _turn_of_change(made: MadeCalls, course: Course, names: Sequence[tuple[str, str]]) -> int | None:
    """Return the turn of the last call that changed one of these entities."""
    for write in reversed(course.writes):
        if write.changed & {*names}:
            return made.turn_of(write.call)
    return None


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
