"""The request body: a prompt version and messages in the order the cache wants them (tools, system, messages)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.records import JsonObject, PromptVersion


def build_body(
    prompt: PromptVersion,
    messages: Sequence[JsonObject],
    previous_message_id: str | None,
    fields: JsonObject | None = None,
) -> dict[str, Any]:
    """Return the JSON body of one streamed request; the same arguments give the same bytes.

    `diagnostics` asks the API why a cached prefix was missed, compared with the previous reply of the conversation.
    `fields` are further fields of the request, over the prompt's own.
    """
    body: dict[str, Any] = {"model": prompt.model, **prompt.params, **(fields or {})}
    if prompt.tools:
        body["tools"] = list(prompt.tools)
    if prompt.system:
        body["system"] = list(prompt.system)
    body["messages"] = list(messages)
    body["diagnostics"] = {"previous_message_id": previous_message_id}
    body["stream"] = True
    return body
