"""A small value that fits a JSON Schema, where the conversation says nothing about it. Knows the keywords that tools
and structured output use; the value means nothing."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from ..reply import JsonObject
from .pattern_text import text_matching

_DEPTH = 8
_LONGEST = 10_000
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "stand-in@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def value_for(schema: Any) -> Any:
    """Return a small value that fits a schema: first choices, false, the least number, required properties only."""
    definitions = (schema.get("$defs") or schema.get("definitions") or {}) if isinstance(schema, dict) else {}
    return _value(schema, definitions, 0)


def _value(schema: Any, definitions: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEPTH:
        return None
    for key, wrap in (("const", False), ("default", False), ("enum", True), ("examples", True)):
        given = schema.get(key)
        if key in schema and (given if wrap else True):
            return given[0] if wrap and isinstance(given, list) else given
    if "$ref" in schema:
        return _value(definitions.get(str(schema["$ref"]).rpartition("/")[2]), definitions, depth + 1)
    for union in ("anyOf", "oneOf", "allOf"):
        if schema.get(union):
            return _value(schema[union][0], definitions, depth + 1)
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object":
        needed = schema.get("required") or []
        properties = (schema.get("properties") or {}).items()
        return {key: _value(value, definitions, depth + 1) for key, value in properties if key in needed}
    if kind == "array":
        item = _value(schema.get("items"), definitions, depth + 1)
        return [item] * min(int(_limit(schema, "minItems") or 0), _LONGEST)
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    plain: JsonObject = {"string": _text(schema), "boolean": False}
    return plain.get(str(kind))


def _number(schema: JsonObject, *, whole: bool) -> int | float:
    """Return the number nearest to zero from below that the limits allow."""
    step = abs(_limit(schema, "multipleOf") or 1)
    least, most = _limit(schema, "minimum", "exclusiveMinimum"), _limit(schema, "maximum", "exclusiveMaximum")
    value: int | float = 0
    if least is not None and least > value:
        value = ceil(least / step) * step
    elif most is not None and most < value:
        value = -(ceil(-most / step) * step)
    if value == schema.get("exclusiveMinimum"):
        value += step
    if value == schema.get("exclusiveMaximum"):
        value -= step
    return int(value) if whole else value


def _limit(schema: JsonObject, *keys: str) -> int | float | None:
    """Return the first of the keywords that is a number."""
    found = (schema.get(key) for key in keys)
    return next((each for each in found if isinstance(each, int | float) and not isinstance(each, bool)), None)


def _text(schema: JsonObject) -> str:
    if schema.get("pattern"):
        made = text_matching(str(schema["pattern"]))
        if made is not None:
            return made
    text = _FORMATS.get(str(schema.get("format")), "stand-in")
    text += "-" * min(max(0, int(_limit(schema, "minLength") or 0) - len(text)), _LONGEST)
    return text[: schema["maxLength"]] if isinstance(schema.get("maxLength"), int) else text
