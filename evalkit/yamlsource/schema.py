"""The check of a parsed file against its schema, and the schema as JSON Schema.

Turns pydantic's errors into problems at the line and column of the value (`explain.py` words them). Knows no file
format.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from evalkit.records import Problem
from evalkit.yamlsource.explain import explain
from evalkit.yamlsource.model import FileModel
from evalkit.yamlsource.source import Source, ValuePath

Model = TypeVar("Model", bound=FileModel)


def check_schema(
    source: Source, model: type[Model], path: ValuePath = (), without: tuple[str, ...] = ()
) -> tuple[Model | None, list[Problem]]:
    """Return the value at `path` as a model, or None and every problem it has.

    Lists named in `without` are checked as if they were empty, so that the caller can check their items one by one.
    """
    raw = source.raw(path)
    if isinstance(raw, dict):
        raw = {key: [] if key in without and isinstance(item, list) else item for key, item in raw.items()}
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        return None, [explain(source, model, path, dict(item)) for item in error.errors(include_url=False)]


class _Schema(GenerateJsonSchema):
    """JSON Schema as an editor should see it: an optional key is one that may be left out, not one that may be null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) in (None, [], {}):
            made.pop("default")
        return made


def json_schema(model: type[FileModel], title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file format."""
    made = model.model_json_schema(mode="validation", schema_generator=_Schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": title}
