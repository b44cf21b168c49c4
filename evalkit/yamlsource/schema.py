"""The schema of a file: a pydantic model whose errors become problems at the line and column of the value.

A schema is written on `FileModel` with the value types below: unknown keys are refused and nothing is converted, except
that text may stand without quotes (`version: 1.10` is the text "1.10" where text is expected). Knows pydantic's error
types and how a location leads to a node; knows no file format.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails, PydanticCustomError, core_schema

from evalkit.records import Problem
from evalkit.wording import plural
from evalkit.yamlsource.nodes import Cell, ListNode, MapNode, Node, Plain, ScalarNode, json_value, node_value
from evalkit.yamlsource.source import Source, ValuePath


class FileModel(BaseModel):
    """A mapping of a file format.

    `called` is what messages call it; `refused` names keys that people will try, with the sentence that answers them.
    """

    # Built when first used: no command uses all of the many kinds of graders, and `check` stays instant.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
    called: ClassVar[str] = ""
    refused: ClassVar[Mapping[str, str]] = {}


def refusal(message: str, key: str = "") -> PydanticCustomError:
    """Return the error with which a validator refuses a value (or its key `key`) in our own words."""
    return PydanticCustomError("evalkit", "{message}", {"message": message, "key": key})


def unwrapped(value: Any) -> Any:
    """Return a raw value with its plain values as Python values, at every depth."""
    if isinstance(value, Plain):
        return json_value(value)
    if isinstance(value, dict):
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    return value


def seconds_of(span: str) -> float | None:
    """Return a time span such as `90`, `90s`, `10m` or `1h` in seconds; None for any other text."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", span.strip())
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else None


Text = Annotated[
    str,
    BeforeValidator(lambda raw: raw.source if isinstance(raw, Plain) and raw.value is not None else unwrapped(raw)),
]
"""Text; an unquoted number or boolean is taken as it was written."""
Texts = Annotated[list[Text], Field(min_length=1)]
_AsItLooks = BeforeValidator(lambda raw: raw.value if isinstance(raw, Plain) else raw)
Flag = Annotated[bool, _AsItLooks]
Count = Annotated[int, _AsItLooks]
Number = Annotated[float, _AsItLooks]
Json = Annotated[Any, BeforeValidator(unwrapped)]
"""Any JSON value."""
JsonMap = Annotated[dict[str, Any], BeforeValidator(unwrapped)]


Model = TypeVar("Model", bound=FileModel)


def check_schema(
    source: Source, model: type[Model], path: ValuePath = (), without: tuple[str, ...] = ()
) -> tuple[Model | None, list[Problem]]:
    """Return the value at `path` as a model, or None and every problem it has.

    Lists named in `without` are checked as if they were empty, so that the caller can check their items one by one.
    """
    node = source.node(path)
    if isinstance(node, MapNode):  # what is left out may be thousands of values: it is not even made
        items = {
            key: ListNode(item.text, item.index) if isinstance(item, ListNode) and key in without else item
            for key, item in node.items.items()
        }
        node = replace(node, items=items)
    raw = node_value(node, as_written=True)
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        found = [_problem(source, model, path, item) for item in error.errors(include_url=False)]
        told = {problem.place for problem in source.problems}  # an alias without its anchor has no value to speak of
        return None, [problem for problem in found if problem.place not in told]


