"""Whether a part of a tool's input, as suites give it, can fit the tool's schema.

Suites name only the arguments that matter, so nothing is required here; texts between slashes stand for any text. Knows
JSON Schema (draft 2020-12) without the network, and patterns only with a time limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema
import regex
from referencing import Registry
from referencing.exceptions import Unresolvable

from evalkit.reading.patterns import pattern_of
from evalkit.records import JsonObject
from evalkit.yamlsource import ValuePath, did_you_mean, pattern_fault, shown

PATTERN_TIMEOUT_S = 0.5
_DROPPED = frozenset(
    {
        "required",
        "minProperties",
        "dependentRequired",
        "dependentSchemas",
        "not",
        "if",
        "then",
        "else",
        "patternProperties",
    }
)
_ADDRESSED = frozenset({"properties", "$defs", "definitions"})


def misfits(value: JsonObject, schema: JsonObject, tool: str) -> list[tuple[ValuePath, str]]:
    """Return the path and the reason of everything in `value` that the tool's input could never be."""
    validator = _Lenient(_relaxed(schema), registry=Registry())
    found: list[tuple[ValuePath, str]] = []
    try:
        for error in validator.iter_errors(value):
            found.extend(_worded(error, tool))
    except (Unresolvable, RecursionError) as error:
        return [((), f"the schema of tool {tool!r} can't be followed: {error}")]
    return found


def _relaxed(schema: Any) -> Any:
    """Return a schema that also takes parts of what the original takes."""
    if isinstance(schema, list):
        return [_relaxed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    relaxed: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _ADDRESSED and isinstance(value, dict):
            relaxed[key] = {name: _relaxed(child) for name, child in value.items()}
        elif key not in _DROPPED:
            relaxed["anyOf" if key == "oneOf" else key] = value if key in {"enum", "const"} else _relaxed(value)
    return relaxed


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """Check a text against a pattern; one that can't be decided in time says nothing."""
    del validator, schema
    try:
        if (
            isinstance(instance, str)
            and not pattern_fault(pattern)
            and not regex.search(pattern, instance, timeout=PATTERN_TIMEOUT_S)
        ):
            yield jsonschema.ValidationError(f"{shown(instance)} does not match {pattern!r}")
    except (TimeoutError, regex.error):
        return


def _unless_pattern(check: Callable[..., Any]) -> Callable[..., Any]:
    def checked(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        if not (isinstance(instance, str) and pattern_of(instance) is not None):
            yield from check(validator, value, instance, schema) or ()

    return checked


_Lenient: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        name: _unless_pattern(_pattern if name == "pattern" else check)
        for name, check in jsonschema.Draft202012Validator.VALIDATORS.items()
    },
)


def _worded(error: jsonschema.ValidationError, tool: str) -> Iterator[tuple[ValuePath, str]]:
    path = tuple(error.absolute_path)
    name = ".".join(str(step) for step in path) or "input"
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(schema.get("properties") or ())
        for key in error.instance:
            if key not in known:
                hint = did_you_mean(key, known) or f"; it has {', '.join(known) or 'none'}"
                yield (*path, key), f"tool {tool!r} has no input {key!r}{hint}"
    elif error.validator == "type":
        hint = " Put it in quotes." if "string" in str(error.validator_value) and _is_scalar(error.instance) else ""
        yield path, f"{name!r} of tool {tool!r} must be {_kinds(error.validator_value)} by its input_schema.{hint}"
    elif error.validator == "enum":
        values: Any = error.validator_value
        allowed = [str(item) for item in values]
        hint = did_you_mean(str(error.instance), allowed)
        yield (
            path,
            f"{name!r} of tool {tool!r} can't be {shown(str(error.instance))}{hint}; it is {' or '.join(allowed)}",
        )
    else:
        yield path, f"{name!r} does not fit the input_schema of tool {tool!r}: {error.message[:200]}"


def _is_scalar(value: Any) -> bool:
    return isinstance(value, int | float | bool)


def _kinds(kinds: Any) -> str:
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
