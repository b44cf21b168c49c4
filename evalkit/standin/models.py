"""The models the stand-in answers for, as data: limits, thinking types, defaults, refusals; and how they count tokens.

Holds no prices (pricing.py). The figures are those of Anthropic's model pages as read in November 2026; where the pages
are silent the neighbouring model's value stands, and the line says so. Token counts are a stable estimate from the
length of the text, no tokenizer: the same bytes always count the same, and longer text counts more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

import orjson

from evalkit.content.blocks import file_tokens
from evalkit.standin.reply import JsonObject

ForcedToolChoice = Literal["accepted", "not while thinking", "rejected"]
CHARACTERS_PER_TOKEN_NEW = 3.6
CHARACTERS_PER_TOKEN_OLD = 4.7  # the older tokenizer counts about 30 % fewer tokens for the same text
MESSAGE_OVERHEAD_TOKENS = 4
TOOLS_OVERHEAD_TOKENS = 290  # the instructions the API adds once tools are present
THINKING_TYPES = ("adaptive", "between_tools", "disabled", "enabled")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
_UNKNOWN_DAY = "1970-01-01T00:00:00Z"  # what the API gives where the day is unknown

_ALWAYS = frozenset({"adaptive"})
_CHOICE = frozenset({"adaptive", "disabled"})
_BOTH = frozenset({"adaptive", "enabled", "disabled"})
_BUDGET = frozenset({"enabled", "disabled"})


@dataclass(frozen=True, kw_only=True)
class Model:
    """State what one model accepts; the defaults are those of the newest generation."""

    id: str
    name: str
    line: Literal["haiku", "sonnet", "opus", "fable", "mythos"]
    released: str | None = None  # None: no page names the day
    aliases: tuple[str, ...] = ()
    context_tokens: int = 1_000_000
    output_tokens: int = 128_000
    cache_minimum_tokens: int = 512
    thinking: frozenset[str] = _ALWAYS
    thinks_by_default: bool = True
    disabled_thinking_efforts: frozenset[str] = frozenset({"low", "medium", "high", "xhigh", "max"})
    shows_thinking: bool = False  # whether `display` is "summarized" where the request does not say
    default_effort: str | None = "high"  # None: the model takes no effort at all
    forced_tool_choice: ForcedToolChoice = "accepted"
    prefill: bool = False
    system_messages: bool = True
    binds_thinking: bool = False  # thinking blocks are valid only behind an unedited prefix
    compaction: bool = True  # on the server, at a threshold or on demand
    sampling: bool = False  # under API version 2023-06-01
    keeps_cache_across_user_text: bool = True
    characters_per_token: float = CHARACTERS_PER_TOKEN_NEW
    retires: str | None = None

    @property
    def rate_class(self) -> str:
        """Name the group of models whose rate limits are one; most models are by themselves."""
        return next((shared for shared, ids in _SHARED_LIMITS.items() if self.id.startswith(ids)), self.id)


_SHARED_LIMITS = {  # Anthropic's rate limit page, read November 2026
    "claude-opus-4": ("claude-opus-4-",),
    "claude-sonnet-4": ("claude-sonnet-4-",),
    "claude-fable-5": ("claude-fable-5-1",),
}


def _newest(model_id: str, name: str, line: Literal["fable", "mythos", "opus"]) -> Model:
    """Return a model of the generation that refuses forced tools and binds its thinking to the prefix."""
    return Model(
        id=model_id,
        name=name,
        line=line,
        default_effort="medium" if line == "opus" else "high",
        forced_tool_choice="rejected",
        binds_thinking=True,
    )


_OPUS_4_8 = Model(
    id="claude-opus-4-8",
    name="Claude Opus 4.8",
    line="opus",
    cache_minimum_tokens=1024,
    thinking=_CHOICE,
    thinks_by_default=False,
)
_OPUS_4_6 = Model(
    id="claude-opus-4-6",
    name="Claude Opus 4.6",
    line="opus",
    cache_minimum_tokens=4096,
    thinking=_BOTH,
    thinks_by_default=False,
    shows_thinking=True,
    forced_tool_choice="not while thinking",
    system_messages=False,
    sampling=True,
    characters_per_token=CHARACTERS_PER_TOKEN_OLD,
)
_OPUS_4_5 = replace(
    _OPUS_4_6,
    id="claude-opus-4-5-20251101",
    name="Claude Opus 4.5",
    released="2025-11-01",
    aliases=("claude-opus-4-5",),
    context_tokens=200_000,
    output_tokens=64_000,
    thinking=_BUDGET,
    prefill=True,
    compaction=False,
    retires="2027-01-22",
)
_HAIKU_4_5 = replace(
    _OPUS_4_5,
    id="claude-haiku-4-5-20251001",
    name="Claude Haiku 4.5",
    line="haiku",
    released="2025-10-01",
    aliases=("claude-haiku-4-5",),
    default_effort=None,
    keeps_cache_across_user_text=False,
    retires=None,
)
_TABLE = (  # newest first, as the models endpoint lists them
    _newest("claude-fable-5-2", "Claude Fable 5.2", "fable"),  # minimum and forced tools as 5.1
    _newest("claude-mythos-5-2", "Claude Mythos 5.2", "mythos"),
    _newest("claude-fable-5-1", "Claude Fable 5.1", "fable"),
    _newest("claude-mythos-5-1", "Claude Mythos 5.1", "mythos"),
    _newest("claude-opus-5-5", "Claude Opus 5.5", "opus"),
    Model(
        id="claude-sonnet-5-5",
        name="Claude Sonnet 5.5",
        line="sonnet",
        thinking=frozenset({"adaptive", "between_tools"}),
        forced_tool_choice="rejected",
        binds_thinking=True,
    ),
    Model(
        id="claude-haiku-5-5",  # forced tools: no page says, so the older rule stands
        name="Claude Haiku 5.5",
        line="haiku",
        thinking=_CHOICE,
        default_effort="medium",
    ),
    Model(
        id="claude-opus-5",
        name="Claude Opus 5",
        line="opus",
        thinking=_CHOICE,
        disabled_thinking_efforts=frozenset({"low", "medium", "high"}),
    ),
    Model(
        id="claude-sonnet-5",
        name="Claude Sonnet 5",
        line="sonnet",
        cache_minimum_tokens=1024,
        thinking=_CHOICE,
        system_messages=False,
    ),
    Model(id="claude-fable-5", name="Claude Fable 5", line="fable"),
    Model(id="claude-mythos-5", name="Claude Mythos 5", line="mythos"),
    _OPUS_4_8,
    replace(
        _OPUS_4_8,
        id="claude-opus-4-7",
        name="Claude Opus 4.7",
        cache_minimum_tokens=2048,
        system_messages=False,
    ),
    _OPUS_4_6,
    replace(_OPUS_4_6, id="claude-sonnet-4-6", name="Claude Sonnet 4.6", line="sonnet", cache_minimum_tokens=1024),
    _HAIKU_4_5,
    _OPUS_4_5,
    replace(
        _HAIKU_4_5,
        id="claude-sonnet-4-5-20250929",
        name="Claude Sonnet 4.5",
        line="sonnet",
        released="2025-09-29",
        aliases=("claude-sonnet-4-5",),
        cache_minimum_tokens=1024,
        retires="2026-11-30",
    ),
)

MODELS: dict[str, Model] = {model.id: model for model in _TABLE}
_BY_NAME = MODELS | {alias: model for model in _TABLE for alias in model.aliases}


def find_model(name: str) -> Model | None:
    """Return the model of an id or alias, or None."""
    return _BY_NAME.get(name)


def request_effort(request: JsonObject, model: Model) -> str | None:
    """Return the effort a request runs at: its own, else the model's default."""
    return (request.get("output_config") or {}).get("effort") or model.default_effort


