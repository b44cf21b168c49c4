"""A reply that must be JSON of a schema: asked for with `output_config.format`, read into a value or a clear reason.

The API holds the model to the schema, but a refusal or a reply that was cut off is no JSON of it, and the case of
enumerated words is not certain. Source: platform.claude.com, structured outputs, read November 2026.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from evalkit.records import JsonObject, Request

Trouble = Literal["failed", "refusal", "max_tokens", "empty", "not JSON", "invalid"]
_CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded"})
_DEEPEST = 64
_LONGEST = 300


@dataclass(frozen=True)
class Value:
    """A reply that fits its schema; enumerated words are spelled as the schema spells them."""

    value: Any


@dataclass(frozen=True)
class NoValue:
    """Why there is no value: the kind, and a sentence for people."""

    trouble: Trouble
    reason: str


def read_structured(request: Request, schema: JsonObject) -> Value | NoValue:
    """Return the value that a finished request brought, or why it brought none."""
    stopped = _stopped(request)
    if stopped:
        return stopped
    text = "".join(str(block.get("text", "")) for block in request.content if block.get("type") == "text")
    if not text.strip():
        return NoValue("empty", f"the reply has no text (stop reason {request.stop_reason!r})")
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        return NoValue("not JSON", f"the reply is no JSON ({exc}): {text[:_LONGEST]!r}")
    value = _respelled(raw, schema, schema, 0)
    problem = _problem(value, schema)
    return NoValue("invalid", problem) if problem else Value(value)


def _stopped(request: Request) -> NoValue | None:
    if request.failure:
        return NoValue("failed", f"the request failed: {request.failure.kind}: {request.failure.message[:_LONGEST]}")
    if request.stop_reason == "refusal":
        details = request.stop_details or {}
        why = details.get("explanation") or details.get("category") or "no reason given"
        return NoValue("refusal", f"the model refused: {why}")
    if request.stop_reason in _CUT_OFF:
        return NoValue("max_tokens", f"the reply was cut off ({request.stop_reason}); allow more max_tokens")
    return None


def _problem(value: Any, schema: JsonObject) -> str:
    from jsonschema import Draft202012Validator

    error = next(iter(Draft202012Validator(schema).iter_errors(value)), None)
    if error is None:
        return ""
    where = ".".join(str(step) for step in error.absolute_path)
    return f"the reply does not fit the schema{f' at {where!r}' if where else ''}: {error.message[:_LONGEST]}"


def _respelled(value: Any, schema: Any, root: JsonObject, depth: int) -> Any:
    """Return the value with enumerated words spelled as in the schema, where only their case differs."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return value
    for part in _parts(schema, root):
        value = _respelled(value, part, root, depth + 1)
    if isinstance(value, str):
        return _spelled(value, schema)
    if isinstance(value, list):
        items = schema.get("items")
        return [_respelled(item, items, root, depth + 1) for item in value]
    if isinstance(value, dict):
        known, other = schema.get("properties") or {}, schema.get("additionalProperties")
        return {key: _respelled(item, known.get(key, other), root, depth + 1) for key, item in value.items()}
    return value


def _parts(schema: dict[str, Any], root: JsonObject) -> Iterable[Any]:
    """Return the subschemas that speak of the same value."""
    for key in ("anyOf", "allOf", "oneOf"):
        yield from schema.get(key) or ()
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        target: Any = root
        for step in reference[1:].strip("/").split("/") if reference != "#" else ():
            target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
        yield target


def _spelled(value: str, schema: dict[str, Any]) -> str:
    words = [word for word in (*(schema.get("enum") or ()), schema.get("const")) if isinstance(word, str)]
    if value in words:
        return value
    same = [word for word in words if word.casefold() == value.casefold()]
    return same[0] if len(same) == 1 else value
