"""The prompt cache itself: which prefixes are kept, until when, how a prompt splits, and why it missed.

Works on positions only; knows nothing of requests, models or HTTP. The rules are those of Anthropic's prompt
caching page (platform.claude.com, read November 2026): writes happen at markers, reads look back 20 steps from a
marker, lifetimes count from the start of the request, and an entry can be read once the response that wrote it has
begun. Why a prompt can't reuse the one before it is the comparison behind the response's `diagnostics` object: it looks
at the structure of two prompts only, not at what is kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.standin.cache.prompt import Position, Prompt, Ttl
from evalkit.standin.reply import JsonObject

LOOK_BACK_STEPS = 20
LIFETIME_S: dict[Ttl, float] = {"5m": 300.0, "1h": 3600.0}
_PURGE_ABOVE = 50_000


@dataclass(frozen=True)
class CacheUse:
    """Split one prompt's tokens; the four counts always sum to the prompt. `writes` are the entries to publish."""

    input_tokens: int
    write_5m_tokens: int = 0
    write_1h_tokens: int = 0
    read_tokens: int = 0
    writes: tuple[tuple[bytes, Ttl], ...] = ()
    started_at: float = 0.0

    @property
    def write_tokens(self) -> int:
        """Sum the writes of both lifetimes."""
        return self.write_5m_tokens + self.write_1h_tokens


@dataclass
class _Entry:
    ttl: Ttl
    expires_at: float


class PromptCache:
    """Remember prefixes for as long as the API would; `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._lock = threading.Lock()

    def open(self, prompt: Prompt, minimum_tokens: int) -> CacheUse:
        """Look a prompt up as its request starts; what it writes stays invisible until `publish`."""
        now = self._clock()
        markers = [
            index
            for index, position in enumerate(prompt.positions)
            if position.marker is not None and position.tokens_so_far >= minimum_tokens
        ]
        if not markers:
            return CacheUse(prompt.total_tokens, started_at=now)
        with self._lock:
            hit = self._longest_hit(prompt.positions, markers, now)
            # reading keeps alive what was read, and what earlier markers of the same prompt left on the way there
            self._refresh(prompt.positions, [*(m for m in markers if m <= hit), hit], now)
        return _split(prompt, markers, hit, now)

    def publish(self, use: CacheUse) -> None:
        """Make the entries of a request readable, because its response has begun."""
        with self._lock:
            for digest, ttl in use.writes:
                self._entries[digest] = _Entry(ttl, use.started_at + LIFETIME_S[ttl])
            if len(self._entries) > _PURGE_ABOVE:
                now = self._clock()
                self._entries = {d: e for d, e in self._entries.items() if e.expires_at > now}

    def _longest_hit(self, positions: Sequence[Position], markers: Sequence[int], now: float) -> int:
        for marker in reversed(markers):
            oldest_step = positions[marker].step - LOOK_BACK_STEPS
            for index in range(marker, -1, -1):
                # runs of calls and of results are one step: a turn with thirty tools does not use the look-back up
                if positions[index].step <= oldest_step:
                    break
                entry = self._entries.get(positions[index].digest)
                if entry is not None and entry.expires_at > now:
                    return index
        return -1

    def _refresh(self, positions: Sequence[Position], read: Sequence[int], now: float) -> None:
        for index in read:
            entry = self._entries.get(positions[index].digest) if index >= 0 else None
            if entry is not None and entry.expires_at > now:
                entry.expires_at = now + LIFETIME_S[entry.ttl]


def _split(prompt: Prompt, markers: Sequence[int], hit: int, now: float) -> CacheUse:
    """Bill the tokens: read up to the hit, one-hour writes up to their last marker, five-minute writes behind it."""
    positions = prompt.positions
    written = [index for index in markers if index > hit]
    long_lived = [index for index in written if positions[index].marker == "1h"]
    read = positions[hit].tokens_so_far if hit >= 0 else 0
    until_1h = positions[long_lived[-1]].tokens_so_far if long_lived else read
    until_last = positions[written[-1]].tokens_so_far if written else read
    return CacheUse(
        input_tokens=prompt.total_tokens - until_last,
        write_5m_tokens=until_last - until_1h,
        write_1h_tokens=until_1h - read,
        read_tokens=read,
        writes=tuple((positions[index].digest, positions[index].marker or "5m") for index in written),
        started_at=now,
    )


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
