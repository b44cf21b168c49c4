"""Whether a request is one the API would answer: shape first, then model, conversation, tools, settings, length.

The one entry to the rules of this package. Raises ApiError with the API's status, type and wording; changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evalkit.standin.errors import bad_request, not_found
from evalkit.standin.models import Model, find_model
from evalkit.standin.protocol.betas import BETA_FIELDS, PLAYED_FIELDS, Allowed, allowed_by
from evalkit.standin.protocol.checks import mapping, text
from evalkit.standin.protocol.context import check_context, check_summarisable
from evalkit.standin.protocol.conversation import check_conversation
from evalkit.standin.protocol.settings import check_settings
from evalkit.standin.protocol.shapes import request_shape
from evalkit.standin.protocol.tools import check_tools, is_server_tool
from evalkit.standin.reply import JsonObject

ApiVersion = Literal["2023-06-01", "2026-10-21"]
API_VERSIONS: tuple[ApiVersion, ...] = ("2023-06-01", "2026-10-21")
Endpoint = Literal["messages", "count_tokens"]


@dataclass(frozen=True)
class Terms:
    """Under which terms a request is read: endpoint, API version, betas, and whether it is an item of a batch."""

    endpoint: Endpoint = "messages"
    version: ApiVersion = "2026-10-21"
    betas: frozenset[str] = frozenset()
    in_batch: bool = False


def validate_request(request: object, terms: Terms) -> Model:
    """Return the model that answers a request, or raise the error the API would give for it."""
    mapping(request, "body")
    body: JsonObject = request  # type: ignore[assignment]
    allowed = allowed_by(terms.betas)
    _check_shape(body, terms, allowed)
    model = find_model(body["model"])
    if model is None:
        raise not_found(f"model: {body['model']}")
    _check_unsupported_beta(body)
    if terms.in_batch:
        _check_batch_item(body)
    _check_system(body)
    check_tools(body.get("tools") or ())
    if body.get("compaction") is not None and terms.endpoint == "messages":
        check_summarisable(body["messages"])
        messages = [*body["messages"], {"role": "user", "content": "(the request for the summary)"}]
    else:
        messages = body["messages"]
    check_conversation(messages, model, old_contract=terms.version == "2023-06-01")
    check_settings(body, model)
    check_context(body, model, allowed)
    if terms.endpoint == "count_tokens":
        _check_countable(body)
    return model


def check_length(prompt_tokens: int, model: Model) -> None:
    """Raise the API's 400 for a prompt that does not fit the model's context window."""
    if prompt_tokens > model.context_tokens:
        raise bad_request(f"prompt is too long: {prompt_tokens} tokens > {model.context_tokens} maximum")


def _check_shape(body: JsonObject, terms: Terms, allowed: Allowed) -> None:
    shape = request_shape(terms.endpoint, allowed, sampling=terms.version == "2023-06-01")
    if "model" in body:
        text(body["model"], "model")
    shape(body, "")


def _check_unsupported_beta(body: JsonObject) -> None:
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


def _check_system(body: JsonObject) -> None:
    system = body.get("system")
    if isinstance(system, list) and any(not block["text"] for block in system):
        raise bad_request("system: text content blocks must be non-empty")


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
