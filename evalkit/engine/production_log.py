"""Production logs: hears the engine like a run's recorder does, and writes the same lines into a folder of logs.

Knows sessions and events; how files are written, rotated and scrubbed is `store/logs.py`. A log that can't be written
must not take the chatbot down with it: the failure is told to Python's logging and counted, and the chat goes on.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from evalkit.distribution import installed_versions
from evalkit.engine.events import Conversation, EngineEvent
from evalkit.engine.recorder import Now, SessionRecorder, utc_now
from evalkit.pricing import price_table
from evalkit.records import PromptVersion, RunHeader, Source, TrialKey, TrialStart
from evalkit.store import Hasher, LogWriter

Content = Literal["full", "hashed"]
_log = logging.getLogger("evalkit")


class ProductionLog:
    """Writes what sessions say and cost to files in a folder, one per process and day.

    With `content="hashed"` texts are replaced by keyed hashes and lengths: rates and costs can still be computed, and
    nothing can be sent again. `key` makes hashes comparable between processes; without one it is random. `lost` counts
    the lines that could not be written.
    """

    def __init__(
        self,
        folder: str | Path,
        content: Content = "full",
        *,
        key: bytes | None = None,
        now: Now = utc_now,
    ) -> None:
        if content not in ("full", "hashed"):
            raise ValueError(f"content: {content!r} is unknown; expected 'full' or 'hashed'.")
        self._folder = Path(folder)
        self._content = content
        self._hasher = Hasher(key or secrets.token_bytes(32)) if content == "hashed" else None
        self._now = now
        self._header = _header(content)  # made now: it loads the price table, and no customer should wait for that
        self._writer: LogWriter | None = None
        self.lost = 0

    def session(self, session_id: str, prompt: PromptVersion, source: Source | None = None) -> SessionLog:
        """Return what hears one session. The files' header names the source of the first session."""
        if self._writer is None:
            header = replace(self._header, source=source or self._header.source)
            self._writer = LogWriter(self._folder, header, self._now, self._hasher)
        self._writer.know_prompt(prompt)
        return SessionLog(self, self._writer, session_id, prompt)

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def guard(self, write: Callable[[], None]) -> None:
        """Write; when the disk refuses, say so and count it, because the chat must go on."""
        try:
            write()
        except OSError as exc:
            self.lost += 1
            _log.error("%s: a log line could not be written (%s); %d lost so far", self._folder, exc, self.lost)

    def now(self) -> str:
        """Return the time as the log sees it."""
        return self._now()


class SessionLog:
    """Hears one session; tell it of each turn before the turn's events."""

    def __init__(self, log: ProductionLog, writer: LogWriter, session_id: str, prompt: PromptVersion) -> None:
        self._log = log
        self._writer = writer
        self._id = session_id
        self._prompt = prompt
        self._recorder = SessionRecorder(writer, session_id, log.now)

    def turn(self, conversation: Conversation, user: str) -> None:
        """Record that a user message is sent in this conversation."""
        key = TrialKey("", self._id, self._prompt.ref, 1)
        start = TrialStart(key, self._id, self._prompt.sha, conversation.messages, self._log.now())

        def write() -> None:
            self._writer.append(start)
            self._recorder.turn(conversation.turns + 1, user)

        self._log.guard(write)

    def take(self, event: EngineEvent, turn: int) -> None:
        """Record what an event says, if it says something for the record."""
        self._log.guard(lambda: self._recorder.take(event, turn))

    def end(self) -> None:
        """Record that the session is over; what is remembered of it is let go."""
        self._log.guard(self._recorder.end)


def _header(content: Content) -> RunHeader:
    return RunHeader(
        run_id="",
        started="",
        source=Source("live"),
        settings={"log": True, "content": content},
        versions=installed_versions(),
        prices=price_table(),
    )
