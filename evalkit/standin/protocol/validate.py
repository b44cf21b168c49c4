"""Whether a request is one the API would answer: shape first, then model, conversation, tools, settings, length.

The one entry to the rules of this package, and the terms under which they hold: endpoint, API version, betas. Raises
ApiError with the API's status, type and wording where it is known; changes nothing. Names of betas as in Anthropic's
documentation and the Python SDK 2.12 (read November 2026); unknown betas are let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evalkit.standin.cache import THINKING, blocks_of
from evalkit.standin.context import (
    THRESHOLD_COMPACTION,
    check_compaction,
    check_compaction_blocks,
    check_edits,
    check_summarisable,
)
from evalkit.standin.errors import bad_request, not_found
from evalkit.standin.models import Model, find_model, request_effort, request_thinks
from evalkit.standin.protocol.conversation import BLOCK_TYPES, check_conversation
from evalkit.standin.protocol.files import check_files
from evalkit.standin.protocol.shapes import CountBody, MessagesBody, check_shape
from evalkit.standin.protocol.tools import check_strict_limits, check_strict_schema, check_tools, is_server_tool
from evalkit.standin.reply import JsonObject

ApiVersion = Literal["2023-06-01", "2026-10-21"]
API_VERSIONS: tuple[ApiVersion, ...] = ("2023-06-01", "2026-10-21")
Endpoint = Literal["messages", "count_tokens"]

COMPACTION_ON_DEMAND = "compact-2026-09-04"
CLEAR_AT = "mid-conversation-system-clear-at-2026-08-21"
FINE_GRAINED_TOOLS = "fine-grained-tool-streaming-2025-05-14"

BETA_FIELDS: Mapping[str, tuple[str, ...]] = {
    "context_management": ("context-management-", THRESHOLD_COMPACTION),
    "compaction": (COMPACTION_ON_DEMAND,),
    "thread": ("message-threads-",),
    "mcp_servers": ("mcp-client-",),
    "fallbacks": ("server-side-fallback",),
    "fallback_credit_token": ("fallback-credit",),
    "billing_policy": ("billing-policy",),
}
"""Fields that exist only with a beta that starts like one of these."""

PLAYED_FIELDS = frozenset({"context_management", "compaction"})
"""The fields of those that the stand-in plays; the others it refuses by name."""

_SAMPLING = frozenset({"temperature", "top_p", "top_k"})


@dataclass(frozen=True)
class Terms:
    """Under which terms a request is read: endpoint, API version, betas, and whether it is an item of a batch."""

    endpoint: Endpoint = "messages"
    version: ApiVersion = "2026-10-21"
    betas: frozenset[str] = frozenset()
    in_batch: bool = False

    def know(self, field: str) -> bool:
        """Tell whether a field of the body exists under these terms."""
        if field in _SAMPLING:
            return self.version == "2023-06-01"
        starts = BETA_FIELDS.get(field)
        return starts is None or any(beta.startswith(starts) for beta in self.betas)


def validate_request(request: object, terms: Terms) -> Model:
    """Return the model that answers a request, or raise the error the API would give for it."""
    for name in request if isinstance(request, dict) else ():
        if not terms.know(name):
            raise bad_request(f"{name}: Extra inputs are not permitted")
    check_shape(request, CountBody if terms.endpoint == "count_tokens" else MessagesBody)
    body: JsonObject = request  # type: ignore[assignment]
    _check_beta_messages(body["messages"], terms.betas)
    model = find_model(body["model"])
    if model is None:
        raise not_found(f"model: {body['model']}")
    _check_unplayed(body)
    batch_lacks = {
        "stream: streaming is not supported in message batches": body.get("stream"),
        "speed: not supported in message batches": body.get("speed") is not None,
        "max_tokens: 0 (cache pre-warming) is not supported in message batches": body.get("max_tokens") == 0,
    }
    for refusal, given in batch_lacks.items() if terms.in_batch else ():
        if given:
            raise bad_request(refusal)
    if isinstance(body.get("system"), list) and any(not block["text"] for block in body["system"]):
        raise bad_request("system: text content blocks must be non-empty")
    check_tools(body.get("tools") or ())
    messages = body["messages"]
    if body.get("compaction") is not None and terms.endpoint == "messages":
        check_summarisable(messages)
        messages = [*messages, {"role": "user", "content": "(the request for the summary)"}]
    check_conversation(messages, model, old_contract=terms.version == "2023-06-01")
    check_files(messages, model)
    check_settings(body, model)
    check_edits(body, model, terms.betas)
    check_compaction_blocks(body)
    if body.get("compaction") is not None:
        check_compaction(body, model)
    if terms.endpoint == "count_tokens":
        _check_countable(body)
    return model


def check_length(prompt_tokens: int, model: Model) -> None:
    """Raise the API's 400 for a prompt that does not fit the model's context window."""
    if prompt_tokens > model.context_tokens:
        raise bad_request(f"prompt is too long: {prompt_tokens} tokens > {model.context_tokens} maximum")


def _check_beta_messages(messages: Sequence[JsonObject], betas: frozenset[str]) -> None:
    """Refuse what a message may have with a beta only, as if it did not exist at all."""
    compaction_blocks = not betas.isdisjoint({THRESHOLD_COMPACTION, COMPACTION_ON_DEMAND})
    for index, message in enumerate(messages):
        if "clear_at" in message and CLEAR_AT not in betas:
            raise bad_request(f"messages.{index}.clear_at: Extra inputs are not permitted")
        if message.get("clear_at") is not None and message["role"] != "system":
            raise bad_request(f"messages.{index}.clear_at: only permitted on `system` messages")
    for index, position, block in blocks_of(messages):
        if block["type"] == "compaction" and not compaction_blocks:
            known = ", ".join(f"'{name}'" for name in sorted(BLOCK_TYPES["user"] | BLOCK_TYPES["assistant"]))
            raise bad_request(
                f"messages.{index}.content.{position}: Input tag 'compaction' found using 'type' does not match "
                f"any of the expected tags: {known}"
            )


def _check_unplayed(body: JsonObject) -> None:
    """Refuse by name what the API would answer and the stand-in can't."""
    if body.get("thread") is not None:
        raise bad_request(
            "thread: the stand-in keeps no conversations. Send the full conversation without `thread`.",
            error_code="thread_unsupported_request",
        )
    for name in BETA_FIELDS:
        if body.get(name) is not None and name not in PLAYED_FIELDS:
            raise bad_request(f"{name}: not supported by the stand-in. Leave it out, or run against the live API.")


