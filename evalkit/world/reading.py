"""A world in a suite file to one that can be played; everything that is wrong with it, each at its line.

Knows which names each step may use and which fields the entities of a kind can have. Whether the tools and their
inputs are the prompt's is for those who know the prompt: `used` says which are used where.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.prompts.expressions import Templates, Value
from evalkit.records import Problem
from evalkit.world.format import VERBS, WorldFile, WorldStep
from evalkit.world.play import Step, Tool, World, overlaid
from evalkit.yamlsource import Source, ValuePath, did_you_mean, shown

Names = Mapping[str, frozenset[str] | None]
"""The names that a template may use, each with the entries below it where they are known."""


@dataclass(frozen=True)
class Used:
    """A tool of the world, or an input of it, with the value that uses it."""

    tool: str
    path: ValuePath
    input: str = ""


@dataclass(frozen=True)
class WorldRead:
    """A world as far as it could be read, what is wrong with it, and which tools and inputs it names."""

    world: World
    problems: tuple[Problem, ...]
    used: tuple[Used, ...]


def read_world(
    source: Source,
    path: ValuePath,
    file: WorldFile,
    *,
    base: World | None = None,
    inputs: Iterable[str] = (),
    over: Iterable[WorldFile] = (),
) -> WorldRead:
    """Return the world that stands at a path, over `base` (the suite's, for a case).

    `inputs` names those of the prompt that its templates may use. `over` are worlds that will stand over this one:
    fields that only they give to entities are known too.
    """
    below = base or World({}, {}, Templates())
    fields, shapes = _known_fields(below, [file, *over])
    reader = _ToolReader(source, below.templates, fields, shapes, frozenset(inputs))
    reader.problems += _entity_problems(source, (*path, "entities"), file, base, shapes)
    tools = {name: reader.read(name, steps, (*path, "tools", name)) for name, steps in file.tools.items()}
    world = World(
        entities=overlaid(below.entities, file.entities),
        tools={**below.tools, **tools},
        templates=below.templates,
        inputs=below.inputs,
        fields=fields,
        shapes=shapes,
        written={**below.written, **(source.value((*path, "tools")) or {})},
    )
    return WorldRead(world, tuple(reader.problems), tuple(reader.used))


Fields = Mapping[str, frozenset[str]]


def _known_fields(base: World, files: Iterable[WorldFile]) -> tuple[Fields, Fields]:
    """Return which fields the entities of each kind can have, and those of the kinds whose fields are written down."""
    shapes = dict(base.shapes)
    found: dict[str, set[str]] = {kind: {*names} for kind, names in base.fields.items()}
    for file in files:
        shapes |= {kind: frozenset(names) for kind, names in file.shape.items()}
        for kind, entities in file.entities.items():
            found.setdefault(kind, set()).update(*(fields for fields in entities.values() if fields))
        for step in (step for steps in file.tools.values() for step in steps):
            found.get(step.update or step.create or "", set()).update(step.set or (), step.append or ())
    return {**{kind: frozenset(names) for kind, names in found.items()}, **shapes}, shapes


def _entity_problems(
    source: Source, path: ValuePath, file: WorldFile, base: World | None, shapes: Fields
) -> Iterator[Problem]:
    """Yield what is wrong with the entities of one world."""
    for kind, entities in file.entities.items():
        at = (*path, kind)
        if base is not None and kind not in base.fields:
            hint = did_you_mean(kind, base.fields) or f"; it has {', '.join(base.fields)}"
            yield source.problem(at, f"the suite's world has no kind {kind!r}{hint}", key=True)
        for key, fields in entities.items():
            if fields is None and not (base is not None and key in base.entities.get(kind, {})):
                known = base.entities.get(kind, {}) if base else ()
                message = f"there is no {kind} {key!r} to take away{did_you_mean(key, known)}."
                yield source.problem((*at, key), message, key=True)
            for name in fields or ():
                if name == "id":
                    message = f"an entity's id is the key that it stands under ({key!r}); remove `id`."
                    yield source.problem((*at, key, name), message, key=True)
                elif kind in shapes and name not in shapes[kind]:
                    yield source.problem((*at, key, name), _no_field(kind, name, shapes[kind]), key=True)


def _no_field(kind: str, name: str, fields: frozenset[str]) -> str:
    hint = did_you_mean(name, fields) or "; it has " + ", ".join(sorted(fields))
    return f"a {kind} has no field {name!r}{hint}"


@dataclass
class _ToolReader:
    """Reads the tools of a world; collects their problems and what they use of the prompt's tools."""

    source: Source
    templates: Templates
    fields: Fields
    shapes: Fields
    inputs: frozenset[str]
    problems: list[Problem] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)

    def read(self, name: str, steps: list[WorldStep], path: ValuePath) -> Tool:
        """Return a tool; each step may use what the steps before it have read."""
        self.used.append(Used(name, path))
        names: Names = {"input": None, "inputs": self.inputs}
        alone = not isinstance(self.source.value(path), list)
        made = []
        for number, file in enumerate(steps):
            step = _StepReader(self, name, path if alone else (*path, number), file, names)
            made.append(step.read())
            names = step.names_after()
        if not any(step.verb not in {"", "require"} or step.returns for step in made):
            self.problems.append(self.source.problem(path, f"{name!r} returns nothing; add `returns`.", key=True))
        return Tool(name, tuple(made), self.source.key_place(path))


