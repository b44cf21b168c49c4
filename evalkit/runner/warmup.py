"""Cold caches: one request per distinct prompt prefix goes first, the others wait until its reply begins.

A prefix can be read from the cache only once the first reply that writes it has begun; identical requests sent side by
side all pay for writing it. Source: platform.claude.com, prompt caching, read 2026-09-26.
"""

from __future__ import annotations

import asyncio


class WarmUp:
    """Lets the first session of a prefix through and holds the others back."""

    def __init__(self) -> None:
        self._warm: dict[str, asyncio.Event] = {}
        self._leader: dict[str, str] = {}

    async def wait(self, prefix: str, session_id: str) -> None:
        """Return at once for the first session of a prefix, for the others when the prefix is warm."""
        if prefix not in self._warm:
            self._warm[prefix] = asyncio.Event()
            self._leader[prefix] = session_id
            return
        await self._warm[prefix].wait()

    def began(self, prefix: str) -> None:
        """Say that a reply with this prefix began."""
        self._warm[prefix].set()

    def over(self, prefix: str, session_id: str) -> None:
        """Say that a session is over: the others must not wait for a leader that never got a reply."""
        if self._leader.get(prefix) == session_id:
            self._warm[prefix].set()
