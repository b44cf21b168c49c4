"""Compaction: when it is due, what is asked of the model, and what the model sees afterwards.

The summary comes from whoever answers: it is asked for with a message at the end of the conversation, as the API does
(platform.claude.com, compaction, read November 2026). Knows nothing of caches, limits or HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.standin.cache import CacheUse
from evalkit.standin.context.seal import seal
from evalkit.standin.reply import JsonObject, Reply

DEFAULT_THRESHOLD_TOKENS = 150_000
INSTRUCTIONS = (
    "Write a summary of the conversation so far, so that it can go on without the messages above: what the user said "
    "and wants, what tools returned, what is still open."
)


@dataclass(frozen=True)
class Due:
    """A compaction to carry out. `seals`: the block is signed and comes alone; `ends`: nothing is said after it."""

    instructions: str
    seals: bool
    ends: bool

    def asking(self, request: JsonObject) -> JsonObject:
        """Return the request that asks for the summary."""
        asked = {"role": "user", "content": self.instructions}
        return {**request, "messages": [*request["messages"], asked]}


@dataclass(frozen=True)
class Compacted:
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


def compaction_due(request: JsonObject, prompt_tokens: int) -> Due | None:
    """Return the compaction that a request asks for, or whose threshold its prompt exceeds."""
    wanted = request.get("compaction")
    if wanted is not None:
        return Due(_asking(wanted.get("instructions")), seals=True, ends=True)
    for edit in (request.get("context_management") or {}).get("edits") or ():
        if edit["type"] != "compact_20260112":
            continue
        if prompt_tokens > (edit.get("trigger") or {}).get("value", DEFAULT_THRESHOLD_TOKENS):
            return Due(_asking(edit.get("instructions")), seals=False, ends=bool(edit.get("pause_after_compaction")))
    return None


def _asking(instructions: str | None) -> str:
    return f"{INSTRUCTIONS} {(instructions or '').strip()}".strip()


def block_of(reply: Reply, due: Due) -> JsonObject | None:
    """Return the compaction block for the reply to the request for a summary; None if it holds no text."""
    summary = "".join(block["text"] for block in reply.content if block["type"] == "text").strip()
    if not summary:
        return None
    if due.seals:
        return {"type": "compaction", "content": summary, "signature": seal(summary)}
    return {"type": "compaction", "content": summary, "encrypted_content": seal(summary)}


def behind_block(request: JsonObject, block: JsonObject) -> JsonObject:
    """Return what the model sees once the block is there: the block, and the turn that is open."""
    messages: Sequence[JsonObject] = request["messages"]
    start = next((i for i in range(len(messages) - 1, -1, -1) if _begins_turn(messages[i])), len(messages))
    return {**request, "messages": [{"role": "assistant", "content": [block]}, *messages[start:]]}


def _begins_turn(message: JsonObject) -> bool:
    content = message["content"]
    if message["role"] != "user":
        return False
    return isinstance(content, str) or not any(block["type"] == "tool_result" for block in content)