class _StepReader:
    """Reads one step of a tool; `before` are the names that steps before it have given."""

    def __init__(self, tools: _ToolReader, tool: str, path: ValuePath, file: WorldStep, before: Names) -> None:
        self._tools = tools
        self._tool = tool
        self._path = path
        self._file = file
        self._before = before
        self.verb = next((verb for verb in VERBS if getattr(file, verb)), "")
        self.kind = "" if self.verb == "require" else str(getattr(file, self.verb, ""))
        # What the fields of its entities are; unknown for the entries of a list, and for a kind that there is not.
        self._fields = None if file.in_ or self.kind not in tools.fields else tools.fields[self.kind] | {"id"}
        self._inside = {**before, "one": None, "at": None} if file.each else before
        self._about = {**self._inside, self.kind: self._fields}

    @property
    def _is_list(self) -> bool:
        """Whether it comes to several entities."""
        return self.verb == "find" or (self.verb in {"update", "delete"} and self._file.where is not None)

    @property
    def _name(self) -> str:
        """What later steps call its result; a write to several entities, and a removal, give it no name."""
        usual = "" if self.verb == "delete" or (self.verb == "update" and self._is_list) else self.kind
        return self._file.as_ or usual

    def names_after(self) -> Names:
        """Return the names that the next step may use."""
        return {**self._before, self._name: None if self._is_list else self._fields} if self._name else self._before

    def read(self) -> Step:
        """Return the step; what is wrong with it is noted."""
        file = self._file
        self._check_kind()
        self._check_fields()
        where, inside, about = file.where, self._inside, self._about
        return Step(
            place=self._tools.source.place(self._path),
            verb=self.verb,
            kind=self.kind,
            name=self._name,
            require=self._expression("require", file.require, inside),
            error=self._value("error", file.error, inside),
            by=self._expression("by", file.by, inside),
            where=self._value("where", where, inside) if isinstance(where, dict) else None,
            fits=self._expression("where", where, about) if isinstance(where, str) else None,
            rows=self._expression("in", file.in_, inside),
            sort=file.sort or "",
            limit=file.limit,
            only=tuple(file.only) if file.only else None,
            missing=self._value("missing", file.missing, inside),
            set=self._value("set", file.set, about if self.verb == "update" else inside),
            append=self._value("append", file.append, about),
            id=self._value("id", file.id, {**inside, "next": None}),
            holds=self._expression("if", file.if_, inside),
            each=self._expression("each", file.each, self._before),
            returns=self._value("returns", file.returns, {**inside, **self.names_after()}),
        )

    def _check_kind(self) -> None:
        """Note a kind that there is not, and a step that does not say which entity it is about."""
        known, file = self._tools.fields, self._file
        if self.kind and self.kind not in known and not file.in_:
            hint = did_you_mean(self.kind, known) or f"; it has {', '.join(known) or 'no entities'}"
            self._note((self.verb,), f"the world has no kind {self.kind!r}{hint}")
        elif self.verb in {"update", "delete"} and not (file.by or file.where) and not self._before.get(self.kind):
            self._note((self.verb,), f"no earlier step reads a {self.kind}; say which one: `by`, or `where`.")

    def _check_fields(self) -> None:
        """Note fields that no entity of the kind can have, and an id that a write would change."""
        file, shape = self._file, self._tools.shapes.get(self.kind)
        where = file.where if isinstance(file.where, dict) else {}
        asked: list[tuple[ValuePath, str]] = [(("where", name), name) for name in where]
        asked += [(("sort",), file.sort.removeprefix("-"))] if file.sort else []
        asked += [(("only", n), name) for n, name in enumerate(file.only or ())]
        for path, name in asked:
            if self._fields is not None and name not in self._fields:
                self._note(path, _no_field(self.kind, name, self._fields), key=path[0] == "where")
        for key in ("set", "append"):
            for name in getattr(file, key) or ():
                if name == "id":
                    message = "an id can't be written to; the `id` of `create` names what it makes."
                    self._note((key, name), message, key=True)
                elif shape is not None and name not in shape:
                    self._note((key, name), _no_field(self.kind, name, shape), key=True)

    def _expression(self, key: str, text: str | None, names: Names) -> Value | None:
        if text is None:
            return None
        self._check_text((key,), text, names, expression=True)
        return self._tools.templates.expression(text)

    def _value(self, key: str, value: Any, names: Names) -> Value | None:
        if value is None:
            return None
        for path, text in _texts_in(value, (key,)):
            self._check_text(path, text, names)
        return self._tools.templates.value(value, sparse=not isinstance(value, str) or key == "returns")

    def _check_text(self, path: ValuePath, text: str, names: Names, *, expression: bool = False) -> None:
        templates = self._tools.templates
        faults = [*templates.faults(text, names, expression=expression)]
        for fault in faults:
            self._note(path, f"{shown(text)} {fault}")
        if not faults:
            used = templates.entries_of("input", text, expression=expression)
            self._tools.used += [Used(self._tool, (*self._path, *path), name) for name in used]

    def _note(self, path: ValuePath, message: str, *, key: bool = False) -> None:
        self._tools.problems.append(self._tools.source.problem((*self._path, *path), message, key=key))


def _texts_in(value: Any, path: ValuePath) -> Iterator[tuple[ValuePath, str]]:
    """Yield every text of a JSON value that may hold a template, with its path."""
    if isinstance(value, str) and "{" in value:
        yield path, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in parts:
        yield from _texts_in(part, (*path, step))
