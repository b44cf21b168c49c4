"""What the model sees of a request: without what a compaction block stands for, cleared results, cleared thinking, and
system messages whose time is over.

Pure functions from request to request; the client's own messages stay as they are, and the cache sees the result
(platform.claude.com, context editing, read November 2026).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.standin.cache import Prompt, read_prompt
from evalkit.standin.models import Model
from evalkit.standin.reply import JsonObject

CLEARED = "[cleared to save context]"
_THINKING = frozenset({"thinking", "redacted_thinking"})
_DEFAULT_TRIGGER: JsonObject = {"type": "input_tokens", "value": 100_000}
_KEPT_TOOL_USES, _KEPT_THINKING_TURNS = 3, 1


@dataclass(frozen=True)
class Edited:
    """A request as the model sees it, its prompt, the edits that changed something, and the tokens before them."""

    request: JsonObject
    prompt: Prompt
    applied: tuple[JsonObject, ...]
    original_tokens: int
    is_untouched: bool = True


def apply_edits(request: JsonObject, model: Model, workspace: str = "") -> Edited:
    """Apply what the request asks for; clearing starts only where its trigger is reached."""
    seen = _without_spent_system(_after_compaction(request))
    prompt = read_prompt(seen, model, workspace)
    original, applied = prompt.total_tokens, []
    for edit in (request.get("context_management") or {}).get("edits") or ():
        clear = _CLEARS.get(edit["type"])
        if clear is None:
            continue
        shorter, counted = clear(seen, edit, prompt.total_tokens)
        if not counted:
            continue
        shortened = read_prompt(shorter, model, workspace)
        cleared = prompt.total_tokens - shortened.total_tokens
        if cleared < max(1, (edit.get("clear_at_least") or {}).get("value", 0)):
            continue
        applied.append({"type": edit["type"], "cleared_input_tokens": cleared, **counted})
        seen, prompt = shorter, shortened
    return Edited(seen, prompt, tuple(applied), original, is_untouched=seen is request)


def _after_compaction(request: JsonObject) -> JsonObject:
    """Return the request from its latest compaction block with content on; what comes before is in that block."""
    messages = request["messages"]
    for index in range(len(messages) - 1, -1, -1):
        content = messages[index]["content"]
        for position in range(len(content) - 1, -1, -1) if isinstance(content, list) else ():
            if content[position]["type"] == "compaction" and content[position].get("content"):
                first = {**messages[index], "content": content[position:]}
                return {**request, "messages": [first, *messages[index + 1 :]]}
    return request


def _without_spent_system(request: JsonObject) -> JsonObject:
    """Leave out system messages that were only for the user turn before a later one."""
    messages = request["messages"]
    if not any(message.get("clear_at") == "next_user_message" for message in messages):
        return request
    last_user = max((index for index, message in enumerate(messages) if message["role"] == "user"), default=-1)
    kept = [
        message
        for index, message in enumerate(messages)
        if message.get("clear_at") != "next_user_message" or index > last_user
    ]
    return {**request, "messages": kept}


def _clear_tool_uses(request: JsonObject, edit: JsonObject, tokens: int) -> tuple[JsonObject, JsonObject]:
    excluded = frozenset(edit.get("exclude_tools") or ())
    calls = [
        (block["id"], block["name"])
        for block in _blocks_of(request)
        if block["type"] == "tool_use" and block["name"] not in excluded
    ]
    trigger = edit.get("trigger") or _DEFAULT_TRIGGER
    reached = len(calls) if trigger["type"] == "tool_uses" else tokens
    keep = (edit.get("keep") or {}).get("value", _KEPT_TOOL_USES)
    old = dict(calls[: max(0, len(calls) - keep)])
    if reached <= trigger["value"] or not old:
        return request, {}
    inputs = edit.get("clear_tool_inputs") or False

    def cleared(block: JsonObject) -> JsonObject:
        if block["type"] == "tool_result" and block["tool_use_id"] in old:
            return {**block, "content": CLEARED}
        named = inputs is True or (inputs and block.get("name") in inputs)
        return {**block, "input": {}} if named and block["type"] == "tool_use" and block["id"] in old else block

    return _with_blocks(request, lambda _, block: cleared(block)), {"cleared_tool_uses": len(old)}


def _clear_thinking(request: JsonObject, edit: JsonObject, _tokens: int) -> tuple[JsonObject, JsonObject]:
    keep = edit.get("keep") or {"type": "thinking_turns", "value": _KEPT_THINKING_TURNS}
    if keep == "all" or keep["type"] == "all":
        return request, {}
    turns = _assistant_turns(request["messages"])
    thinking = sorted({turn for index, turn in turns.items() if _thinks(request["messages"][index])})
    old = frozenset(thinking[: max(0, len(thinking) - keep["value"])])
    if not old:
        return request, {}

    def kept(index: int, block: JsonObject) -> JsonObject | None:
        return None if block["type"] in _THINKING and turns.get(index) in old else block

    return _with_blocks(request, kept), {"cleared_thinking_turns": len(old)}


_CLEARS: dict[str, Callable[[JsonObject, JsonObject, int], tuple[JsonObject, JsonObject]]] = {
    "clear_tool_uses_20250919": _clear_tool_uses,
    "clear_thinking_20251015": _clear_thinking,
}


def _assistant_turns(messages: Sequence[JsonObject]) -> dict[int, int]:
    """Number the assistant messages by the turn they belong to; tool results do not begin a new one."""
    turns: dict[int, int] = {}
    turn = 0
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            turns[index] = turn
        elif message["role"] == "user" and not _only_results(message["content"]):
            turn += 1
    return turns


def _only_results(content: Any) -> bool:
    return isinstance(content, list) and all(block["type"] == "tool_result" for block in content)


def _thinks(message: JsonObject) -> bool:
    content = message["content"]
    return isinstance(content, list) and any(block["type"] in _THINKING for block in content)


def _blocks_of(request: JsonObject) -> Iterator[JsonObject]:
    for message in request["messages"]:
        if isinstance(message["content"], list):
            yield from message["content"]


def _with_blocks(request: JsonObject, change: Callable[[int, JsonObject], JsonObject | None]) -> JsonObject:
    """Return the request with every block changed, or left out where the change is None."""
    messages = []
    for index, message in enumerate(request["messages"]):
        if isinstance(message["content"], list):
            changed = (change(index, block) for block in message["content"])
            message = {**message, "content": [block for block in changed if block is not None]}
        messages.append(message)
    return {**request, "messages": messages}
