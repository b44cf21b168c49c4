"""A Python type as what a reply must be: the schema that the API is given, and the values that come of its JSON.

pydantic makes the schema and reads the values, so that a type is a model, a dataclass, or anything else it knows. What
the API's grammar can't express (`ge=1`, a pattern) moves to the descriptions and is checked when the value is made.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from evalkit.engine.functions import never_strict, plain_schema, strict_schema
from evalkit.json_schema import shown_path
from evalkit.prompts.schemas import limit_problem
from evalkit.structured import Output


def output_of(kind: Any) -> Output:
    """Return what a reply must be to become a value of a type; TypeError when the API can't be held to it."""
    return _made(kind)


@cache  # a schema takes longer to make than most of what a turn does beside waiting
def _made(kind: Any) -> Output:
    adapter = TypeAdapter(kind)
    schema = plain_schema(adapter.json_schema())
    strict = strict_schema(schema)
    if reason := never_strict(schema) or limit_problem([], strict):
        raise TypeError(f"{kind.__name__} can't be what a reply must be: {reason.rstrip('.')}.")

    def make(value: Any) -> Any:
        try:
            return adapter.validate_json(orjson.dumps(value))
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
            where = shown_path(first["loc"])
            raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from exc

    return Output(strict, make)
