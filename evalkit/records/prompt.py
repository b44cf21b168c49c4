"""A prompt version as it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalkit.records.transcript import JsonObject


@dataclass(frozen=True)
class PromptVersion:
    """A system prompt with its tools and parameters, rendered: everything of a request but the messages.

    `sha` is the identity: SHA-256 over the exact JSON of model, params, system, tools and, where there is one, memory.
    `ref` is how a person names it (`support@v4`). `params` are the fields of the request body beside model, system,
    tools and messages (`max_tokens`, `output_config`, `thinking`, top-level `cache_control`). `system` holds the text
    blocks with their cache markers, `tools` the Messages API tool objects. `memory` is how a long conversation is kept
    short, empty for not at all: `{"window": N}`, `{"summary": {...}}` or `{"compact": {...}}`, every value filled in.
    `files` maps each source file to the SHA-256 of its bytes; `text` is the rendered system prompt as one string.
    """

    sha: str
    ref: str
    description: str
    model: str
    params: JsonObject
    system: tuple[JsonObject, ...]
    tools: tuple[JsonObject, ...]
    inputs: JsonObject = field(default_factory=dict)
    files: JsonObject = field(default_factory=dict)
    text: str = ""
    memory: JsonObject = field(default_factory=dict)
