"""The `memory` key of a prompt's front matter: how a long conversation is kept short.

The schema and its plain form. Must not know how a strategy works; evalkit/engine/memory does it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.records import JsonObject
from evalkit.yamlsource import Count, FileModel, Text, refusal

# Models of the table (models.yaml) that refuse to compact. Source: the Models API's capabilities, November 2026.
WITHOUT_COMPACTION = frozenset({"claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"})
_INSTRUCTIONS = 16_384  # the API's own limit for instructions of a compaction


class SummaryMemory(FileModel):
    """When and how older turns are summarised."""

    called: ClassVar[str] = "memory.summary"
    above_tokens: Count = Field(
        30_000,
        ge=500,
        description="Summarise when a request would be longer than this, system prompt and tools included.",
        examples=[30000],
    )
    keep_turns: Count = Field(6, ge=1, le=1000, description="So many finished turns stay word for word.", examples=[6])
    tokens: Count = Field(1024, ge=64, le=32_000, description="Room for the summary, in tokens.", examples=[1024])
    instructions: Text = Field(
        "",
        max_length=_INSTRUCTIONS,
        description="What a summary must never leave out.",
        examples=["Keep every measurement with its room."],
    )


class CompactMemory(FileModel):
    """When the API shortens the conversation itself."""

    called: ClassVar[str] = "memory.compact"
    above_tokens: Count = Field(
        150_000, ge=50_000, description="Compact when the input is longer than this.", examples=[150000]
    )
    instructions: Text = Field(
        "",
        max_length=_INSTRUCTIONS,
        description="What the compacted text must never leave out.",
        examples=["Keep every order number."],
    )


class MemoryKey(FileModel):
    """One strategy with its settings."""

    called: ClassVar[str] = "memory"
    window: Count | None = Field(
        None, ge=1, le=10_000, description="Send only the last so many turns, the new one included.", examples=[20]
    )
    summary: SummaryMemory | None = Field(
        None, description="Fold older turns into a memory block that the model writes.", examples=[{"keep_turns": 6}]
    )
    compact: CompactMemory | None = Field(
        None, description="Leave it to the API (a beta).", examples=[{"above_tokens": 150000}]
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> MemoryKey:
        if len(self.model_fields_set) != 1 or not any((self.window, self.summary, self.compact)):
            raise refusal("memory is exactly one of window, summary, compact; or leave the key out.")
        return self

    def to_json(self) -> JsonObject:
        """Return the strategy with every value filled in, as PromptVersion has it."""
        return self.model_dump(exclude_none=True)


def _named(value: Any) -> Any:
    """Let `summary` and `compact` stand alone, with their own defaults; `none` is no memory."""
    if value == "none":
        return None
    return {value: {}} if value in ("summary", "compact") else value


Memory = Annotated[
    MemoryKey | None, BeforeValidator(_named, json_schema_input_type=Literal["none", "summary", "compact"] | MemoryKey)
]
