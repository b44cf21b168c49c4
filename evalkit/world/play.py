"""Plays the tools of a world: a call and the entities before it give an answer and the entities after it.

Pure: nothing is changed in place, so that what stood before a call can be kept, and the same calls over the same start
always come to the same end. A tool that fails leaves the entities as they were. Bounded by the sandbox of its
templates and the limits below. Knows neither files nor how a call came about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

from evalkit.prompts.expressions import ERRORS, Scope, Templates, Value, is_missing
from evalkit.records import JsonObject, Place, ToolCall

MAX_ENTITIES = 10_000
MAX_EACH = 1_000
MAX_OUTPUT = 100_000
DONE = "done"
"""What a tool returns none of whose steps did anything."""

Entity = Mapping[str, Any]
Entities = Mapping[str, Mapping[str, Entity]]
"""What there is, by kind and id."""


class Refused(Exception):
    """A tool fails with a message for the model, as its steps say."""


class Unplayable(Exception):
    """A step can't be carried out: its values are not what it needs, or more than a world may hold."""


@dataclass(frozen=True)
class Step:
    """One step, ready to be played; what the file leaves out is None.

    `name` is what later steps call its result, if they can.
    """

    place: Place
    verb: str = ""
    kind: str = ""
    name: str = ""
    require: Value | None = None
    error: Value | None = None
    by: Value | None = None
    where: Value | None = None
    fits: Value | None = None
    rows: Value | None = None
    sort: str = ""
    limit: int | None = None
    only: tuple[str, ...] | None = None
    missing: Value | None = None
    set: Value | None = None
    append: Value | None = None
    id: Value | None = None
    holds: Value | None = None
    each: Value | None = None
    returns: Value | None = None


@dataclass(frozen=True)
class Tool:
    """A tool of a world and where it stands."""

    name: str
    steps: tuple[Step, ...]
    place: Place


@dataclass(frozen=True)
class Answer:
    """What a tool answered, and what there is from then on; `broken` says why it could not be carried out, if so."""

    output: str
    entities: Entities
    place: Place
    is_error: bool = False
    broken: str = ""


@dataclass(frozen=True)
class Write:
    """A call that changed entities: each by kind and id."""

    call: ToolCall
    changed: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Course:
    """What calls made of a world: its start and its end, and the calls that changed something, in order.

    `lost` says at which call the world answers otherwise than was recorded, so that nobody knows the end; or is empty.
    """

    start: Entities
    end: Entities
    writes: tuple[Write, ...] = ()
    lost: str = ""


@dataclass(frozen=True)
class World:
    """What there is at first, and the tools that read and write it.

    `inputs` are those of the prompt, for the templates. `fields` are the fields that the entities of each kind can
    have, `shapes` those of the kinds that write them down. `written` is what the file has as tools: it tells two worlds
    apart.
    """

    entities: Entities
    tools: Mapping[str, Tool]
    templates: Templates = field(compare=False, repr=False)
    inputs: JsonObject = field(default_factory=dict)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shapes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    written: JsonObject = field(default_factory=dict)

    @property
    def writers(self) -> frozenset[str]:
        """The tools that can change something."""
        verbs = {"update", "create", "delete"}
        return frozenset(name for name, tool in self.tools.items() if any(step.verb in verbs for step in tool.steps))

    def creates(self, kind: str) -> bool:
        """Return whether a tool can make an entity of a kind."""
        steps = (step for tool in self.tools.values() for step in tool.steps)
        return any(step.verb == "create" and step.kind == kind for step in steps)

    def call(self, entities: Entities, name: str, tool_input: JsonObject) -> Answer:
        """Answer a call of one of its tools."""
        tool = self.tools[name]
        playing = _Playing(self, entities, tool_input)
        try:
            output = playing.play(tool)
        except Refused as refused:
            return Answer(str(refused), entities, tool.place, is_error=True)
        except (Unplayable, *ERRORS) as error:
            return Answer("", entities, tool.place, is_error=True, broken=f"{playing.place}: {error}")
        return Answer(output, playing.entities, tool.place)

    def follow(self, calls: Iterable[ToolCall]) -> Course:
        """Return what recorded calls made of the world; calls that failed and calls of other tools change nothing."""
        entities = self.entities
        writes: list[Write] = []
        for call in calls:
            if call.is_error or call.name not in self.tools:
                continue
            answer = self.call(entities, call.name, call.input)
            if answer.is_error:
                said = answer.broken or answer.output
                lost = f"{call.name} worked when it was recorded, and fails in the world as it is now: {said}"
                return Course(self.entities, entities, tuple(writes), lost)
            changed = frozenset(changed_between(entities, answer.entities))
            if changed:
                writes.append(Write(call, changed))
            entities = answer.entities
        return Course(self.entities, entities, tuple(writes))


