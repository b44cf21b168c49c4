"""A value for a JSON Schema, for requests that ask for structured output. Knows the schema's outward shape; the value
means nothing."""

from __future__ import annotations

from typing import Any

from ..reply import JsonObject

_DEPTH = 8


def requested_schema(request: JsonObject) -> JsonObject | None:
    """Return the schema that a request wants its reply to follow."""
    wanted = (request.get("output_config") or {}).get("format") or {}
    schema = wanted.get("schema") if wanted.get("type") == "json_schema" else None
    return schema if isinstance(schema, dict) else None


def value_for(schema: Any, depth: int = 0) -> Any:
    """Return a small value that fits a schema: first choices, false, zero, required properties only."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if schema.get(union):
            return value_for(schema[union][0], depth + 1)
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object":
        needed = schema.get("required") or []
        return {
            key: value_for(value, depth + 1) for key, value in (schema.get("properties") or {}).items() if key in needed
        }
    if kind == "array":
        return [value_for(schema.get("items"), depth + 1)] if schema.get("minItems") else []
    plain: dict[str, Any] = {"string": "stand-in", "integer": 0, "number": 0, "boolean": False}
    return plain.get(str(kind))