class _Schema(GenerateJsonSchema):
    """JSON Schema as an editor should see it: an optional key is one that may be left out, not one that may be null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) in (None, [], {}):
            made.pop("default")
        return made


# A limit on a value that is converted first or may be left out keeps pydantic's own name, which no editor knows.
_LIMIT_NAMES = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_LENGTH_NAMES = {"array": ("minItems", "maxItems"), "object": ("minProperties", "maxProperties")}


def _with_limits(schema: Any) -> Any:
    """Return a schema in which all limits have the names of JSON Schema."""
    if isinstance(schema, list):
        return [_with_limits(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    fewest, most = _LENGTH_NAMES.get(str(schema.get("type")), ("minLength", "maxLength"))
    names = {**_LIMIT_NAMES, "min_length": fewest, "max_length": most}
    is_schema = "type" in schema or "anyOf" in schema or "description" in schema
    renamed = {
        names.get(key, key) if is_schema and isinstance(value, int | float) else key: value
        for key, value in schema.items()
    }
    return {key: value if key in {"examples", "default"} else _with_limits(value) for key, value in renamed.items()}


def json_schema(model: type[FileModel], title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file format."""
    made = _with_limits(model.model_json_schema(mode="validation", schema_generator=_Schema))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": title}


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping (`key: value`)",
    "model_type": "a mapping (`key: value`)",
    "model_attributes_type": "a mapping (`key: value`)",
}
_LIMITS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
    "string_pattern_mismatch": ("pattern", "text of the form {}"),
}
_SIZES = {
    "string_too_short": ("min_length", "at least"),
    "string_too_long": ("max_length", "at most"),
    "too_short": ("min_length", "at least"),
    "too_long": ("max_length", "at most"),
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the nearest known word, or an empty text."""
    named = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), named, n=1, cutoff=0.6)
    return f" (did you mean {named[near[0]]!r}?)" if near else ""


def shown(text: str) -> str:
    """Return a value's text as it fits into a message."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _problem(source: Source, model: type[FileModel], base: ValuePath, error: ErrorDetails) -> Problem:
    """Return the problem for one of pydantic's errors about the value at `base`."""
    kind, ctx = error["type"], error.get("ctx", {})
    path = (*base, *_real_steps(source.node(base), error["loc"]))
    models = _models_at(model, error["loc"][:-1] if kind in {"extra_forbidden", "missing"} else error["loc"])
    if kind == "extra_forbidden":
        return _unknown_key(source, path, models)
    if kind == "missing":
        parent = (*base, *_real_steps(source.node(base), error["loc"][:-1]))
        return source.problem(parent, f"key {str(error['loc'][-1])!r} is missing{_in(models)}")
    if kind == "evalkit":
        key = str(ctx["key"])
        return source.problem((*path, key) if key else path, str(ctx["message"]))
    if kind.startswith("union_tag"):
        return _wrong_tag(source, path, ctx)
    return source.problem(path, f"{_named(path)}{_found(source.node(path))}; expected {_wanted(error, ctx)}.")


def _unknown_key(source: Source, path: ValuePath, models: list[type[FileModel]]) -> Problem:
    keys = [field.alias or name for model in models for name, field in model.model_fields.items()]
    word = str(path[-1])
    answer = next((model.refused[word] for model in models if word in model.refused), "")
    if answer:
        return source.problem(path, answer, key=True)
    message = f"unknown key {word!r}{_in(models)}{did_you_mean(word, keys)}"
    if "did you mean" not in message:
        message += f"; known keys: {', '.join(dict.fromkeys(keys))}"
    return source.problem(path, message, key=True)


def _wrong_tag(source: Source, path: ValuePath, ctx: Mapping[str, Any]) -> Problem:
    key = str(ctx.get("discriminator", "")).strip("'")
    if "tag" not in ctx:
        return source.problem(path, f"key {key!r} is missing")
    tag, known = str(ctx["tag"]), [word.strip(" '") for word in str(ctx["expected_tags"]).split(",")]
    return source.problem(
        (*path, key), f"unknown kind {tag!r}{did_you_mean(tag, known)}; expected {' or '.join(known)}"
    )


def _wanted(error: ErrorDetails, ctx: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", str(ctx["expected"]))
        return f"{ctx['expected']}{did_you_mean(error['input'], known) if isinstance(error['input'], str) else ''}"
    if kind in _SIZES:
        name, words = _SIZES[kind]
        noun = ("character", "characters") if isinstance(error["input"], str) else ("entry", "entries")
        return f"{words} {plural(int(ctx[name]), *noun)}"
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return words.format(ctx[name])
    return str(error["msg"])


def _named(path: ValuePath) -> str:
    keys = [step for step in path if isinstance(step, str)]
    if not path:
        return "the file is "
    if isinstance(path[-1], int):
        return f"entry {path[-1] + 1} of {keys[-1]!r} is " if keys else f"entry {path[-1] + 1} is "
    return f"{keys[-1]!r} is "


def _found(node: Node | None) -> str:
    if isinstance(node, MapNode):
        return "a mapping" if node.items else "an empty mapping"
    if isinstance(node, ListNode):
        return "a list" if node.items else "an empty list"
    if not isinstance(node, ScalarNode):
        return "empty"
    if isinstance(node.value, Plain) and not isinstance(node.value, Cell):
        if node.value.value is None:
            return "empty"
        return node.value.source if isinstance(node.value.value, bool) else f"the number {node.value.source}"
    return f"the text {shown(node.value.source if isinstance(node.value, Cell) else node.value)}"


def _in(models: list[type[FileModel]]) -> str:
    called = next((model.called for model in models if model.called), "")
    return f" in {called}" if called else ""


# Pydantic names a place by the steps of its own schema: besides keys and indexes these are names of union members.
# The functions below walk the same steps through the tree (to a node) and through the models (to the known keys).


def _real_steps(node: Node | None, loc: tuple[str | int, ...]) -> ValuePath:
    """Return the steps of a pydantic location that lead through the tree: names of union members are left out."""
    steps: list[str | int] = []
    for step in loc:
        if isinstance(node, MapNode) and isinstance(step, str):
            if step not in node.items:
                continue
            node = node.items[step]
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            continue
        steps.append(step)
    return tuple(steps)


def _models_at(model: type[FileModel], loc: tuple[str | int, ...]) -> list[type[FileModel]]:
    """Return the models a value at a location may have."""
    kinds: list[Any] = [model]
    for step in loc:
        kinds = [found for kind in kinds for found in _stepped(kind, step)] or _tagged(kinds, step) or kinds
        kinds = [found for kind in kinds for found in _members(kind)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, FileModel)]


def _members(kind: Any) -> Iterator[Any]:
    """Open Annotated, Optional and unions."""
    if get_origin(kind) in {list, dict, Literal} or isinstance(kind, type):
        yield kind
        return
    for part in get_args(kind)[:1] if hasattr(kind, "__metadata__") else get_args(kind):
        yield from _members(part)


def _stepped(kind: Any, step: str | int) -> Iterator[Any]:
    if get_origin(kind) is list and isinstance(step, int):
        yield from _members(get_args(kind)[0])
    elif get_origin(kind) is dict and isinstance(step, str):
        yield from _members(get_args(kind)[1])
    elif isinstance(kind, type) and issubclass(kind, FileModel):
        for name, field in kind.model_fields.items():
            if step in (name, field.alias):
                yield from _members(field.annotation)


def _tagged(kinds: list[Any], step: str | int) -> list[Any]:
    """Return the members of a discriminated union that carry this tag."""
    return [
        kind
        for kind in kinds
        if isinstance(kind, type)
        and issubclass(kind, FileModel)
        and any(step in get_args(field.annotation) for field in kind.model_fields.values())
    ]