def _check_countable(body: JsonObject) -> None:
    for index, tool in enumerate(body.get("tools") or ()):
        if is_server_tool(tool) and not str(tool["type"]).startswith("advisor"):
            raise bad_request(f"tools.{index}: server tools are not supported by the token counting endpoint")
    for i, j, block in blocks_of(body["messages"]):
        source = block.get("source")
        if isinstance(source, dict) and source.get("type") in {"url", "file"}:
            raise bad_request(
                f"messages.{i}.content.{j}.{block['type']}.source: {source['type']} sources are not supported "
                "by the token counting endpoint"
            )


MAX_CACHE_MARKERS = 4


def check_settings(request: JsonObject, model: Model) -> None:
    """Raise the API's 400 for the first setting that the model or another setting rules out."""
    _check_max_tokens(request, model)
    _check_thinking(request, model)
    _check_tool_choice(request, model)
    config = request.get("output_config") or {}
    if config.get("effort") and model.default_effort is None:
        raise bad_request("This model does not support the effort parameter.")
    if config.get("format"):
        check_strict_schema(config["format"]["schema"], "output_config.format.schema")
        check_strict_limits(request.get("tools") or (), config["format"]["schema"])
        if request["messages"][-1]["role"] == "assistant":
            raise bad_request("output_config.format: can not be combined with assistant message prefill")
        if any(isinstance(cites := b.get("citations"), dict) and cites.get("enabled") for _, b in _all_blocks(request)):
            raise bad_request("output_config.format: can not be combined with citations")
    _check_sampling(request, model)
    check_cache_markers(request)


def _check_max_tokens(request: JsonObject, model: Model) -> None:
    limit = request.get("max_tokens")
    if limit is None:
        return
    if limit > model.output_tokens:
        raise bad_request(
            f"max_tokens: {limit} > {model.output_tokens}, which is the maximum allowed number of output tokens "
            f"for {request['model']}"
        )
    clashes = {
        "`stream`": bool(request.get("stream")),
        "`thinking.type` enabled": (request.get("thinking") or {}).get("type") == "enabled",
        "`output_config.format`": bool((request.get("output_config") or {}).get("format")),
        "a forced `tool_choice`": _forces_tool(request),
    }
    for what, given in clashes.items():
        if limit == 0 and given:
            raise bad_request(f"max_tokens: 0 (cache pre-warming) can not be combined with {what}")


