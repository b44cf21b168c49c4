"""A tool file: exactly one Messages API tool object.

Knows which keys the API takes for a tool that evalkit can play; must not know what strict mode refuses
(`strictness.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import jsonschema
from pydantic import Field
from referencing.exceptions import Unresolvable

from evalkit.records import JsonObject, Problem
from evalkit.yamlsource import FileModel, Flag, JsonMap, Source, Text, check_schema, shown

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
    return _sent(source, model), problems


def _sent(source: Source, model: ToolFile) -> JsonObject:
    written: dict[str, Any] = source.value()
    texts = {"name": model.name, "description": model.description}
    return {key: texts.get(key, value) for key, value in written.items()}


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


def _references(value: Any, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], str]]:
    """Return every `$ref` with its path."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    if isinstance(value, dict):
        for key, item in value.items():
            if key in {"$ref", "$dynamicRef"} and isinstance(item, str):
                found.append(((*path, key), item))
            found += _references(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _references(item, (*path, index))
    return found
