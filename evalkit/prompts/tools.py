"""A tool file: exactly one Messages API tool object, and what `strict: true` refuses in its schema.

What strict mode refuses is found here because the API answers it with a 400 for every request. Source: the
structured-output and strict-tool-use pages of platform.claude.com, read November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import jsonschema
from pydantic import Field
from referencing.exceptions import Unresolvable

from evalkit.records import JsonObject, Problem
from evalkit.yamlsource import FileModel, Flag, JsonMap, Source, Text, ValuePath, check_schema, shown

_NAMES = "expected letters, digits and . _ -, at most 64"


class ToolFile(FileModel):
    """A tool as the Messages API takes it."""

    called: ClassVar[str] = "the tool"
    refused: ClassVar[dict[str, str]] = {
        "defer_loading": "not built yet: tools that are loaded later. Remove 'defer_loading'.",
        "allowed_callers": "not built yet: tools called from code. Remove 'allowed_callers'.",
    }
    type: Literal["custom"] | None = Field(None, description="Only `custom`: server tools are not built yet.")
    name: Text = Field(
        pattern=r"^[a-zA-Z0-9_-]{1,128}$", description="How the model calls it.", examples=["lookup_order"]
    )
    description: Text = Field(
        "", description="What it does and when to use it; the model reads this.", examples=["Looks an order up."]
    )
    input_schema: JsonMap = Field(
        description="JSON Schema of its input; `type: object`.",
        examples=[{"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}],
    )
    cache_control: JsonMap | None = Field(None, description="A cache point behind this tool.")
    strict: Flag | None = Field(None, description="Whether the API enforces the schema while the model writes.")
    input_examples: list[JsonMap] | None = Field(None, description="Inputs that show the model how to call it.")
    eager_input_streaming: Flag | None = Field(None, description="Whether input is streamed unchecked.")


def read_tool(source: Source) -> tuple[JsonObject | None, list[Problem]]:
    """Return the tool object as it is sent, in the file's own key order, and every problem of the file."""
    model, problems = check_schema(source, ToolFile)
    problems = [*source.problems, *problems]
    if model is None:
        return None, problems
    problems += _schema_problems(source, dict(model.input_schema))
    texts = {"name": model.name, "description": model.description}  # as text, however they are written
    return {key: texts.get(key, value) for key, value in source.value().items()}, problems


def _schema_problems(source: Source, schema: dict[str, Any]) -> list[Problem]:
    if schema.get("type") != "object":
        return [source.problem(("input_schema",), "an input_schema needs `type: object`.")]
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        path = ("input_schema", *error.absolute_path)
        return [source.problem(path, f"not a JSON Schema: {error.message[:200]}.")]
    except (Unresolvable, RecursionError) as error:
        return [source.problem(("input_schema",), f"not a JSON Schema: {error}.")]
    return list(_refused(source, schema))


def _refused(source: Source, schema: dict[str, Any]) -> Iterator[Problem]:
    """Yield what is valid JSON Schema and yet refused by the API, or can't be followed here."""
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            yield source.problem(("input_schema", key), f"{key!r} can't stand at the top of an input_schema.", key=True)
    for name in schema.get("properties", ()):
        if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name):
            at = ("input_schema", "properties", name)
            yield source.problem(at, f"{shown(name)} can't name an input; {_NAMES}.", key=True)
    for path, reference in _references(schema, ("input_schema",)):
        if not reference.startswith("#"):
            message = f"'$ref' to {reference!r}; only references within the schema (#/$defs/...) can be followed."
            yield source.problem(path, message)


def _references(value: Any, path: ValuePath) -> Iterator[tuple[ValuePath, str]]:
    """Yield every `$ref` with its path."""
    for step, item in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        if step in {"$ref", "$dynamicRef"} and isinstance(item, str):
            yield (*path, step), item
        yield from _references(item, (*path, step))


MAX_STRICT_TOOLS = 20
MAX_OPTIONAL = 24
MAX_UNIONS = 16
_NOT_STRICT = """
    minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength maxItems uniqueItems contains
    prefixItems oneOf not if then else patternProperties propertyNames dependentRequired dependentSchemas
""".split()  # noqa: SIM905
_PATTERN = re.compile(r"\(\?<?[=!]|\\[1-9]|\\[bB]")
_ADVICE = "strict mode does not take it. Say it in the description, or remove `strict`."

Node = tuple[ValuePath, Mapping[str, Any]]


def strict_problems(source: Source, schema: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield everything in a tool's input_schema (at its place in the file) that strict mode refuses."""
    for path, node in _nodes(schema, ("input_schema",)):
        yield from (source.problem((*path, key), f"{key!r}: {_ADVICE}", key=True) for key in refused_keywords(node))
        kinds = node.get("type")
        is_object = "object" in kinds if isinstance(kinds, list) else kinds == "object"
        if is_object and node.get("additionalProperties") is not False:
            message = "strict mode needs `additionalProperties: false` on every object."
            yield source.problem((*path, "additionalProperties"), message)
    for name in recursive_definitions(schema):
        path = ("input_schema", "$defs" if "$defs" in schema else "definitions", name)
        yield source.problem(path, f"{name!r} refers to itself; {_ADVICE}")


def limit_problem(schemas: Sequence[Mapping[str, Any]]) -> str:
    """Return what all strict tools of a prompt together have too much of, or an empty text."""
    nodes = [node for schema in schemas for _, node in _nodes(schema, ())]
    optional = sum(len(set(node.get("properties") or ()) - set(node.get("required") or ())) for node in nodes)
    unions = sum("anyOf" in node or isinstance(node.get("type"), list) for node in nodes)
    for count, limit, what in (
        (len(schemas), MAX_STRICT_TOOLS, "strict tools"),
        (optional, MAX_OPTIONAL, "optional inputs in strict tools"),
        (unions, MAX_UNIONS, "inputs of more than one type in strict tools"),
    ):
        if count > limit:
            return f"{count} {what}; the API takes at most {limit} in a request."
    return ""


def refused_keywords(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keywords of one subschema that strict mode refuses."""
    yield from (key for key in _NOT_STRICT if key in node)
    if node.get("minItems", 0) not in (0, 1):
        yield "minItems"
    if any(isinstance(value, dict | list) for value in node.get("enum") or ()):
        yield "enum"
    if _PATTERN.search(str(node.get("pattern") or "")):
        yield "pattern"


def _nodes(schema: Any, path: ValuePath) -> Iterator[Node]:
    """Yield every subschema with its path, the schema itself first."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key in ("properties", "$defs", "definitions"):
        children = schema.get(key)
        for name, child in children.items() if isinstance(children, dict) else ():
            yield from _nodes(child, (*path, key, name))
    for key in ("anyOf", "allOf", "oneOf"):
        for index, child in enumerate(schema.get(key) or ()):
            yield from _nodes(child, (*path, key, index))
    yield from _nodes(schema.get("items"), (*path, "items"))


def recursive_definitions(schema: Mapping[str, Any]) -> list[str]:
    """Return the definitions that lead back to themselves."""
    definitions = schema.get("$defs") or schema.get("definitions") or {}
    leads = {
        name: {str(node.get("$ref", "")).rpartition("/")[2] for _, node in _nodes(definition, ())} & set(definitions)
        for name, definition in definitions.items()
    }
    return [name for name in leads if _reaches(leads, name)]


def _reaches(leads: Mapping[str, set[str]], start: str) -> bool:
    todo, seen = list(leads[start]), set[str]()
    while todo:
        name = todo.pop()
        if name == start:
            return True
        if name not in seen:
            seen.add(name)
            todo.extend(leads[name])
    return False
