"""Whether a request wants its reply as JSON of a given schema. Knows where the request says so; placeholder.py makes
the value."""

from __future__ import annotations

from ..reply import JsonObject


def requested_schema(request: JsonObject) -> JsonObject | None:
    """Return the schema that a request wants its reply to follow."""
    wanted = (request.get("output_config") or {}).get("format") or {}
    schema = wanted.get("schema") if wanted.get("type") == "json_schema" else None
    return schema if isinstance(schema, dict) else None
