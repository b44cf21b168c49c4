"""The prompt cache itself: which prefixes are kept, until when, and how a prompt splits into read, written and new.

Works on positions only; knows nothing of requests, models or HTTP. The rules are those of Anthropic's prompt
caching page (platform.claude.com, read November 2026): writes happen at markers, reads look back 20 steps from a
marker, lifetimes count from the start of the request, and an entry can be read once the response that wrote it has
begun.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalkit.standin.cache.prompt import Position, Prompt, Ttl

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
