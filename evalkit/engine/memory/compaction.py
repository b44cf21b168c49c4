"""The API's own compaction: the server shortens the conversation when it grows, and says so in a block of the reply.

A beta of the Messages API: a request field, and a header that switches it on. The client goes on sending the whole
conversation; the server passes over what its latest compaction block covers.
Source: platform.claude.com, compaction, read November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit.engine.memory.gauge import Gauge
from evalkit.engine.memory.plan import Messages
from evalkit.records import JsonObject

BETA = "compact-2026-01-12"
LEAST_TOKENS = 50_000
"""The lowest threshold that the API takes."""


@dataclass(frozen=True)
class Compaction:
    """Leaves shortening to the API, from `above_tokens` on."""

    above_tokens: int
    instructions: str = ""

    @property
    def fields(self) -> JsonObject:
        """The field that asks for it."""
        edit: dict[str, object] = {
            "type": "compact_20260112",
            "trigger": {"type": "input_tokens", "value": self.above_tokens},
        }
        if self.instructions:
            edit["instructions"] = self.instructions
        return {"context_management": {"edits": [edit]}}

    @property
    def headers(self) -> Mapping[str, str]:
        """The header that allows it."""
        return {"anthropic-beta": BETA}

    def plan(self, messages: Sequence[JsonObject], gauge: Gauge) -> Messages:
        """Return everything: the server decides."""
        return tuple(messages)
