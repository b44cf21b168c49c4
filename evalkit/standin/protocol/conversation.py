"""The rules that hold between messages: roles, mid-conversation system messages, tool calls and their results, prefill.

Works on requests whose shape is already checked. Knows nothing of settings, caching or what the conversation says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from evalkit.standin.errors import bad_request
from evalkit.standin.models import Model
from evalkit.standin.protocol.shapes import AssistantBlock, ServerResult, UserBlock, types_of
from evalkit.standin.reply import JsonObject

BLOCK_TYPES = {"user": types_of(UserBlock), "assistant": types_of(AssistantBlock)}
_PAUSES = types_of(ServerResult) | {"server_tool_use", "compaction"}


@dataclass(frozen=True)
class Turn:
    """Consecutive messages of one role, merged; `places` names each block's message and position."""

    role: str
    index: int  # of the first message
    blocks: tuple[JsonObject, ...]
    places: tuple[str, ...]


def check_conversation(messages: Sequence[JsonObject], model: Model, *, old_contract: bool) -> None:
    """Raise the API's 400 for the first rule that the messages break."""
    if not messages:
        raise bad_request("messages: at least one message is required")
    for index, message in enumerate(messages):
        if message["role"] == "system":
            _check_system(messages, index, model)
    first = messages[0]["content"]
    compacted = bool(first) and isinstance(first, list) and first[0]["type"] == "compaction"
    if messages[0]["role"] != "user" and not compacted:  # a compaction block stands for everything before it
        raise bad_request('messages: first message must use the "user" role')
    turns = merge_turns(messages)
    for turn in turns:
        _check_blocks(turn, old_contract=old_contract)
    _check_contents(messages)
    for before, turn, follower in zip([None, *turns], turns, [*turns[1:], None], strict=False):
        if turn.role == "assistant":
            _check_answered(turn, follower)
        else:
            _check_expected(turn, before)
    _check_ending(turns[-1], model)


def merge_turns(messages: Sequence[JsonObject]) -> list[Turn]:
    """Merge consecutive messages of one role, as the API does before it reads them; system messages stand aside."""
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        role, content = message["role"], message["content"]
        if role == "system":  # stands between turns and splits none
            continue
        blocks = ({"type": "text", "text": content},) if isinstance(content, str) else tuple(content)
        places = tuple(f"messages.{index}.content.{position}" for position in range(len(blocks)))
        if turns and turns[-1].role == role:
            last = turns.pop()
            turns.append(Turn(role, last.index, last.blocks + blocks, last.places + places))
        else:
            turns.append(Turn(role, index, blocks, places))
    return turns


def _check_system(messages: Sequence[JsonObject], index: int, model: Model) -> None:
    place = f"messages.{index}"
    if not model.system_messages:
        raise bad_request(f"{place}: role 'system' is not supported on this model")
    before = messages[index - 1] if index else None
    if before is None or not (before["role"] == "user" or _pauses(before["role"], before["content"])):
        raise bad_request(f"{place}: role 'system' must follow a user message")
    if index + 1 < len(messages) and messages[index + 1]["role"] != "assistant":
        raise bad_request(f"{place}: role 'system' must be the last message or be followed by an assistant message")
    content = messages[index]["content"]
    if not isinstance(content, str) and any(block["type"] != "text" for block in content):
        raise bad_request(f"{place}: system messages may only contain text blocks")


def _check_blocks(turn: Turn, *, old_contract: bool) -> None:
    for block, place in zip(turn.blocks, turn.places, strict=True):
        kind = block["type"]
        if kind not in BLOCK_TYPES[turn.role] and kind != "compaction" and not (kind == "document" and old_contract):
            other = "assistant" if turn.role == "user" else "user"
            raise bad_request(f"{place}: `{kind}` blocks can only be in `{other}` messages")
        if kind == "text" and turn.role == "user" and block.get("citations") and not old_contract:
            raise bad_request(f"{place}.text.citations: citations are not permitted in user messages")


def _check_contents(messages: Sequence[JsonObject]) -> None:
    last = len(messages) - 1
    for index, message in enumerate(messages):
        content = message["content"]
        if not content and not (index == last and message["role"] == "assistant"):
            raise bad_request(
                f"messages.{index}: all messages must have non-empty content "
                "except for the optional final assistant message"
            )
        for block in () if isinstance(content, str) else content:
            if block["type"] == "text" and not block["text"]:
                raise bad_request("messages: text content blocks must be non-empty")
            if block["type"] == "text" and message["role"] == "user" and not block["text"].strip():
                raise bad_request("messages: text content blocks must contain non-whitespace text")


def _check_answered(turn: Turn, follower: Turn | None) -> None:
    """Every call must be answered by the first blocks of the next user turn."""
    called = [block["id"] for block in turn.blocks if block["type"] == "tool_use"]
    repeated = next((call for index, call in enumerate(called) if call in called[:index]), None)
    if repeated is not None:
        raise bad_request(f"messages.{turn.index}: `tool_use` ids must be unique: {repeated}")
    leading = takewhile(lambda block: block["type"] == "tool_result", follower.blocks if follower else ())
    answered = {block["tool_use_id"] for block in leading}
    missing = [call for call in called if call not in answered]
    if missing:
        raise bad_request(
            f"messages.{follower.index if follower else turn.index}: `tool_use` ids were found without `tool_result` "
            f"blocks immediately after: {', '.join(missing)}. Each `tool_use` block must have a corresponding "
            "`tool_result` block in the next message."
        )


def _check_expected(turn: Turn, before: Turn | None) -> None:
    """Every result must answer a call of the turn before, once."""
    called = {block["id"] for block in before.blocks if block["type"] == "tool_use"} if before else set()
    seen: set[str] = set()
    for block, place in zip(turn.blocks, turn.places, strict=True):
        if block["type"] != "tool_result":
            continue
        call = block["tool_use_id"]
        if call not in called:
            raise bad_request(
                f"{place}: unexpected `tool_use_id` found in `tool_result` blocks: {call}. Each `tool_result` block "
                "must have a corresponding `tool_use` block in the previous message."
            )
        if call in seen:
            raise bad_request(
                f"{place}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {call}"
            )
        seen.add(call)


def _check_ending(last: Turn, model: Model) -> None:
    if last.role == "user" or _pauses(last.role, last.blocks):
        return
    if not model.prefill:
        raise bad_request(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if last.blocks and str(last.blocks[-1].get("text", "")).endswith((" ", "\n", "\t")):
        raise bad_request("messages: final assistant content cannot end with trailing whitespace")


def _pauses(role: str, content: str | Sequence[JsonObject]) -> bool:
    """Tell whether an assistant's turn stopped in a server-side tool or after compaction: it may be sent back."""
    if role != "assistant" or not content or isinstance(content, str):
        return False
    return content[-1]["type"] in _PAUSES
