"""The value types of file schemas, and the check of a parsed file against one.

A file schema is a pydantic model on `FileModel`: unknown keys are refused and nothing is converted, except that text
may be written without quotes (`version: 1.10` is the text "1.10" where text is expected). Turns pydantic's errors into
problems at the line and column of the value. Knows no file format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from evalkit.records import Problem
from evalkit.yamlsource.explain import explain
from evalkit.yamlsource.scalars import Plain
from evalkit.yamlsource.source import Path_, Source


class FileModel(BaseModel):
    """A mapping of a file format.

    `called` is what messages call it; `refused` names keys that people will try, with the sentence that answers them.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    called: ClassVar[str] = ""
    refused: ClassVar[Mapping[str, str]] = {}


def refusal(message: str, key: str = "") -> PydanticCustomError:
    """Return the error with which a validator refuses a value (or its key `key`) in our own words."""
    return PydanticCustomError("evalkit", "{message}", {"message": message, "key": key})


def _as_text(value: Any) -> Any:
    if isinstance(value, Plain):
        return value.source if value.value is not None else None
    return value


def unwrapped(value: Any) -> Any:
    """Return a raw value with its plain values as Python values, at every depth."""
    if isinstance(value, Plain):
        return value.value
    if isinstance(value, dict):
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    return value


Text = Annotated[str, BeforeValidator(_as_text)]
"""Text; an unquoted number or boolean is taken as it was written."""
Flag = Annotated[bool, BeforeValidator(unwrapped)]
Count = Annotated[int, BeforeValidator(unwrapped)]
Number = Annotated[float, BeforeValidator(unwrapped)]
Json = Annotated[Any, BeforeValidator(unwrapped)]
"""Any JSON value."""
JsonMap = Annotated[dict[str, Any], BeforeValidator(unwrapped)]

Model = TypeVar("Model", bound=FileModel)


def check_schema(
    source: Source, model: type[Model], path: Path_ = (), without: tuple[str, ...] = ()
) -> tuple[Model | None, list[Problem]]:
    """Return the value at `path` as a model, or None and every problem it has.

    Keys named in `without` are checked as if they were empty lists, so that the caller can check their items one by one.
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
