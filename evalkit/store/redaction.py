"""What logs that keep hashes must not hold: the texts themselves.

Each text becomes a hash and a length, so that rates and costs stay computable. The hash is keyed: without the key
nobody can guess a short text ("yes", a name) by hashing candidates; equal texts stay equal under one key. Knows which
fields of a line hold what people and models said; knows nothing of files.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

import orjson

from evalkit.records import (
    Failure,
    PromptVersion,
    Request,
    RequestLine,
    RunLine,
    ToolLine,
    TrialEnd,
    TrialStart,
    TurnStart,
)

_Line = TypeVar("_Line", bound=RunLine)
# Fields of the Messages API's objects that say what something is and not what was said.
_STRUCTURE = frozenset({"type", "role", "id", "tool_use_id", "name", "cache_control", "is_error", "media_type"})
# Fields of a request's body that hold what was said. Tools and parameters come from the prompt file, not from people.
_SAID = frozenset({"messages", "system", "metadata"})


class Hasher:
    """Replaces texts by `hashed:<24 hex digits>:<characters>`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, line: _Line) -> _Line:
        """Return the line without its texts."""
        match line:
            case PromptVersion():
                system, text = self._blocks(line.system), self._text(line.text)
                return replace(line, system=system, text=text, inputs=self._hide(line.inputs, whole=True))
            case TrialStart():
                return replace(line, history=self._blocks(line.history))
            case TurnStart():
                return replace(line, user=self._text(line.user), content=self._blocks(line.content))
            case RequestLine():
                return replace(line, request=self._request(line.request))
            case ToolLine():
                call = line.call
                hidden, output = self._hide(call.input, whole=True), self._text(call.output)
                return replace(line, call=replace(call, input=hidden, output=output, trace=self._text(call.trace)))
            case TrialEnd():
                return replace(line, crash=line.crash and self._text(line.crash))
        return line

    def _request(self, request: Request) -> Request:
        return replace(
            request,
            body={
                key: self._hide(value, whole=key == "metadata") if key in _SAID else value
                for key, value in request.body.items()
            },
            content=self._blocks(request.content),
            partial=self._blocks(request.partial),
            stop_details=request.stop_details and self._hide(request.stop_details),
            failure=request.failure and self._failure(request.failure),
            attempts=tuple(replace(each, failure=self._failure(each.failure)) for each in request.attempts),
        )

    def _failure(self, failure: Failure) -> Failure:
        """Hide a message that may quote the reply; what the API says beside an HTTP error is its own words."""
        own_words = failure.status is not None and failure.status >= 400 and not failure.mid_stream
        return failure if own_words else replace(failure, message=self._text(failure.message))

    def _blocks(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(self._hide(value) for value in values)

    def _hide(self, value: Any, *, whole: bool = False) -> Any:
        """Hide the texts of an object of the API; what a tool was given is hidden whole, only its keys stay.

        Whole means names and numbers too: an order number says who it was.
        """
        if isinstance(value, Mapping):
            kept = _STRUCTURE if not whole and ("type" in value or "role" in value) else frozenset()
            return {
                key: inner if key in kept else self._hide(inner, whole=whole or key == "input")
                for key, inner in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._hide(inner, whole=whole) for inner in value]
        if isinstance(value, str):
            return self._text(value)
        plain = not whole or value is None or isinstance(value, bool)
        return value if plain else self._text(orjson.dumps(value).decode())

    def _text(self, text: str) -> str:
        if not text:
            return text
        digest = hmac.new(self._key, text.encode("utf-8", "surrogatepass"), sha256).hexdigest()[:24]
        return f"hashed:{digest}:{len(text)}"