def changed_between(before: Entities, after: Entities) -> Iterator[tuple[str, str]]:
    """Yield kind and id of every entity that is there only before or only after, or has other fields."""
    for kind in {**before, **after}:
        old, new = before.get(kind, {}), after.get(kind, {})
        if old is not new:
            yield from ((kind, key) for key in {**old, **new} if not same(old.get(key), new.get(key)))


def overlaid(base: Entities, over: Mapping[str, Mapping[str, Entity | None]]) -> Entities:
    """Return entities with others over them: field by field, and without those that are None there."""
    made: dict[str, Mapping[str, Entity]] = dict(base)
    for kind, entities in over.items():
        there = dict(base.get(kind, {}))
        for key, fields in entities.items():
            if fields is None:
                there.pop(key, None)
            else:
                there[key] = {**there.get(key, {}), **fields}
        made[kind] = there
    return made


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


class _Playing:
    """One call while it is played: what there is by now, what has names, and what the last step came to."""

    def __init__(self, world: World, entities: Entities, tool_input: JsonObject) -> None:
        self.entities = entities
        self.place = Place("")
        self._budget = world.templates.begin()
        self._scope: dict[str, Any] = {"input": tool_input, "inputs": world.inputs}
        self._result: Any = DONE

    def play(self, tool: Tool) -> str:
        """Play the steps and return what the tool returns."""
        for step in tool.steps:
            self.place = step.place
            if step.each is None:
                self._play_step(step)
                continue
            values = step.each(self._scope)
            if not isinstance(values, list) or len(values) > MAX_EACH:
                raise Unplayable(f"`each` is no list of at most {MAX_EACH:,} values")
            for at, one in enumerate(values):
                self._scope |= {"one": one, "at": at}
                self._play_step(step)
        text = self._result if isinstance(self._result, str) else orjson.dumps(self._result).decode()
        if len(text) > MAX_OUTPUT:
            raise Unplayable(
                f"returns {len(text):,} characters, and at most {MAX_OUTPUT:,} can be; use `limit` or `only`"
            )
        return text

    def _play_step(self, step: Step) -> None:
        self._budget.step()
        if step.holds is not None and not step.holds(self._scope):
            return
        match step.verb:
            case "require":
                if step.require is not None and not step.require(self._scope):
                    raise Refused(step.error(self._scope) if step.error else "")
            case "get" | "find":
                self._read(step)
            case "create":
                self._create(step)
            case "update" | "delete":
                self._change(step)
            case _:
                pass
        if step.returns is not None:
            self._result = step.returns(self._scope)

    def _read(self, step: Step) -> None:
        found = [row for _, row in self._fitting(step)]
        if step.sort:
            by = step.sort.removeprefix("-")
            known = [row for row in found if row.get(by) is not None]
            rest = [row for row in found if row.get(by) is None]
            found = [*sorted(known, key=lambda row: row[by], reverse=step.sort != by), *rest]
        found = found[: step.limit]
        if not found and (step.missing or step.verb == "get"):
            raise Refused(self._nothing(step))
        shown = found if step.only is None else [_only(row, step.only) for row in found]
        self._scope[step.name] = found if step.verb == "find" else found[0]
        self._result = shown if step.verb == "find" else shown[0]

    def _create(self, step: Step) -> None:
        there = self.entities.get(step.kind, {})
        if len(there) >= MAX_ENTITIES:
            raise Unplayable(f"there are {MAX_ENTITIES:,} of {step.kind!r} already")
        key = self._free_id(step, there)
        entity = _values(step.set, self._scope)
        self._put(step.kind, {**there, key: entity})
        self._result = self._scope[step.name] = _row(key, entity)

    def _free_id(self, step: Step, there: Mapping[str, Entity]) -> str:
        """Return the id of a new entity: with the first number from the count of those there are that is free."""
        tried: set[str] = set()
        for number in count(len(there) + 1):
            scope = {**self._scope, "next": number}
            key = f"{step.kind}-{number}" if step.id is None else str(step.id(scope))
            if key not in there:
                return key
            if key in tried:
                raise Refused(f"There is a {step.kind} {key!r} already.")
            tried.add(key)
        raise AssertionError

    def _change(self, step: Step) -> None:
        """Update or delete: the entity with an id, all that fit, or the one that an earlier step read."""
        found = list(self._fitting(step))
        several = step.where is not None or step.fits is not None
        if not found and (step.missing or not several):
            raise Refused(self._nothing(step))
        results = []
        for key, row in found:
            there = dict(self.entities[step.kind])
            if step.verb == "delete":
                del there[key]
            else:
                there[key] = self._changed(step, there[key], row)
            self._put(step.kind, there)
            results.append(_row(key, there.get(key, row)))
        self._result = results if several else results[0]
        if step.name:
            self._scope[step.name] = self._result

    def _changed(self, step: Step, entity: Entity, row: Entity) -> Entity:
        """Return an entity with its new values, which may be made from the old ones."""
        scope = {**self._scope, step.kind: row}
        changed = {**entity, **_values(step.set, scope)}
        for name, entry in _values(step.append, scope).items():
            known = changed.get(name) or []
            if not isinstance(known, list):
                raise Unplayable(f"{step.kind}.{name} is no list")
            changed[name] = [*known, entry]
        return changed

    def _put(self, kind: str, entities: Mapping[str, Entity]) -> None:
        self.entities = {**self.entities, kind: entities}

    def _fitting(self, step: Step) -> Iterator[tuple[str, Entity]]:
        """Yield id and fields of what a step is about, each with its id among the fields."""
        there = self.entities.get(step.kind, {})
        if step.by is not None:
            key = step.by(self._scope)
            key = "" if is_missing(key) else str(key)
            if key in there:
                yield key, _row(key, there[key])
            return
        if step.verb in {"update", "delete"} and step.where is None and step.fits is None:
            if step.kind not in self._scope:
                raise Unplayable(f"no step before it has read a {step.kind}")
            key = str(self._scope[step.kind]["id"])
            if key in there:
                yield key, _row(key, there[key])
            return
        rows = self._rows(step.rows) if step.rows else [(key, _row(key, entity)) for key, entity in there.items()]
        wanted = _values(step.where, self._scope)
        for key, row in rows:
            self._budget.step()
            if all(same(value, row.get(name)) for name, value in wanted.items()) and (
                step.fits is None or step.fits({**self._scope, step.kind: row})
            ):
                yield key, row

    def _rows(self, rows: Value) -> Iterator[tuple[str, Entity]]:
        """Yield the objects of a list."""
        values = rows(self._scope)
        if is_missing(values):
            return
        if not isinstance(values, Sequence) or not all(isinstance(row, Mapping) for row in values):
            raise Unplayable("`in` is no list of objects")
        yield from (("", row) for row in values)

    def _nothing(self, step: Step) -> str:
        """Return the error where no entity fits."""
        if step.missing is not None:
            return str(step.missing(self._scope))
        key = step.by(self._scope) if step.by else None
        return (
            f"There is no such {step.kind}." if key is None or is_missing(key) else f"There is no {step.kind} {key!r}."
        )


def _values(values: Value | None, scope: Scope) -> dict[str, Any]:
    return dict(values(scope)) if values is not None else {}


def _only(row: Entity, fields: Sequence[str]) -> Entity:
    return {key: row[key] for key in ("id", *fields) if key in row}


def _row(key: str, entity: Entity) -> Entity:
    """Return an entity as templates and the model see it: its id first, then its fields."""
    return {"id": key, **entity}
