"""The JSON Schema of a suite as editors read the file: parts may be included, and values filled in from rows.

The loader puts both in place before it checks anything, so the format itself knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.yamlsource.include import INCLUDE

_NAME = {"type": "string", "minLength": 1}
_INCLUDE = {
    "$ref": "#/$defs/Include",
    "description": "What this file holds, or these, relative to the file that names it; keys beside it win.",
}
DEFINITIONS: dict[str, Any] = {
    "Include": {
        "anyOf": [_NAME, {"type": "array", "items": _NAME, "minItems": 1}],
        "examples": ["shared/orders.yaml"],
    },
    "Included": {
        "type": "object",
        "properties": {INCLUDE: _INCLUDE},
        "required": [INCLUDE],
        "additionalProperties": False,
    },
    "Column": {"type": "string", "pattern": r"\{\{[^{}]+\}\}", "description": "A column of the case's `rows`."},
}
_SAID = ("title", "description", "examples", "default")
_NARROW = frozenset({"pattern", "enum", "const"})


def with_sharing(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a format's schema with `$include` in each mapping and list, and columns where not every text may stand."""
    made: dict[str, Any] = _shared({key: value for key, value in schema.items() if key != "$defs"})
    parts = {name: _shared(part) for name, part in schema.get("$defs", {}).items()}
    return made | {"$defs": parts | DEFINITIONS}


def _shared(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    made = dict(schema)
    for key in ("anyOf", "oneOf"):
        if key in made:
            made[key] = [_shared(choice) for choice in made[key]]
    if made.get("type") == "object":
        return _with_include(made)
    if made.get("type") == "array":
        items = {"items": _either(_shared(made["items"]), "Included")} if "items" in made else {}
        return _either(made | items, "Included")
    if made.get("type") in {"integer", "number", "boolean"} or _NARROW & made.keys():
        return _either(made, "Column")
    return made


def _with_include(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _shared(part) for name, part in schema.get("properties", {}).items()}
    made = schema | {"properties": properties | {INCLUDE: _INCLUDE}}
    if isinstance(schema.get("additionalProperties"), Mapping):
        made["additionalProperties"] = _shared(schema["additionalProperties"])
    if needed := made.pop("required", None):
        made["anyOf"] = [{"required": needed}, {"required": [INCLUDE]}]
    return made


def _either(schema: dict[str, Any], definition: str) -> dict[str, Any]:
    """Return a schema that also takes what a definition does; what is said of it stays outside."""
    said = {key: schema[key] for key in _SAID if key in schema}
    rest = {key: value for key, value in schema.items() if key not in _SAID}
    return {**said, "anyOf": [rest, {"$ref": f"#/$defs/{definition}"}]}
