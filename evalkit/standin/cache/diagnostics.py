"""Why a prompt can't reuse the one before it: the comparison behind the response's `diagnostics` object.

Compares the structure of two prompts only; whether the cache actually hit is the business of store.py.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from evalkit.standin.cache.prompt import Prompt
from evalkit.standin.reply import JsonObject

MissType = Literal[
    "model_changed", "tools_changed", "system_changed", "messages_changed", "previous_message_not_found", "unavailable"
]
REMEMBERED_MESSAGES = 5_000


@dataclass(frozen=True)
class CacheMiss:
    """Name the first part of the prompt that differs; tokens are those of the earlier prompt that went unused.

    Without a type the comparison is still to come.
    """

    type: MissType | None
    missed_tokens: int | None = None

    def to_json(self) -> JsonObject:
        """Return the response's `diagnostics` object."""
        if self.type is None:
            return {"cache_miss_reason": None}
        reason: JsonObject = {"type": self.type}
        if self.missed_tokens is not None:
            reason["cache_missed_input_tokens"] = self.missed_tokens
        return {"cache_miss_reason": reason}


class Diagnostics:
    """Keep the prompts of answered requests that asked for diagnostics, the newest 5,000.

    The API does not say when a comparison is pending or unavailable. Here it is pending while the earlier response is
    still under way, and unavailable where one of the two prompts is not what its client sent (edits, compaction).
    """

    def __init__(self) -> None:
        self._prompts: OrderedDict[str, Prompt | None] = OrderedDict()
        self._under_way: set[str] = set()

    def explain(self, previous_message_id: str | None, prompt: Prompt | None) -> CacheMiss | None:
        """Return why `prompt` can't reuse the named message's prompt; None for a first turn or a clean continuation.

        A prompt that the server edited is None.
        """
        if previous_message_id is None:
            return None
        if previous_message_id not in self._prompts:
            return CacheMiss("previous_message_not_found")
        previous = self._prompts[previous_message_id]
        if previous is None or prompt is None:
            return CacheMiss("unavailable")
        if previous_message_id in self._under_way:
            return CacheMiss(None)
        return compare_prompts(previous, prompt)

    def remember(self, message_id: str, prompt: Prompt | None) -> None:
        """Keep a prompt under the id of the message that answers it, from now until `complete` under way."""
        self._prompts[message_id] = prompt
        self._under_way.add(message_id)
        if len(self._prompts) > REMEMBERED_MESSAGES:
            self._under_way.discard(self._prompts.popitem(last=False)[0])

    def complete(self, message_id: str) -> None:
        """Note that a response has ended, well or badly."""
        self._under_way.discard(message_id)


def compare_prompts(previous: Prompt, current: Prompt) -> CacheMiss | None:
    """Return the first difference in prefix order, or None where `current` starts with all of `previous`."""
    if previous.model_id != current.model_id:
        return CacheMiss("model_changed", previous.total_tokens)
    if previous.tools_digest != current.tools_digest:
        return CacheMiss("tools_changed", _unused(previous, current))
    if previous.system_digest != current.system_digest:
        return CacheMiss("system_changed", _unused(previous, current))
    if len(current.positions) < len(previous.positions) or _shared(previous, current) < len(previous.positions):
        return CacheMiss("messages_changed", _unused(previous, current))
    return None


def _shared(previous: Prompt, current: Prompt) -> int:
    """Return how many leading blocks two prompts have in common."""
    pairs = zip(previous.positions, current.positions, strict=False)
    differing = (index for index, (before, now) in enumerate(pairs) if before.digest != now.digest)
    return next(differing, min(len(previous.positions), len(current.positions)))


def _unused(previous: Prompt, current: Prompt) -> int:
    shared = _shared(previous, current)
    return previous.total_tokens - (previous.positions[shared - 1].tokens_so_far if shared else 0)
