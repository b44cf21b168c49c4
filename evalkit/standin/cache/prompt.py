"""A request as the prompt cache sees it: blocks in order, each with its tokens and the digest of all up to it.

Knows which settings are rendered into the prompt and where, and therefore what a change of them invalidates
(platform.claude.com, prompt caching, read November 2026). Knows nothing of entries, time or prices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import orjson

from evalkit.standin.models import Model, request_effort, request_thinks
from evalkit.standin.reply import JsonObject
from evalkit.standin.tokens import MESSAGE_OVERHEAD_TOKENS, TOOLS_OVERHEAD_TOKENS, count_block, count_text

Ttl = Literal["5m", "1h"]
Section = Literal["tools", "system", "messages"]
_UNMARKABLE = frozenset({"thinking", "redacted_thinking"})


class Position(NamedTuple):
    """One block of the prompt; `step` is its place in the look-back, where runs of tool calls or results count once."""

    section: Section
    tokens_so_far: int
    digest: bytes
    step: int
    marker: Ttl | None
    markable: bool


@dataclass(frozen=True)
class Prompt:
    """Hold the blocks of one request in the order tools, system, messages."""

    positions: tuple[Position, ...]
    model_id: str
    tools_digest: bytes
    system_digest: bytes
    total_tokens: int


class _Builder:
    """Walk a request once, carrying the running digest, token count and look-back step."""

    def __init__(self, model: Model, root: bytes) -> None:
        self.model = model
        self.digest = root
        self.tokens = 0
        self.step = 0
        self.positions: list[Position] = []

    def salt(self, value: object) -> None:
        """Mix a setting into the digest, so that everything after it depends on the setting."""
        self.digest = blake2b(self.digest + orjson.dumps(value), digest_size=16).digest()

    def add(self, section: Section, prefix: bytes, block: JsonObject, *, same_step: bool = False) -> None:
        """Append one block; its cache marker is noted and left out of the digest."""
        marker, plain = _without_marker(block)
        encoded = orjson.dumps(plain)
        self.digest = blake2b(self.digest + prefix + encoded, digest_size=16).digest()
        self.tokens += count_block(plain, self.model, encoded)
        if not same_step:
            self.step += 1
        markable = block.get("type") not in _UNMARKABLE and block.get("text") != ""
        self.positions.append(Position(section, self.tokens, self.digest, self.step, marker, markable))


def read_prompt(request: JsonObject, model: Model, scope: str = "") -> Prompt:
    """Lay a valid request out as cache positions; `scope` keeps workspaces apart."""
    # A change of the format loses the whole prompt, so it belongs to the root. Other settings are mixed in where
    # the API renders them: a change of one loses only what comes after.
    config = request.get("output_config") or {}
    root = orjson.dumps([scope, model.id, config.get("format")])
    builder = _Builder(model, blake2b(root, digest_size=16).digest())
    _add_tools(builder, request.get("tools") or ())
    tools_digest = builder.digest
    builder.salt(_system_settings(request))
    for block in as_blocks(request.get("system")):
        builder.add("system", b"s", block)
    system_digest = builder.digest
    builder.salt(_message_settings(request, model))
    _add_messages(builder, request["messages"])
    _mark_automatically(builder, request.get("cache_control"))
    return Prompt(tuple(builder.positions), model.id, tools_digest, system_digest, builder.tokens)


def as_blocks(content: Any) -> Sequence[JsonObject]:
    """Return message or system content as a list of blocks; a string is one text block."""
    if content is None:
        return ()
    if isinstance(content, str):
        return ({"type": "text", "text": content},)
    blocks: Sequence[JsonObject] = content
    return blocks


def _add_tools(builder: _Builder, tools: Sequence[JsonObject]) -> None:
    if tools:
        builder.tokens += TOOLS_OVERHEAD_TOKENS
    for tool in tools:
        if _is_web_search(tool):  # lives in the system section: see _system_settings
            builder.tokens += count_text(tool["type"], builder.model)
        else:
            builder.add("tools", b"t", tool)


def _add_messages(builder: _Builder, messages: Sequence[JsonObject]) -> None:
    forgotten = -1 if builder.model.keeps_cache_across_user_text else _last_user_text(messages)
    last_role = last_kind = ""
    for index, message in enumerate(messages):
        role = message["role"]
        if role != last_role:
            builder.tokens += MESSAGE_OVERHEAD_TOKENS
            last_kind = ""
        prefix = b"" if role == last_role else role.encode()  # messages of one role are one turn to the model
        for block in as_blocks(message["content"]):
            kind = block["type"]
            if index < forgotten and kind in {"thinking", "redacted_thinking"}:
                continue  # models of this generation drop old thinking once the user speaks again
            builder.add("messages", prefix, block, same_step=kind == last_kind and kind in {"tool_use", "tool_result"})
            prefix, last_kind = b"", kind
        last_role = role


def _last_user_text(messages: Sequence[JsonObject]) -> int:
    """Return the index of the last user message that is more than tool results, or -1."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] != "user":
            continue
        if any(block["type"] != "tool_result" for block in as_blocks(messages[index]["content"])):
            return index
    return -1


def _system_settings(request: JsonObject) -> list[Any]:
    tools = request.get("tools") or ()
    cites = any(
        (block.get("citations") or {}).get("enabled") if block["type"] == "document" else False
        for block in _message_blocks(request)
    )
    return [request.get("speed") or "standard", [tool for tool in tools if _is_web_search(tool)], cites]


def _message_settings(request: JsonObject, model: Model) -> list[Any]:
    thinking = request.get("thinking") or {}
    choice = request.get("tool_choice") or {"type": "auto"}
    kind = thinking.get("type") if thinking.get("type") == "between_tools" else request_thinks(request, model)
    return [
        kind,
        thinking.get("budget_tokens"),
        request_effort(request, model),
        [choice.get("type"), choice.get("name"), bool(choice.get("disable_parallel_tool_use"))],
        any(block["type"] == "image" for block in _message_blocks(request)),
    ]


def _message_blocks(request: JsonObject) -> Iterator[JsonObject]:
    for message in request["messages"]:
        if not isinstance(message["content"], str):
            yield from message["content"]


def _is_web_search(tool: JsonObject) -> bool:
    return str(tool.get("type") or "").startswith("web_search")


def _without_marker(block: JsonObject) -> tuple[Ttl | None, JsonObject]:
    """Return a block's marker and the block without it; a marker inside a tool result marks the result."""
    content = block.get("content")
    nested = block.get("type") == "tool_result" and isinstance(content, list)
    if not nested:
        if "cache_control" not in block:
            return None, block
        return marker_ttl(block["cache_control"]), {k: v for k, v in block.items() if k != "cache_control"}
    parts = [_without_marker(part) for part in content or ()]
    marker = marker_ttl(block.get("cache_control")) or next((ttl for ttl, _ in reversed(parts) if ttl), None)
    plain = {k: v for k, v in block.items() if k != "cache_control"}
    plain["content"] = [part for _, part in parts]
    return marker, plain


def marker_ttl(control: JsonObject | None) -> Ttl | None:
    """Return how long a marker asks to keep its prefix; None without a marker."""
    if control is None:
        return None
    return "1h" if control.get("ttl") == "1h" else "5m"


def _mark_automatically(builder: _Builder, control: JsonObject | None) -> None:
    ttl = marker_ttl(control)
    if ttl is None:
        return
    for index in range(len(builder.positions) - 1, -1, -1):
        position = builder.positions[index]
        if position.markable:
            builder.positions[index] = position._replace(marker=position.marker or ttl)
            return
