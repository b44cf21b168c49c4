"""JSON Schema as strict mode takes it: what its grammar can't express is said in the description instead.

Which keywords those are is written in evalkit/prompts/strictness.py; whoever runs the tool still checks them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from evalkit.prompts.tools import recursive_definitions, refused_keywords

_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not")


def plain_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without the titles that pydantic gives everything; they only cost tokens."""
    plain: dict[str, Any] = _changed(schema, _without_title)
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


def _without_title(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "title" or not isinstance(value, str)}
