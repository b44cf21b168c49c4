"""What `strict: true` refuses in a tool's schema: found here, because the API answers it with a 400 for every request.

Source: the structured-output and strict-tool-use pages of platform.claude.com, read November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evalkit.records import Problem
from evalkit.yamlsource import Source, ValuePath

MAX_STRICT_TOOLS = 20
MAX_OPTIONAL = 24
MAX_UNIONS = 16
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_TEXTS = ("minLength", "maxLength")
_LISTS = ("maxItems", "uniqueItems", "contains", "prefixItems")
_OTHERS = (
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
)
_PATTERN = re.compile(r"\(\?<?[=!]|\\[1-9]|\\[bB]")
_ADVICE = "strict mode does not take it. Say it in the description, or remove `strict`."

Node = tuple[ValuePath, Mapping[str, Any]]


def strict_problems(source: Source, schema: Mapping[str, Any]) -> list[Problem]:
    """Return everything in a tool's input_schema (at its place in the file) that strict mode refuses."""
    nodes = list(_nodes(schema, ("input_schema",)))
    problems = []
    for path, node in nodes:
        problems += [source.problem((*path, key), f"{key!r}: {_ADVICE}", key=True) for key in refused_keywords(node)]
        if _is_object(node) and node.get("additionalProperties") is not False:
            message = "strict mode needs `additionalProperties: false` on every object."
            problems.append(source.problem((*path, "additionalProperties"), message))
    for name in recursive_definitions(schema):
        path = ("input_schema", "$defs" if "$defs" in schema else "definitions", name)
        problems.append(source.problem(path, f"{name!r} refers to itself; {_ADVICE}"))
    return problems


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
    yield from (key for key in (*_NUMBERS, *_TEXTS, *_LISTS, *_OTHERS) if key in node)
    if node.get("minItems", 0) not in (0, 1):
        yield "minItems"
    if any(isinstance(value, dict | list) for value in node.get("enum") or ()):
        yield "enum"
    if _PATTERN.search(str(node.get("pattern") or "")):
        yield "pattern"


def _is_object(node: Mapping[str, Any]) -> bool:
    kind = node.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


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
