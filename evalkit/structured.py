"""A reply that must be JSON of a schema: asked for with `output_config.format`, read into a value or a clear reason.

The API holds the model to the schema, but a refusal or a reply that was cut off is no JSON of it, and the case of
enumerated words is not certain. Source: platform.claude.com, structured outputs, read November 2026. The value is
nowhere recorded: reply and schema are, and whoever needs it reads it from them here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from evalkit.json_schema import find_misfit, respelled, shown_path
from evalkit.records import JsonObject, Request, Turn

Ending = str
"""How a reply ended: a stop reason of the API, or one of evalkit's own ends.

`invalid_output`: whole, but not the JSON that was asked for. `too_many_requests`: it waits for calls that the engine
no longer ran, because the model would not stop calling tools.
"""
Trouble = Literal["failed", "refusal", "max_tokens", "empty", "not JSON", "invalid"]
CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded"})
"""Stop reasons of a reply that ends in the middle."""
_LONGEST = 300

REPAIR_OPENING = "[Automatic message, not from the user] Your last reply can't be used:"
"""How the message begins that asks for a reply once more; the stand-in's scripts know it by this."""


@dataclass(frozen=True)
class Output:
    """What a reply must be: JSON of a schema. `make` turns what fits into a value; ValueError where it can't."""

    schema: JsonObject
    make: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True)
class Value:
    """A reply that fits its schema; enumerated words are spelled as the schema spells them."""

    value: Any


@dataclass(frozen=True)
class NoValue:
    """Why there is no value: the kind, and a sentence for people."""

    trouble: Trouble
    reason: str

    @property
    def can_be_mended(self) -> bool:
        """Whether the model said something whole that is only not what was asked for: it may be asked once more."""
        return self.trouble in {"not JSON", "invalid"}


def value_of(turn: Turn) -> Value | NoValue | None:
    """Return the value of a turn whose last request asked for JSON of a schema, or why it has none; None for text."""
    schema = turn.replies[-1].output_schema if turn.replies else None
    return None if schema is None else read_structured(turn.replies[-1], Output(schema))


def ending_of(turn: Turn) -> Ending | None:
    """Return how the last reply of a turn ended; None where there is none that is complete."""
    last = turn.replies[-1] if turn.replies else None
    if last is None or last.failure is not None or last.stop_reason is None:
        return None
    read = value_of(turn)
    if isinstance(read, NoValue) and read.can_be_mended:
        return "invalid_output"
    waits = last.stop_reason == "tool_use" and all(call.request_n != last.n for call in turn.tool_calls)
    return "too_many_requests" if waits else last.stop_reason


def text_of(request: Request) -> str:
    """Return the text that is to be JSON: the text blocks of a reply, joined."""
    return "".join(str(block.get("text", "")) for block in request.content if block.get("type") == "text")


def read_structured(request: Request, output: Output) -> Value | NoValue:
    """Return the value that a finished request brought, or why it brought none."""
    stopped = _stopped(request)
    if stopped:
        return stopped
    text = text_of(request)
    if not text.strip():
        return NoValue("empty", f"the reply has no text (stop reason {request.stop_reason!r})")
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        return NoValue("not JSON", f"the reply is no JSON ({exc}): {text[:_LONGEST]!r}")
    value = respelled(raw, output.schema)
    misfit = find_misfit(value, output.schema)
    if misfit is not None:
        where = shown_path(misfit.at)
        reason = f"the reply does not fit the schema{f' at {where!r}' if where else ''}: {misfit.message}"
        return NoValue("invalid", reason)
    try:
        return Value(output.make(value))
    except ValueError as exc:
        return NoValue("invalid", f"the reply can't be read: {str(exc)[:_LONGEST]}")


def _stopped(request: Request) -> NoValue | None:
    if request.failure:
        return NoValue("failed", f"the request failed: {request.failure.kind}: {request.failure.message[:_LONGEST]}")
    if request.stop_reason == "refusal":
        details = request.stop_details or {}
        why = details.get("explanation") or details.get("category") or "no reason given"
        return NoValue("refusal", f"the model refused: {why}")
    if request.stop_reason in CUT_OFF:
        return NoValue("max_tokens", f"the reply was cut off ({request.stop_reason}); allow more max_tokens")
    return None
