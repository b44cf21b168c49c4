"""Request bodies without repetition: what a session's earlier lines say already is not written again.

The system prompt and the tools stand in the prompt's line; messages that the previous request had (and its reply, as
the assistant's message) are counted, not copied. So a session grows linearly, and any body can be put together again
exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.records import JsonObject, PromptVersion, Request

FROM_PROMPT = {"from": "prompt"}


class SessionBodies:
    """The messages a session has shown so far; packs and unpacks the bodies of its requests, in order."""

    def __init__(self, prompt: PromptVersion | None, history: Sequence[JsonObject]) -> None:
        self._prompt = prompt
        self._known: list[JsonObject] = list(history)

    @property
    def known(self) -> tuple[JsonObject, ...]:
        """The messages of the conversation as far as they were shown."""
        return tuple(self._known)

    def pack(self, request: Request) -> dict[str, Any]:
        """Return the body with what is known left out, and learn what is new."""
        packed = dict(request.body)
        for key, value in self._prompt_parts():
            if key in packed and packed[key] == value:
                packed[key] = FROM_PROMPT
        messages = list(request.body.get("messages", ()))
        keep = _common_prefix(self._known, messages)
        packed["messages"] = {"keep": keep, "new": messages[keep:]}
        self._learn(messages, request)
        return packed

    def unpack(self, packed: JsonObject, request: Request) -> dict[str, Any]:
        """Return the whole body of a packed one; `request` gives the reply that later bodies build on."""
        body = dict(packed)
        for key, value in self._prompt_parts():
            if body.get(key) == FROM_PROMPT:
                body[key] = value
        messages = self._known[: packed["messages"]["keep"]] + list(packed["messages"]["new"])
        body["messages"] = messages
        self._learn(messages, request)
        return body

    def _prompt_parts(self) -> list[tuple[str, list[JsonObject]]]:
        if self._prompt is None:
            return []
        return [("system", list(self._prompt.system)), ("tools", list(self._prompt.tools))]

    def _learn(self, messages: list[JsonObject], request: Request) -> None:
        reply: list[JsonObject] = [{"role": "assistant", "content": list(request.content)}] if request.content else []
        self._known = messages + reply


def _common_prefix(known: Sequence[JsonObject], messages: Sequence[JsonObject]) -> int:
    """Count the first messages that are equal, including the order of their keys (a body is sent byte for byte)."""
    count = 0
    for left, right in zip(known, messages, strict=False):
        if left is not right and not _same(left, right):
            break
        count += 1
    return count


def _same(left: object, right: object) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    return type(left) is type(right) and left == right
