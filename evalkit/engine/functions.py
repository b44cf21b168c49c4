"""Python functions as tools: the definition from signature and docstring, the calls in bounded time, several at once.

pydantic makes the schema from the annotations and checks what comes in, docstring_parser finds the texts. A function is
any callable with named, annotated parameters, sync (then it runs in a thread of its own) or async. A parameter that is
annotated as `Context[...]` is not the model's business: it receives what the session was opened with.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import UnionType
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import docstring_parser
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import to_json

from evalkit.engine.tools import ToolFailed, ToolOutcome, ToolSource, run_in_thread
from evalkit.prompts.schemas import limit_problem, recursive_definitions, refused_keywords
from evalkit.records import JsonObject

ToolFunction = Callable[..., Any]
Deps = TypeVar("Deps")


class Toolset(NamedTuple):
    """Definitions as the API takes them, and what answers their calls."""

    definitions: tuple[JsonObject, ...]
    source: ToolSource


@dataclass(frozen=True)
class Context(Generic[Deps]):
    """What a tool learns of the session it is called in: `deps` is the object that the session was opened with."""

    deps: Deps
    session_id: str


_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def tools_from(functions: Iterable[ToolFunction], *, strict: bool = True) -> Toolset:
    """Return the tool definitions of functions and the source that calls them.

    The docstring is the description, its parameter section describes the parameters. A function answers with text, or
    with anything that can be written as JSON; `ToolFailed` is its way to fail with a message for the model. With
    `strict` the API holds the model to the schema; constraints that strict mode can't express move to the descriptions
    and are checked here. TypeError when a function can't be a tool, naming the reason.
    """
    tools = [FunctionTool.of(function) for function in functions]
    if strict:  # what strict mode can't express is said here, before the API answers every request with a 400
        for tool in tools:
            if reason := never_strict(tool.schema):
                raise TypeError(f"{tool.name} can't be strict: {reason}. Change its parameters, or use strict=False.")
        if problem := limit_problem([strict_schema(tool.schema) for tool in tools]):
            raise TypeError(f"{problem} Split the tools, or use strict=False.")
    return join_tools(*(Toolset((tool.definition(strict=strict),), tool) for tool in tools))


def toolset_of(tools: Iterable[ToolFunction | Toolset] | Toolset) -> Toolset:
    """Return functions and toolsets as one toolset; TypeError for anything else, and where `tools_from` has one."""
    if isinstance(tools, Toolset):
        return tools
    try:
        given = list(tools)
    except TypeError as exc:
        raise TypeError(f"tools: {tools!r} is no list; expected functions and toolsets, as in [lookup_order].") from exc
    for tool in given:
        if isinstance(tool, type) or not (callable(tool) or isinstance(tool, Toolset)):
            raise TypeError(
                f"tools: {tool!r} is neither a function nor a toolset; expected functions, or what tools_from, "
                "memory_tool and join_tools return."
            )
    functions = tools_from(tool for tool in given if not isinstance(tool, Toolset))
    return join_tools(functions, *(tool for tool in given if isinstance(tool, Toolset)))


def join_tools(*toolsets: Toolset) -> Toolset:
    """Return several toolsets as one, such as functions and the memory tool; TypeError when a name comes twice."""
    owners: dict[str, ToolSource] = {}
    for definitions, source in toolsets:
        for definition in definitions:
            if definition["name"] in owners:
                raise TypeError(f"two tools are named {definition['name']!r}; names must differ.")
            owners[definition["name"]] = source
    return Toolset(tuple(each for definitions, _ in toolsets for each in definitions), JoinedTools(owners))


class JoinedTools:
    """Passes each call to the source that the tool came with."""

    def __init__(self, owners: Mapping[str, ToolSource]) -> None:
        self._owners = owners

    def __contains__(self, name: object) -> bool:
        return name in self._owners

    def in_session(self, deps: Any, session_id: str) -> JoinedTools:
        """Return the tools for one session; TypeError when `deps` is not what one of them needs."""
        return JoinedTools(
            {
                name: owner.in_session(deps, session_id) if isinstance(owner, JoinedTools | FunctionTool) else owner
                for name, owner in self._owners.items()
            }
        )

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call; ToolFailed when nobody can."""
        if name not in self._owners:
            raise ToolFailed(f"There is no tool named {name!r}.")
        return await self._owners[name].call(name, tool_input)


