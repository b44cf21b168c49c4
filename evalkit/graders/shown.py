"""Tool calls as short text for people. Knows only values."""

from __future__ import annotations

import json
from collections.abc import Sequence

from evalkit.records import JsonObject, ToolCall

_MAX_ARGUMENTS = 160
_MAX_CALLS = 10


def shown_call(name: str, arguments: JsonObject | None) -> str:
    """Return `name {"key": "value"}`, long arguments cut; only the name when there are none."""
    if not arguments:
        return name
    text = json.dumps(arguments, ensure_ascii=False, default=dict)
    return f"{name} {text if len(text) <= _MAX_ARGUMENTS else text[:_MAX_ARGUMENTS] + '…'}"


def shown_calls(calls: Sequence[ToolCall]) -> str:
    """Return the calls one after the other, or `no tool call`."""
    texts = [shown_call(call.name, call.input) for call in calls[:_MAX_CALLS]]
    more = [f"and {len(calls) - _MAX_CALLS} more"] if len(calls) > _MAX_CALLS else []
    return ", ".join(texts + more) or "no tool call"
