"""The rules for a request's settings: what each model takes, what excludes what, how many cache markers there may be.

Works on requests whose shape is already checked. Wording as in the API's answers where they are known (November 2026).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalkit.standin.errors import bad_request
from evalkit.standin.models import Model, request_effort, request_thinks
from evalkit.standin.protocol.tools import check_strict_schema
from evalkit.standin.reply import JsonObject

MAX_CACHE_MARKERS = 4


def check_settings(request: JsonObject, model: Model) -> None:
    """Raise the API's 400 for the first setting that the model or another setting rules out."""
    _check_max_tokens(request, model)
    _check_thinking(request, model)
    _check_tool_choice(request, model)
    if (request.get("output_config") or {}).get("effort") and model.default_effort is None:
        raise bad_request("This model does not support the effort parameter.")
    _check_format(request)
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


def _check_format(request: JsonObject) -> None:
    wanted = (request.get("output_config") or {}).get("format")
    if not wanted:
        return
    check_strict_schema(wanted["schema"], "output_config.format.schema")
    if request["messages"][-1]["role"] == "assistant":
        raise bad_request("output_config.format: can not be combined with assistant message prefill")
    for place, block in _all_blocks(request):
        if (isinstance(block.get("citations"), dict) and block["citations"].get("enabled")) and place:
            raise bad_request("output_config.format: can not be combined with citations")


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
    if automatic is not None:
        _check_automatic(request, markers, automatic)


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


def _check_automatic(request: JsonObject, markers: list[tuple[str, JsonObject]], automatic: JsonObject) -> None:
    """The automatic marker falls on the last block that can be cached; one that stands there must agree."""
    ttl = automatic.get("ttl") or "5m"
    cacheable = [(p, b) for p, b in _all_blocks(request) if b.get("type") not in {"thinking", "redacted_thinking"}]
    target = cacheable[-1][1].get("cache_control") if cacheable else None
    if target and (target.get("ttl") or "5m") != ttl:
        raise bad_request(
            f"Top-level cache_control has ttl='{ttl}' but the target block already has cache_control with "
            f"ttl='{target.get('ttl') or '5m'}'"
        )
    if not target:
        _check_order([*markers, ("", automatic)])


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
