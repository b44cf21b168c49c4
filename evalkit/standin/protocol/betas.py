"""What a beta header switches on: request fields, kinds of edits, blocks and keys. Data and look-ups only.

Names as in Anthropic's documentation and the Python SDK 2.12 (read November 2026). Unknown betas are let through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

THRESHOLD_COMPACTION = "compact-2026-01-12"
COMPACTION_ON_DEMAND = "compact-2026-09-04"
CONTEXT_EDITING = "context-management-2025-06-27"
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

EDIT_BETAS: Mapping[str, str] = {
    "clear_tool_uses_20250919": CONTEXT_EDITING,
    "clear_thinking_20251015": CONTEXT_EDITING,
    "compact_20260112": THRESHOLD_COMPACTION,
}


@dataclass(frozen=True)
class Allowed:
    """What the named betas add to the plain API; `edits` are the types of context edits."""

    fields: frozenset[str]
    edits: frozenset[str]
    compaction_blocks: bool
    clear_at: bool


@lru_cache(maxsize=256)
def allowed_by(betas: frozenset[str]) -> Allowed:
    """Return what a set of betas switches on."""
    return Allowed(
        fields=frozenset(
            field for field, starts in BETA_FIELDS.items() if any(_named(betas, start) for start in starts)
        ),
        edits=frozenset(edit for edit, beta in EDIT_BETAS.items() if beta in betas),
        compaction_blocks=bool({THRESHOLD_COMPACTION, COMPACTION_ON_DEMAND} & betas),
        clear_at=CLEAR_AT in betas,
    )


def _named(betas: frozenset[str], start: str) -> bool:
    return any(beta.startswith(start) for beta in betas)