def request_thinks(request: JsonObject, model: Model) -> bool:
    """Tell whether thinking is on for a request, counting the model's default."""
    thinking = request.get("thinking")
    return model.thinks_by_default if thinking is None else thinking["type"] != "disabled"


def model_info(model: Model) -> JsonObject:
    """Return one model as the models endpoint describes it."""
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


def _capabilities(model: Model) -> JsonObject:
    def supported(value: bool = True, **parts: object) -> JsonObject:
        return {"supported": value, **parts}

    takes_effort = model.default_effort is not None
    return {
        "batch": supported(),
        "citations": supported(),
        "code_execution": supported(),
        "context_management": supported(
            clear_thinking_20251015=supported(),
            clear_tool_uses_20250919=supported(),
            compact_20260112=supported(model.compaction),
        ),
        "compaction": supported(model.compaction, summarize=supported(model.compaction)),
        "effort": supported(takes_effort, **{effort: supported(takes_effort) for effort in EFFORTS}),
        "image_input": supported(),
        "pdf_input": supported(),
        "server_tools": supported(False, web_search=supported(False), code_execution=supported(False)),
        "structured_outputs": supported(),
        "thinking": supported(types={kind: supported(kind in model.thinking) for kind in THINKING_TYPES}),
    }


def count_text(text: str, model: Model) -> int:
    """Return the estimate for plain text; 0 only for the empty string."""
    return ceil(len(text) / model.characters_per_token)


def count_block(block: JsonObject, model: Model, encoded: bytes | None = None) -> int:
    """Return the estimate for one content block; `encoded` is its JSON, if the caller has it already."""
    kind = block.get("type")
    if kind == "text":
        return count_text(str(block.get("text", "")), model)
    if kind == "compaction":
        return count_text(str(block.get("content") or ""), model)
    if kind == "thinking":
        return count_text(str(block.get("thinking", "")), model)
    if kind in {"image", "document"} and (tokens := file_tokens(block)) is not None:
        return tokens
    if kind == "tool_result":
        content = block.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
        return ceil(40 / model.characters_per_token) + sum(count_block(part, model) for part in parts)
    return ceil(len(encoded if encoded is not None else orjson.dumps(block)) / model.characters_per_token)


def count_output(content: list[JsonObject], model: Model) -> int:
    """Return the output tokens of finished blocks; never 0, as the API bills the end of the turn too."""
    return 1 + sum(count_block(block, model) for block in content)