def _check_thinking(request: JsonObject, model: Model) -> None:
    thinking = request.get("thinking")
    if thinking is None:
        return
    kind = thinking["type"]
    if kind not in model.thinking:
        if kind == "adaptive":
            raise bad_request("adaptive thinking is not supported on this model")
        hint = ' Use "thinking.type.adaptive" and "output_config.effort" instead.' if kind == "enabled" else ""
        raise bad_request(f'"thinking.type.{kind}" is not supported for this model.{hint}')
    effort = request_effort(request, model)
    if kind == "disabled" and effort is not None and effort not in model.disabled_thinking_efforts:
        raise bad_request(f'"thinking.type.disabled" is not supported for this model with effort "{effort}".')
    if kind == "enabled" and request.get("max_tokens") and thinking["budget_tokens"] >= request["max_tokens"]:
        raise bad_request("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_tool_choice(request: JsonObject, model: Model) -> None:
    choice = request.get("tool_choice")
    if choice is None:
        return
    tools = request.get("tools")
    if not tools and choice["type"] != "none":
        raise bad_request("tool_choice: may only be specified while providing tools")
    if choice["type"] == "tool" and choice["name"] not in {tool.get("name") for tool in tools or ()}:
        raise bad_request(f"tool_choice: Tool '{choice['name']}' not found in provided tools")
    if not _forces_tool(request):
        return
    if model.forced_tool_choice == "rejected":
        raise bad_request('tool_choice: type "tool" and "any" are not supported for this model.')
    if (request.get("thinking") or {}).get("type") == "enabled":
        raise bad_request("Thinking may not be enabled when tool_choice forces tool use.")


def _forces_tool(request: JsonObject) -> bool:
    return (request.get("tool_choice") or {}).get("type") in {"any", "tool"}


def _check_sampling(request: JsonObject, model: Model) -> None:
    """Check the sampling parameters, which only API version 2023-06-01 still lets through to here."""
    temperature, top_p, top_k = (request.get(key) for key in ("temperature", "top_p", "top_k"))
    if not model.sampling:
        for key, value, default in (("temperature", temperature, 1), ("top_p", top_p, 1), ("top_k", top_k, None)):
            if value is not None and value != default:
                raise bad_request(f"{key}: only the default value is supported on this model")
        return
    if temperature is not None and top_p is not None:
        raise bad_request("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    if not request_thinks(request, model):
        return
    if temperature not in {None, 1}:
        raise bad_request("`temperature` may only be set to 1 when thinking is enabled.")
    if top_p is not None and top_p < 0.95:
        raise bad_request("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")
    if top_k is not None:
        raise bad_request("`top_k` must be unset when thinking is enabled.")


def check_cache_markers(request: JsonObject) -> None:
    """Raise the API's 400 for more than four markers, or a one-hour marker behind a five-minute one."""
    markers = [(place, block["cache_control"]) for place, block in _all_blocks(request) if block.get("cache_control")]
    automatic = request.get("cache_control")
    found = len(markers) + (automatic is not None)
    if found > MAX_CACHE_MARKERS:
        raise bad_request(f"A maximum of {MAX_CACHE_MARKERS} blocks with cache_control may be provided. Found {found}.")
    _check_order(markers)
    if automatic is None:
        return
    # it falls on the last block that can be cached; a marker that stands there must agree
    ttl = automatic.get("ttl") or "5m"
    cacheable = [block for _, block in _all_blocks(request) if block.get("type") not in THINKING]
    target = cacheable[-1].get("cache_control") if cacheable else None
    if target and (target.get("ttl") or "5m") != ttl:
        raise bad_request(
            f"Top-level cache_control has ttl='{ttl}' but the target block already has cache_control with "
            f"ttl='{target.get('ttl') or '5m'}'"
        )
    if not target:
        _check_order([*markers, ("", automatic)])


def _check_order(markers: list[tuple[str, JsonObject]]) -> None:
    shorter_seen = False
    for place, control in markers:
        if control.get("ttl") == "1h" and shorter_seen:
            raise bad_request(
                f"{place}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: "
                "`tools`, `system`, `messages`."
            )
        shorter_seen = shorter_seen or control.get("ttl") != "1h"


def _all_blocks(request: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Yield every block that can carry a marker with its place, in the order of the prompt."""
    for index, tool in enumerate(request.get("tools") or ()):
        yield f"tools.{index}", tool
    yield from _content_blocks(request.get("system"), "system")
    for index, message in enumerate(request["messages"]):
        for place, block in _content_blocks(message["content"], f"messages.{index}.content"):
            if block["type"] == "tool_result":
                yield from _content_blocks(block.get("content"), f"{place}.content")
            yield place, block


def _content_blocks(content: Any, place: str) -> Iterator[tuple[str, JsonObject]]:
    if isinstance(content, list):
        for index, block in enumerate(content):
            yield f"{place}.{index}", block
    elif content is not None:
        yield place, {"type": "text"}
