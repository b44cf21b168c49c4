"""The JSON Schemas that the API holds a model to: of a strict tool's input, and of a structured reply.

It compiles them into a grammar that takes only a part of JSON Schema, and answers a schema beyond it with a 400 for
every request; so what it refuses is found here. Source: the structured-output and strict-tool-use pages of
platform.claude.com, read November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jsonschema
from referencing.exceptions import Unresolvable

from evalkit.records import JsonObject, Problem
from evalkit.yamlsource import Source, ValuePath

MAX_STRICT_TOOLS = 20
MAX_OPTIONAL = 24
MAX_UNIONS = 16
_REFUSED = """
    minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength maxItems uniqueItems contains
    prefixItems oneOf not if then else patternProperties propertyNames dependentRequired dependentSchemas
""".split()  # noqa: SIM905
_PATTERN = re.compile(r"\(\?<?[=!]|\\[1-9]|\\[bB]")

Mode = Literal["strict mode", "structured output"]
"""What holds the model to a schema; the words of messages."""
_ADVICE: Mapping[Mode, str] = {
    "strict mode": "strict mode does not take it. Say it in the description, or remove `strict`.",
    "structured output": "structured output does not take it. Say it in the description.",
}

Node = tuple[ValuePath, Mapping[str, Any]]


@dataclass(frozen=True)
class Schema:
    """A schema and where it is written: `at` leads to it from the top of its source."""

    json: JsonObject
    source: Source
    at: ValuePath = ()


def schema_problems(schema: Schema) -> list[Problem]:
    """Return why a value is no JSON Schema that can be followed here, each at its place."""
    return [schema.source.problem((*schema.at, *path), message) for path, message in schema_faults(schema.json)]


def schema_faults(schema: JsonObject) -> list[tuple[ValuePath, str]]:
    """Return what makes a value no JSON Schema, or which references lead out of it, with the path to it."""
    try:
        jsonschema.Draft202012Validator.check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        return [(tuple(error.absolute_path), f"not a JSON Schema: {error.message[:200]}.")]
    except (Unresolvable, RecursionError) as error:
        return [((), f"not a JSON Schema: {error}.")]
    only = "only references within the schema (#/$defs/...) can be followed."
    return [
        (path, f"'$ref' to {reference!r}; {only}")
        for path, reference in _references(schema, ())
        if not reference.startswith("#")
    ]


def _references(value: Any, path: ValuePath) -> Iterator[tuple[ValuePath, str]]:
    """Yield every `$ref` with its path."""
    for step, item in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        if step in {"$ref", "$dynamicRef"} and isinstance(item, str):
            yield (*path, step), item
        yield from _references(item, (*path, step))


def strict_problems(schema: Schema, mode: Mode) -> Iterator[Problem]:
    """Yield everything in a schema that the API refuses to hold a model to, each at its place in the file."""
    source = schema.source
    for path, node in _nodes(schema.json, schema.at):
        yield from (
            source.problem((*path, key), f"{key!r}: {_ADVICE[mode]}", key=True) for key in refused_keywords(node)
        )
        kinds = node.get("type")
        is_object = "object" in kinds if isinstance(kinds, list) else kinds == "object"
        if is_object and node.get("additionalProperties") is not False:
            message = f"{mode} needs `additionalProperties: false` on every object."
            yield source.problem((*path, "additionalProperties"), message)
    for name in recursive_definitions(schema.json):
        path = (*schema.at, "$defs" if "$defs" in schema.json else "definitions", name)
        yield source.problem(path, f"{name!r} refers to itself; {_ADVICE[mode]}")


def limit_problem(tools: Sequence[JsonObject], output: JsonObject | None = None) -> str:
    """Return what the schemas of a request's strict tools and of its output have too much of, or an empty text."""
    schemas = [*tools, *([output] if output else ())]
    nodes = [node for schema in schemas for _, node in _nodes(schema, ())]
    optional = sum(len(set(node.get("properties") or ()) - set(node.get("required") or ())) for node in nodes)
    unions = sum("anyOf" in node or isinstance(node.get("type"), list) for node in nodes)
    where = " and ".join(["strict tools"] * bool(tools) + ["the output"] * bool(output))
    what = "inputs" if tools and not output else "fields"
    for count, limit, words in (
        (len(tools), MAX_STRICT_TOOLS, "strict tools"),
        (optional, MAX_OPTIONAL, f"optional {what} in {where}"),
        (unions, MAX_UNIONS, f"{what} of more than one type in {where}"),
    ):
        if count > limit:
            return f"{count} {words}; the API takes at most {limit} in a request."
    return ""


def refused_keywords(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keywords of one subschema that the API's grammar does not take."""
    yield from (key for key in _REFUSED if key in node)
    if node.get("minItems", 0) not in (0, 1):
        yield "minItems"
    if any(isinstance(value, dict | list) for value in node.get("enum") or ()):
        yield "enum"
    if _PATTERN.search(str(node.get("pattern") or "")):
        yield "pattern"


def _nodes(schema: Any, path: ValuePath) -> Iterator[Node]:
    """Yield every subschema with its path, the schema itself first."""
    if not isinstance(schema, Mapping):
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
