"""The rules for shortening a conversation on the server: context edits, compaction, and the blocks it left behind.

Works on requests whose shape is already checked; raises the API's 400 (with its `error_code` where the SDK knows one).
What the shortening does to a request is the business of the context package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalkit.standin.context.seal import digest_of, read_seal
from evalkit.standin.errors import bad_request
from evalkit.standin.models import Model, request_thinks
from evalkit.standin.protocol.betas import EDIT_BETAS, Allowed
from evalkit.standin.reply import JsonObject

MAX_INSTRUCTIONS = 16_384
_CLEARS_THINKING, _COMPACTS = "clear_thinking_20251015", "compact_20260112"


def check_context(request: JsonObject, model: Model, allowed: Allowed) -> None:
    """Raise for the first edit, compaction field or compaction block that the API would refuse."""
    edits: Sequence[JsonObject] = (request.get("context_management") or {}).get("edits") or ()
    _check_edits(edits, request, model, allowed)
    _check_blocks(request["messages"], compacts_again=any(edit["type"] == _COMPACTS for edit in edits))
    _check_clear_at(request["messages"])
    if request.get("compaction") is not None:
        _check_compaction(request, model)


def _check_edits(edits: Sequence[JsonObject], request: JsonObject, model: Model, allowed: Allowed) -> None:
    for index, edit in enumerate(edits):
        kind, place = edit["type"], f"context_management.edits.{index}"
        if kind not in allowed.edits:
            raise bad_request(f"{place}: '{kind}' requires the beta '{EDIT_BETAS[kind]}'")
        if any(other["type"] == kind for other in edits[:index]):
            raise bad_request(f"{place}: each type of edit may be given once, found '{kind}' again")
        if kind == _COMPACTS and not model.compaction:
            raise bad_request(f"{place}: '{kind}' is not supported on this model")
        if kind == _CLEARS_THINKING:
            _check_clears_thinking(edit, index, place, thinks=request_thinks(request, model))


def _check_clears_thinking(edit: JsonObject, index: int, place: str, *, thinks: bool) -> None:
    if index:
        raise bad_request(f"{place}: '{_CLEARS_THINKING}' must be the first edit")
    if isinstance(edit.get("keep"), str) and edit["keep"] != "all":
        raise bad_request(f"{place}.{_CLEARS_THINKING}.keep: Input should be 'all'")
    if not thinks:
        raise bad_request(f"{place}: '{_CLEARS_THINKING}' requires `thinking` to be enabled or adaptive")


def _check_blocks(messages: Sequence[JsonObject], *, compacts_again: bool) -> None:
    found = list(_compaction_blocks(messages))
    sealed = [entry for entry in found if entry[2].get("signature") is not None]
    for message, position, block in found:
        place = f"messages.{message}.content.{position}"
        if messages[message]["role"] == "system":
            raise bad_request(
                f"{place}: `compaction` blocks can't be in system messages", error_code="compaction_block_misplaced"
            )
        if block.get("content") == "":
            raise bad_request(f"{place}.compaction.content: must not be empty")
    if not sealed:
        return
    if compacts_again:
        raise bad_request(f"context_management: '{_COMPACTS}' can't be combined with a signed `compaction` block")
    if len([entry for entry in found if entry[2].get("content")]) > 1:
        raise bad_request(
            "messages: more than one `compaction` block with content. Send only the block returned last.",
            error_code="compaction_block_ambiguous",
        )
    message, position, block = sealed[0]
    if (message, position) != (0, 0):
        raise bad_request(
            f"messages.{message}.content.{position}: a `compaction` block must come first in the conversation",
            error_code="compaction_block_misplaced",
        )
    _check_seal(block)


def _check_seal(block: JsonObject) -> None:
    recorded = read_seal(block["signature"])
    if recorded is None:
        raise bad_request(
            "messages.0.content.0: Invalid `signature` in `compaction` block", error_code="compaction_signature_invalid"
        )
    if recorded != digest_of(block.get("content") or ""):
        raise bad_request(
            "messages.0.content.0: the `content` of a `compaction` block must be sent back unchanged",
            error_code="compaction_content_mismatch",
        )


def _check_clear_at(messages: Sequence[JsonObject]) -> None:
    for index, message in enumerate(messages):
        if message.get("clear_at") is not None and message["role"] != "system":
            raise bad_request(f"messages.{index}.clear_at: only permitted on `system` messages")


def _check_compaction(request: JsonObject, model: Model) -> None:
    if not model.compaction:
        raise bad_request("compaction: not supported on this model")
    if len((request["compaction"].get("instructions") or "").strip()) > MAX_INSTRUCTIONS:
        raise bad_request(
            f"compaction.summarize.instructions: String should have at most {MAX_INSTRUCTIONS} characters"
        )
    clash = _clash(request)
    if clash:
        raise bad_request(f"compaction: can not be combined with {clash}")


def _clash(request: JsonObject) -> str:
    if request.get("context_management") is not None:
        return "`context_management`"
    if request.get("stop_sequences"):
        return "`stop_sequences`"
    if (request.get("output_config") or {}).get("format"):
        return "`output_config.format`"
    if (request.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        return "a forced `tool_choice`"
    return "`max_tokens` 0" if request.get("max_tokens") == 0 else ""


def check_summarisable(messages: Sequence[JsonObject]) -> None:
    """Raise unless there is something to sum up and the last turn is finished; it may be the assistant's."""
    if not any(message["content"] for message in messages if message["role"] != "system"):
        raise bad_request(
            "compaction: `messages` holds nothing to summarize", error_code="compaction_nothing_to_summarize"
        )
    if _last_turn_is_open(messages):
        raise bad_request(
            "compaction: the conversation ends with a tool call that has no result",
            error_code="compaction_incomplete_turn",
        )


def _last_turn_is_open(messages: Sequence[JsonObject]) -> bool:
    last = messages[-1]
    if last["role"] != "assistant" or isinstance(last["content"], str):
        return False
    return any(block["type"] in {"tool_use", "server_tool_use"} for block in last["content"])


def _compaction_blocks(messages: Sequence[JsonObject]) -> Iterator[tuple[int, int, JsonObject]]:
    for index, message in enumerate(messages):
        if not isinstance(message["content"], str):
            for position, block in enumerate(message["content"]):
                if block["type"] == "compaction":
                    yield index, position, block
