"""Which keys each object of a request may have: content blocks, tools, settings, the body of each endpoint.

Data only; checks.py walks it. Follows the request types of the Python SDK 2.12 and the API reference of November 2026.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from evalkit.standin.protocol.betas import Allowed
from evalkit.standin.protocol.checks import (
    Check,
    Shape,
    Tagged,
    anything,
    array,
    flag,
    flag_or,
    integer,
    list_of,
    mapping,
    matching,
    number,
    one_of,
    shape,
    string_or,
    text,
)

TOOL_NAME = r"^[a-zA-Z0-9_-]{1,128}$"
CACHE_CONTROL = Tagged({"ephemeral": shape(ttl=one_of("5m", "1h"))}, names_tag=False)
_FILE = shape({"file_id": text})
_URL = shape({"url": text})
_IMAGE_TYPE = one_of("image/jpeg", "image/png", "image/gif", "image/webp")
_IMAGE_SOURCE = Tagged({"base64": shape({"media_type": _IMAGE_TYPE, "data": text}), "url": _URL, "file": _FILE})
_CITES = Shape({}, {"enabled": flag})


def _nested(value: Any, path: str) -> None:
    _RESULT_PARTS(value, path)


_DOCUMENT_SOURCE = Tagged(
    {
        "base64": shape({"media_type": one_of("application/pdf"), "data": text}),
        "text": shape({"media_type": one_of("text/plain"), "data": text}),
        "content": shape({"content": string_or(list_of(_nested))}),
        "url": _URL,
        "file": _FILE,
    }
)
TEXT = shape({"text": text}, cache_control=CACHE_CONTROL, citations=array)
IMAGE = shape({"source": _IMAGE_SOURCE}, cache_control=CACHE_CONTROL, transformations=array)
DOCUMENT = shape({"source": _DOCUMENT_SOURCE}, title=text, context=text, citations=_CITES, cache_control=CACHE_CONTROL)
SEARCH_RESULT = shape(
    {"source": text, "title": text, "content": list_of(Tagged({"text": TEXT}))},
    citations=_CITES,
    cache_control=CACHE_CONTROL,
)
_RESULT_PARTS = Tagged(
    {
        "text": TEXT,
        "image": IMAGE,
        "document": DOCUMENT,
        "search_result": SEARCH_RESULT,
        "tool_reference": shape({"tool_name": text}, cache_control=CACHE_CONTROL),
    }
)
TOOL_RESULT = shape(
    {"tool_use_id": matching(r"^[a-zA-Z0-9_-]+$")},
    content=string_or(list_of(_RESULT_PARTS)),
    is_error=flag,
    cache_control=CACHE_CONTROL,
    toolset_name=text,
)
TOOL_USE = shape(
    {"id": matching(r"^[a-zA-Z0-9_-]+$"), "name": text, "input": mapping},
    cache_control=CACHE_CONTROL,
    caller=mapping,
    toolset_name=text,
)
SERVER_TOOL_USE = shape(
    {"id": matching(r"^srvtoolu_[a-zA-Z0-9_]+$"), "name": text, "input": mapping},
    cache_control=CACHE_CONTROL,
    caller=mapping,
)
_SERVER_RESULT = shape(
    {"tool_use_id": matching(r"^srvtoolu_[a-zA-Z0-9_]+$"), "content": anything},
    cache_control=CACHE_CONTROL,
    caller=mapping,
)
SERVER_RESULTS = frozenset(
    {
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
    }
)
USER_BLOCKS: dict[str, Check] = {
    "text": TEXT,
    "image": IMAGE,
    "document": DOCUMENT,
    "search_result": SEARCH_RESULT,
    "tool_result": TOOL_RESULT,
    "container_upload": shape({"file_id": text}, cache_control=CACHE_CONTROL),
}
ASSISTANT_BLOCKS: dict[str, Check] = {
    "text": TEXT,
    "thinking": shape({"thinking": text, "signature": text}),
    "redacted_thinking": shape({"data": text}),
    "tool_use": TOOL_USE,
    "server_tool_use": SERVER_TOOL_USE,
    **dict.fromkeys(SERVER_RESULTS, _SERVER_RESULT),
}
COMPACTION_BLOCK = shape(
    {}, content=text, encrypted_content=text, signature=text, tool_changes=array, cache_control=CACHE_CONTROL
)
SYSTEM = string_or(list_of(Tagged({"text": TEXT})))

CUSTOM_TOOL = Shape(
    {"name": matching(TOOL_NAME), "input_schema": mapping},
    {
        "type": one_of("custom"),
        "description": text,
        "strict": flag,
        "cache_control": CACHE_CONTROL,
        "eager_input_streaming": flag,
        "input_examples": list_of(mapping),
        "defer_loading": flag,
        "allowed_callers": list_of(text),
    },
)
_THINKING_DISPLAY = one_of("summarized", "omitted", "updates")
_BINDING = Shape({}, {"prefix_mismatch_behavior": one_of("error", "drop_block")})
THINKING = Tagged(
    {
        "adaptive": shape(display=_THINKING_DISPLAY, block_binding=_BINDING),
        "enabled": shape({"budget_tokens": integer(1024)}, display=_THINKING_DISPLAY, block_binding=_BINDING),
        "between_tools": shape(display=_THINKING_DISPLAY, block_binding=_BINDING),
        "disabled": shape(),
    }
)
TOOL_CHOICE = Tagged(
    {
        "auto": shape(disable_parallel_tool_use=flag),
        "any": shape(disable_parallel_tool_use=flag),
        "tool": shape({"name": text}, disable_parallel_tool_use=flag),
        "none": shape(),
    }
)
OUTPUT_CONFIG = Shape(
    {},
    {
        "effort": one_of("low", "medium", "high", "xhigh", "max"),
        "format": Tagged({"json_schema": shape({"schema": mapping})}, names_tag=False),
        "task_budget": shape({"total": integer(1)}, remaining=integer(0)),
    },
)
_PROMPT: dict[str, Check] = {
    "system": SYSTEM,
    "tools": array,
    "tool_choice": TOOL_CHOICE,
    "thinking": THINKING,
    "output_config": OUTPUT_CONFIG,
    "cache_control": CACHE_CONTROL,
    "speed": one_of("standard", "fast"),
}
SAMPLING: dict[str, Check] = {"temperature": number(0, 1), "top_p": number(0, 1), "top_k": integer(0)}
_INPUT_TOKENS = shape({"value": integer(1)})
_TOOL_USES = shape({"value": integer(0)})
_EDITS: dict[str, Check] = {
    "clear_tool_uses_20250919": shape(
        trigger=Tagged({"input_tokens": _INPUT_TOKENS, "tool_uses": shape({"value": integer(1)})}),
        keep=Tagged({"tool_uses": _TOOL_USES}),
        clear_at_least=Tagged({"input_tokens": _INPUT_TOKENS}),
        exclude_tools=list_of(text),
        clear_tool_inputs=flag_or(list_of(text)),
    ),
    "clear_thinking_20251015": shape(
        keep=string_or(Tagged({"thinking_turns": shape({"value": integer(1)}), "all": shape()}))
    ),
    "compact_20260112": shape(
        trigger=Tagged({"input_tokens": shape({"value": integer(50_000)})}),
        instructions=text,
        pause_after_compaction=flag,
    ),
}
_BETA_SHAPES: dict[str, Check] = {
    "context_management": Shape({}, {"edits": list_of(Tagged(_EDITS))}),
    "compaction": Tagged({"summarize": shape(instructions=text)}),
}
_MESSAGES_OPTIONAL: dict[str, Check] = {
    **_PROMPT,
    "stop_sequences": list_of(text),
    "stream": flag,
    "metadata": Shape({}, {"user_id": text}),
    "service_tier": one_of("auto", "standard_only"),
    "inference_geo": text,
    "container": string_or(mapping),
    "diagnostics": Shape({}, {"previous_message_id": text}),
}


@lru_cache(maxsize=64)
def request_shape(endpoint: str, allowed: Allowed, *, sampling: bool) -> Shape:
    """Return the body shape of `messages` or `count_tokens` for an API version and what the betas switch on."""
    extra = {field: _BETA_SHAPES.get(field, anything) for field in allowed.fields}
    required: dict[str, Check] = {"model": text, "messages": list_of(_message(allowed))}
    if endpoint == "count_tokens":
        return Shape(required, {**_PROMPT, **extra})
    return Shape(
        {**required, "max_tokens": integer(0)},
        {**_MESSAGES_OPTIONAL, **extra, **(SAMPLING if sampling else {})},
    )


def _message(allowed: Allowed) -> Check:
    blocks = USER_BLOCKS | ASSISTANT_BLOCKS
    if allowed.compaction_blocks:
        blocks = blocks | {"compaction": COMPACTION_BLOCK}
    optional: dict[str, Check] = {"clear_at": one_of("next_user_message", "never")} if allowed.clear_at else {}
    return Shape({"role": anything, "content": string_or(list_of(Tagged(blocks)))}, optional)
