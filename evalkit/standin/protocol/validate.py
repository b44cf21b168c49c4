"""Whether a request is one the API would answer: shape first, then model, conversation, tools, settings, length.

The one entry to the rules of this package, and the terms under which they hold: endpoint, API version, betas. Raises
ApiError with the API's status, type and wording; changes nothing. Names of betas as in Anthropic's documentation and
the Python SDK 2.12 (read November 2026); unknown betas are let through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.standin.context.compaction import check_compaction, check_compaction_blocks, check_summarisable
from evalkit.standin.context.edits import THRESHOLD_COMPACTION, check_edits
from evalkit.standin.errors import bad_request, not_found
from evalkit.standin.models import Model, find_model
from evalkit.standin.protocol.conversation import BLOCK_TYPES, check_conversation
from evalkit.standin.protocol.settings import check_settings
from evalkit.standin.protocol.shapes import CountBody, MessagesBody, check_shape
from evalkit.standin.protocol.tools import check_tools, is_server_tool
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
    if terms.in_batch:
        _check_batch_item(body)
    if isinstance(body.get("system"), list) and any(not block["text"] for block in body["system"]):
        raise bad_request("system: text content blocks must be non-empty")
    check_tools(body.get("tools") or ())
    messages = body["messages"]
    if body.get("compaction") is not None and terms.endpoint == "messages":
        check_summarisable(messages)
        messages = [*messages, {"role": "user", "content": "(the request for the summary)"}]
    check_conversation(messages, model, old_contract=terms.version == "2023-06-01")
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
        if compaction_blocks or isinstance(message["content"], str):
            continue
        for position, block in enumerate(message["content"]):
            if block["type"] == "compaction":
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


def _check_batch_item(body: JsonObject) -> None:
    if body.get("stream"):
        raise bad_request("stream: streaming is not supported in message batches")
    if body.get("speed") is not None:
        raise bad_request("speed: not supported in message batches")
    if body["max_tokens"] == 0:
        raise bad_request("max_tokens: 0 (cache pre-warming) is not supported in message batches")


def _check_countable(body: JsonObject) -> None:
    for index, tool in enumerate(body.get("tools") or ()):
        if is_server_tool(tool) and not str(tool["type"]).startswith("advisor"):
            raise bad_request(f"tools.{index}: server tools are not supported by the token counting endpoint")
    for i, message in enumerate(body["messages"]):
        for j, block in enumerate(message["content"] if isinstance(message["content"], list) else ()):
            source = block.get("source")
            if isinstance(source, dict) and source.get("type") in {"url", "file"}:
                raise bad_request(
                    f"messages.{i}.content.{j}.{block['type']}.source: {source['type']} sources are not supported "
                    "by the token counting endpoint"
                )
