"""Context edits: which a request may ask for, and what the model sees of the request behind them.

Behind them means without what a compaction block stands for, cleared results, cleared thinking, and system messages
whose time is over.

Pure functions from request to request; the client's own messages stay as they are, and the cache sees the result
(platform.claude.com, context editing, read November 2026).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.standin.cache import Prompt, as_blocks, read_prompt
from evalkit.standin.errors import bad_request
from evalkit.standin.models import Model, request_thinks
from evalkit.standin.reply import JsonObject

CONTEXT_EDITING = "context-management-2025-06-27"
THRESHOLD_COMPACTION = "compact-2026-01-12"
COMPACTS, _CLEARS_THINKING, _CLEARS_TOOL_USES = (
    "compact_20260112",
    "clear_thinking_20251015",
    "clear_tool_uses_20250919",
)
EDIT_BETAS: Mapping[str, str] = {
    _CLEARS_TOOL_USES: CONTEXT_EDITING,
    _CLEARS_THINKING: CONTEXT_EDITING,
    COMPACTS: THRESHOLD_COMPACTION,
}
"""The beta that each kind of edit needs."""

CLEARED = "[cleared to save context]"
_THINKING = frozenset({"thinking", "redacted_thinking"})
_DEFAULT_TRIGGER: JsonObject = {"type": "input_tokens", "value": 100_000}
_KEPT_TOOL_USES, _KEPT_THINKING_TURNS = 3, 1


def edits_of(request: JsonObject) -> Sequence[JsonObject]:
    """Return the edits that a request asks for, in their order."""
    return (request.get("context_management") or {}).get("edits") or ()


def check_edits(request: JsonObject, model: Model, betas: frozenset[str]) -> None:
    """Raise the API's 400 for the first edit that its beta, the model or another edit rules out."""
    seen: set[str] = set()
    for index, edit in enumerate(edits_of(request)):
        kind, place = edit["type"], f"context_management.edits.{index}"
        if EDIT_BETAS[kind] not in betas:
            raise bad_request(f"{place}: '{kind}' requires the beta '{EDIT_BETAS[kind]}'")
        if kind in seen:
            raise bad_request(f"{place}: each type of edit may be given once, found '{kind}' again")
        seen.add(kind)
        if kind == COMPACTS and not model.compaction:
            raise bad_request(f"{place}: '{kind}' is not supported on this model")
        if kind != _CLEARS_THINKING:
            continue
        if index:
            raise bad_request(f"{place}: '{kind}' must be the first edit")
        if isinstance(edit.get("keep"), str) and edit["keep"] != "all":
            raise bad_request(f"{place}.{kind}.keep: Input should be 'all'")
        if not request_thinks(request, model):
            raise bad_request(f"{place}: '{kind}' requires `thinking` to be enabled or adaptive")


@dataclass(frozen=True)
class EditedRequest:
    """A request as the model sees it, its prompt, the edits that changed something, and the tokens before them."""

    request: JsonObject
    prompt: Prompt
    applied: tuple[JsonObject, ...]
    original_tokens: int
    is_untouched: bool = True


def apply_edits(request: JsonObject, model: Model, workspace: str = "") -> EditedRequest:
    """Apply what the request asks for; clearing starts only where its trigger is reached."""
    seen = _without_spent_system(_after_compaction(request))
    prompt = read_prompt(seen, model, workspace)
    original, applied = prompt.total_tokens, []
    for edit in edits_of(request):
        clear = _CLEARS.get(edit["type"])
        if clear is None:
            continue
        shorter, counted = clear(seen, edit, prompt.total_tokens)
        if not counted:
            continue
        shortened = read_prompt(shorter, model, workspace)
        cleared = prompt.total_tokens - shortened.total_tokens
        # Clearing breaks the cached prefix: `clear_at_least` is how a client says what that has to be worth.
        if cleared < max(1, (edit.get("clear_at_least") or {}).get("value", 0)):
            continue
        applied.append({"type": edit["type"], "cleared_input_tokens": cleared, **counted})
        seen, prompt = shorter, shortened
    return EditedRequest(seen, prompt, tuple(applied), original, is_untouched=seen is request)


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
        for message in request["messages"]
        for block in as_blocks(message["content"])
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
    thinking = sorted(
        {
            turns[index]
            for index, message in enumerate(request["messages"])
            if index in turns and any(block["type"] in _THINKING for block in as_blocks(message["content"]))
        }
    )
    old = frozenset(thinking[: max(0, len(thinking) - keep["value"])])
    if not old:
        return request, {}

    def kept(index: int, block: JsonObject) -> JsonObject | None:
        return None if block["type"] in _THINKING and turns.get(index) in old else block

    return _with_blocks(request, kept), {"cleared_thinking_turns": len(old)}


_CLEARS: dict[str, Callable[[JsonObject, JsonObject, int], tuple[JsonObject, JsonObject]]] = {
    _CLEARS_TOOL_USES: _clear_tool_uses,
    _CLEARS_THINKING: _clear_thinking,
}


def _assistant_turns(messages: Sequence[JsonObject]) -> dict[int, int]:
    """Number the assistant messages by the turn they belong to; tool results do not begin a new one."""
    turns: dict[int, int] = {}
    turn = 0
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            turns[index] = turn
        elif message["role"] == "user" and any(
            block["type"] != "tool_result" for block in as_blocks(message["content"])
        ):
            turn += 1
    return turns


def _with_blocks(request: JsonObject, change: Callable[[int, JsonObject], JsonObject | None]) -> JsonObject:
    """Return the request with every block changed, or left out where the change is None."""
    messages = []
    for index, message in enumerate(request["messages"]):
        if isinstance(message["content"], list):
            changed = (change(index, block) for block in message["content"])
            message = {**message, "content": [block for block in changed if block is not None]}
        messages.append(message)
    return {**request, "messages": messages}
