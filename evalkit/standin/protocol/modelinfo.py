"""The models endpoint: the table of models as the API's ModelInfo objects and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.standin.errors import bad_request, not_found
from evalkit.standin.models import MODELS, Model, find_model
from evalkit.standin.reply import JsonObject

THINKING_TYPES = ("adaptive", "between_tools", "disabled", "enabled")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
_UNKNOWN_DAY = "1970-01-01T00:00:00Z"  # what the API gives where the day is unknown


def model_info(model: Model) -> JsonObject:
    """Return one model as the API describes it."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": f"{model.name} (stand-in)",
        "created_at": f"{model.released}T00:00:00Z" if model.released else _UNKNOWN_DAY,
        "lifecycle": "deprecated" if model.retires else "active",
        "deprecated_at": _UNKNOWN_DAY if model.retires else None,
        "retires_at": f"{model.retires}T00:00:00Z" if model.retires else None,
        "line": model.line,
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.output_tokens,
        "capabilities": _capabilities(model),
    }


def get_model(name: str) -> JsonObject:
    """Return the description of an id or alias; raises the API's 404."""
    model = find_model(name)
    if model is None:
        raise not_found(f"model: {name}")
    return model_info(model)


def list_models(query: Mapping[str, str]) -> JsonObject:
    """Return a page of models, newest first."""
    wanted = query.get("lifecycle")
    infos = [model_info(model) for model in MODELS.values()]
    return page([info for info in infos if wanted is None or info["lifecycle"] == wanted], query)


def page(items: Sequence[JsonObject], query: Mapping[str, str]) -> JsonObject:
    """Return the part of a list that `limit`, `after_id` and `before_id` ask for, in the API's envelope."""
    limit = _limit(query.get("limit", "20"))
    ids = [item["id"] for item in items]
    start, end = 0, len(items)
    if query.get("after_id") in ids:
        start = ids.index(query["after_id"]) + 1
    if query.get("before_id") in ids:
        end = ids.index(query["before_id"])
        start = max(start, end - limit)
    data = list(items[start:end][:limit])
    more = start > 0 if query.get("before_id") else start + len(data) < end
    return {
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _limit(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= 1000:
        raise bad_request("limit: Input should be between 1 and 1000")
    return int(value)


def _capabilities(model: Model) -> JsonObject:
    return {
        "batch": _supported(True),
        "citations": _supported(True),
        "code_execution": _supported(True),
        "context_management": {
            **_supported(True),
            "clear_thinking_20251015": _supported(True),
            "clear_tool_uses_20250919": _supported(True),
            "compact_20260112": _supported(model.compaction),
        },
        "compaction": {**_supported(model.compaction), "summarize": _supported(model.compaction)},
        "effort": {
            **_supported(model.default_effort is not None),
            **{effort: _supported(model.default_effort is not None) for effort in EFFORTS},
        },
        "image_input": _supported(True),
        "pdf_input": _supported(True),
        "server_tools": {**_supported(False), "web_search": _supported(False), "code_execution": _supported(False)},
        "structured_outputs": _supported(True),
        "thinking": {
            **_supported(True),
            "types": {kind: _supported(kind in model.thinking) for kind in THINKING_TYPES},
        },
    }


def _supported(value: bool) -> dict[str, Any]:
    return {"supported": value}
