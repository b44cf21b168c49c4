"""Shortening a conversation on the server: context edits, and compaction at a threshold or on demand.

Edits are pure functions from the request to what the model sees of it, and the cache sees the result. A compaction's
summary comes from whoever answers: it is asked for with a message at the end of the conversation, as the API does. The
block that holds it carries a signature, no secret: it only tells an edited block from one sent back as it was
(platform.claude.com, context editing and compaction, read November 2026).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from evalkit.standin.cache import THINKING, CacheUse, Prompt, as_blocks, blocks_of, read_prompt
from evalkit.standin.errors import bad_request
from evalkit.standin.models import Model, request_thinks
from evalkit.standin.reply import JsonObject, Reply

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
    return EditedRequest(seen, prompt, tuple(applied), original)


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
            if index in turns and any(block["type"] in THINKING for block in as_blocks(message["content"]))
        }
    )
    old = frozenset(thinking[: max(0, len(thinking) - keep["value"])])
    if not old:
        return request, {}

    def kept(index: int, block: JsonObject) -> JsonObject | None:
        return None if block["type"] in THINKING and turns.get(index) in old else block

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


MAX_INSTRUCTIONS = 16_384  # characters
_SEAL = "standin-compaction"
DEFAULT_THRESHOLD_TOKENS = 150_000
INSTRUCTIONS = (
    "Write a summary of the conversation so far, so that it can go on without the messages above: what the user said "
    "and wants, what tools returned, what is still open."
)


@dataclass(frozen=True)
class DueCompaction:
    """A compaction to carry out. `seals`: the block is signed and comes alone; `ends`: nothing is said after it."""

    instructions: str
    seals: bool
    ends: bool

    def asking(self, request: JsonObject) -> JsonObject:
        """Return the request that asks for the summary."""
        asked = {"role": "user", "content": f"{INSTRUCTIONS} {self.instructions.strip()}".strip()}
        return {**request, "messages": [*request["messages"], asked]}


@dataclass(frozen=True)
class CompactionResult:
    """A compaction that was carried out: its block (None when no summary came), what it used, and how the reply ends.

    `stop_reason` is None when the reply goes on behind the block.
    """

    block: JsonObject | None
    use: CacheUse
    output_tokens: int
    stop_reason: str | None

    def iteration(self) -> JsonObject:
        """Return the entry of `usage.iterations`; its tokens are in no total."""
        return {"type": "compaction", **iteration_usage(self.use, self.output_tokens)}


def iteration_usage(use: CacheUse, output_tokens: int) -> JsonObject:
    """Return the token counts of one pass over the model."""
    return {
        "input_tokens": use.input_tokens,
        "cache_creation_input_tokens": use.write_tokens,
        "cache_read_input_tokens": use.read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": use.write_5m_tokens,
            "ephemeral_1h_input_tokens": use.write_1h_tokens,
        },
        "output_tokens": output_tokens,
    }


def compaction_due(request: JsonObject, prompt_tokens: int) -> DueCompaction | None:
    """Return the compaction that a request asks for, or whose threshold its prompt exceeds."""
    wanted = request.get("compaction")
    if wanted is not None:
        return DueCompaction(wanted.get("instructions") or "", seals=True, ends=True)
    for edit in edits_of(request):
        if edit["type"] != COMPACTS:
            continue
        if prompt_tokens > (edit.get("trigger") or {}).get("value", DEFAULT_THRESHOLD_TOKENS):
            pauses = bool(edit.get("pause_after_compaction"))
            return DueCompaction(edit.get("instructions") or "", seals=False, ends=pauses)
    return None


def block_of(reply: Reply, due: DueCompaction) -> JsonObject | None:
    """Return the compaction block for the reply to the request for a summary; None if it holds no text."""
    summary = "".join(block["text"] for block in reply.content if block["type"] == "text").strip()
    if not summary:
        return None
    seal = b64encode(orjson.dumps([_SEAL, _digest_of(summary)])).decode()
    return {"type": "compaction", "content": summary, "signature" if due.seals else "encrypted_content": seal}


def behind_block(request: JsonObject, block: JsonObject) -> JsonObject:
    """Return what the model sees once the block is there: the block, and the turn that is open."""
    messages: Sequence[JsonObject] = request["messages"]
    # The model still needs the user's open question and the tool results that answer it; all before is in the block.
    start = next((i for i in range(len(messages) - 1, -1, -1) if _begins_turn(messages[i])), len(messages))
    return {**request, "messages": [{"role": "assistant", "content": [block]}, *messages[start:]]}


def _begins_turn(message: JsonObject) -> bool:
    content = message["content"]
    if message["role"] != "user":
        return False
    return isinstance(content, str) or not any(block["type"] == "tool_result" for block in content)


def check_compaction_blocks(request: JsonObject) -> None:
    """Raise the API's 400 for a block that stands where none may stand, or is not as the server gave it."""
    messages: Sequence[JsonObject] = request["messages"]
    found = [entry for entry in blocks_of(messages) if entry[2]["type"] == "compaction"]
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
    if any(edit["type"] == COMPACTS for edit in edits_of(request)):
        raise bad_request(f"context_management: '{COMPACTS}' can't be combined with a signed `compaction` block")
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
    recorded = _read_seal(block["signature"])
    if recorded is None:
        raise bad_request(
            "messages.0.content.0: Invalid `signature` in `compaction` block", error_code="compaction_signature_invalid"
        )
    if recorded != _digest_of(block.get("content") or ""):
        raise bad_request(
            "messages.0.content.0: the `content` of a `compaction` block must be sent back unchanged",
            error_code="compaction_content_mismatch",
        )