@dataclass(frozen=True)
class FunctionTool:
    """Answers the calls of one function. A field of `arguments` has the parameter's name as its alias.

    `needs` maps the parameters that receive the session's context to the annotation of their `deps`.
    """

    name: str
    description: str
    function: ToolFunction
    arguments: type[BaseModel]
    needs: Mapping[str, Any]
    origin: str
    context: Context[Any] | None = None

    @classmethod
    def of(cls, function: ToolFunction) -> FunctionTool:
        """Read a function; TypeError when it can't be a tool."""
        name = str(getattr(function, "__name__", type(function).__name__))
        if not _NAME.fullmatch(name):
            raise TypeError(f"{name!r} can't be a tool's name; expected letters, digits, _ or -, at most 128.")
        doc = docstring_parser.parse(inspect.getdoc(function) or "")
        description = "\n\n".join(part for part in (doc.short_description, doc.long_description) if part)
        if not description:
            raise TypeError(f"{name} has no docstring; the model chooses tools by it.")
        texts = {param.arg_name: param.description or "" for param in doc.params}
        origin = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', name)}"
        arguments, needs = _parameters(name, function, texts)
        return cls(name, description, function, arguments, needs, origin)

    def in_session(self, deps: Any, session_id: str) -> FunctionTool:
        """Return the tool for one session; TypeError when `deps` is not what it needs."""
        for parameter, wanted in self.needs.items():
            if not _is_a(deps, wanted):
                given = "nothing was given" if deps is None else f"got {type(deps).__name__}"
                kind = getattr(wanted, "__name__", wanted)
                raise TypeError(f"{self.name}: {parameter!r} needs the session's {kind}, and {given}.")
        return replace(self, context=Context(deps, session_id))

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its input, as pydantic has it."""
        return plain_schema(self.arguments.model_json_schema())

    def definition(self, *, strict: bool) -> JsonObject:
        """Return the tool as the API takes it."""
        definition = {"name": self.name, "description": self.description}
        if not strict:
            return {**definition, "input_schema": self.schema}
        return {**definition, "input_schema": strict_schema(self.schema), "strict": True}

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call; what the function raises is raised, ToolFailed when the input does not fit its types."""
        try:
            read = self.arguments.model_validate(dict(tool_input))
        except ValidationError as exc:
            error = exc.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(step) for step in error["loc"])
            msg = f"The input of {name} is not valid{f' at {where!r}' if where else ''}: {error['msg']}."
            raise ToolFailed(msg) from exc
        fields = type(read).model_fields
        values = {str(field.alias): getattr(read, key) for key, field in fields.items() if key in read.model_fields_set}
        values |= dict.fromkeys(self.needs, self.context)
        if inspect.iscoroutinefunction(self.function):
            answer = await self.function(**values)
        else:
            answer = await run_in_thread(lambda: self.function(**values))
            answer = await answer if inspect.isawaitable(answer) else answer
        return ToolOutcome(answer if isinstance(answer, str) else to_json(answer).decode(), origin=self.origin)


def _is_a(value: Any, annotation: Any) -> bool:
    """Tell whether a value is of an annotated type, as far as that can be asked at run time."""
    origin = get_origin(annotation)
    try:
        return isinstance(value, origin if isinstance(origin, type) and origin is not UnionType else annotation)
    except TypeError:  # Any, or a protocol that can't be asked
        return True


def _parameters(
    name: str, function: ToolFunction, texts: Mapping[str, str]
) -> tuple[type[BaseModel], Mapping[str, Any]]:
    """Return the model of a function's arguments, and the parameters that receive the session's context."""
    target = function if inspect.isroutine(function) else type(function).__call__
    try:
        hints = get_type_hints(target, include_extras=True)
    except NameError as exc:
        raise TypeError(f"{name}: its annotations can't be read: {exc}. Import that where the program runs.") from exc
    fields: dict[str, Any] = {}
    needs: dict[str, Any] = {}
    for number, parameter in enumerate(inspect.signature(function).parameters.values()):
        place = f"{name}: parameter {parameter.name!r}"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{place} can't be given by name; a tool's parameters are all named.")
        if parameter.name not in hints:
            raise TypeError(f"{place} has no annotation; the model is told its type by it.")
        hint = hints[parameter.name]
        if Context in (hint, get_origin(hint)):
            needs[parameter.name] = (*get_args(hint), Any)[0]
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        text = texts.get(parameter.name)
        fields[f"field_{number}"] = (hint, Field(default, alias=parameter.name, description=text))
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields), needs


_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not")


def plain_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without the titles that pydantic gives everything; they only cost tokens."""

    def without_title(node: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in node.items() if key != "title" or not isinstance(value, str)}

    plain: dict[str, Any] = _changed(schema, without_title)
    return plain


def strict_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that strict mode takes, with every object closed and constraints in words."""
    strict: dict[str, Any] = _changed(schema, _strict)
    return strict


def never_strict(schema: dict[str, Any]) -> str:
    """Return why a schema can't be strict whatever is moved to descriptions; an empty text when it can."""
    recursive = recursive_definitions(schema)
    if recursive:
        return f"{recursive[0]!r} refers to itself"
    free: list[dict[str, Any]] = []

    def look(node: dict[str, Any]) -> dict[str, Any]:
        if node.get("additionalProperties") not in (None, False):
            free.append(node)
        return node

    _changed(schema, look)
    return "a mapping with free keys" if free else ""


def _strict(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    node = {("anyOf" if key == "oneOf" else key): value for key, value in node.items() if key != "discriminator"}
    moved = [key for key in (*refused_keywords(node), "default") if key in node]
    words = "; ".join(f"{key}: {orjson.dumps(node[key]).decode()}" for key in dict.fromkeys(moved))
    kept = {key: value for key, value in node.items() if key not in moved}
    if words:
        kept["description"] = f"{kept.get('description', '')} ({words})".strip()
    if kept.get("type") == "object":
        kept["additionalProperties"] = False
    return kept


def _changed(node: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return a subschema with `change` made to it and to every subschema inside it."""
    if not isinstance(node, dict):
        return node
    inner = dict(node)
    for key in _MAPS:
        if isinstance(node.get(key), dict):
            inner[key] = {name: _changed(child, change) for name, child in node[key].items()}
    for key in _LISTS:
        if isinstance(node.get(key), list):
            inner[key] = [_changed(child, change) for child in node[key]]
    for key in _SINGLE:
        if key in node:
            inner[key] = _changed(node[key], change)
    return change(inner)
