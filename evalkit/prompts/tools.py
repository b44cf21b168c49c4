"""A tool file: exactly one Messages API tool object. What `strict: true` refuses in its schema is in `schemas.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from evalkit.prompts.schemas import Schema, schema_problems
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
    texts = {"name": model.name, "description": model.description}  # as text, however they are written
    return {key: texts.get(key, value) for key, value in source.value().items()}, problems


def _schema_problems(source: Source, schema: dict[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with an input_schema: no schema of an object, or one that the API refuses for a tool."""
    if schema.get("type") != "object":
        yield source.problem(("input_schema",), "an input_schema needs `type: object`.")
        return
    yield from schema_problems(Schema(schema, source, ("input_schema",)))
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            yield source.problem(("input_schema", key), f"{key!r} can't stand at the top of an input_schema.", key=True)
    properties = schema.get("properties")
    for name in properties if isinstance(properties, dict) else ():
        if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name):
            at = ("input_schema", "properties", name)
            yield source.problem(at, f"{shown(name)} can't name an input; {_NAMES}.", key=True)