def check_compaction(request: JsonObject, model: Model) -> None:
    """Raise the API's 400 for compaction on demand that the model or another field rules out."""
    if not model.compaction:
        raise bad_request("compaction: not supported on this model")
    if len((request["compaction"].get("instructions") or "").strip()) > MAX_INSTRUCTIONS:
        raise bad_request(
            f"compaction.summarize.instructions: String should have at most {MAX_INSTRUCTIONS} characters"
        )
    clashes = {
        "`context_management`": request.get("context_management") is not None,
        "`stop_sequences`": bool(request.get("stop_sequences")),
        "`output_config.format`": bool((request.get("output_config") or {}).get("format")),
        "a forced `tool_choice`": (request.get("tool_choice") or {}).get("type") in {"any", "tool"},
        "`max_tokens` 0": request.get("max_tokens") == 0,
    }
    for what, given in clashes.items():
        if given:
            raise bad_request(f"compaction: can not be combined with {what}")


def check_summarisable(messages: Sequence[JsonObject]) -> None:
    """Raise unless there is something to sum up and the last turn is finished; it may be the assistant's."""
    if not any(message["content"] for message in messages if message["role"] != "system"):
        raise bad_request(
            "compaction: `messages` holds nothing to summarize", error_code="compaction_nothing_to_summarize"
        )
    last = messages[-1]
    blocks = last["content"] if last["role"] == "assistant" and not isinstance(last["content"], str) else ()
    if any(block["type"] in {"tool_use", "server_tool_use"} for block in blocks):
        raise bad_request(
            "compaction: the conversation ends with a tool call that has no result",
            error_code="compaction_incomplete_turn",
        )


def _digest_of(content: str) -> str:
    """Return what a seal records of a text."""
    return blake2b(content.encode(), digest_size=12).hexdigest()


def _read_seal(signature: str) -> str | None:
    """Return the digest that a signature records; None if it is no signature of the stand-in."""
    try:
        mark, digest = orjson.loads(b64decode(signature, validate=True))
    except (ValueError, TypeError):
        return None
    return str(digest) if mark == _SEAL else None
