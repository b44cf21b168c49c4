"""Turns what the engine tells about a session into the lines of a record: those of a run, or of a production log.

Knows sessions and events; how files are written, rotated and scrubbed is the store's business.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from evalkit.content import UserContent, kept_of
from evalkit.distribution import installed_versions
from evalkit.engine.events import Conversation, EngineEvent, RequestFinished, ToolFinished
from evalkit.pricing import price_table
from evalkit.records import (
    PromptVersion,
    RequestLine,
    RunHeader,
    Source,
    ToolLine,
    TrialEnd,
    TrialKey,
    TrialStart,
    TurnStart,
)
from evalkit.store import Hasher, LogWriter

Now = Callable[[], str]
"""The time as RFC 3339 UTC."""


def utc_now() -> str:
    """Return the time as RFC 3339 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class LineWriter(Protocol):
    """Where lines go: a run's file, or the logs."""

    def append(self, line: TurnStart | RequestLine | ToolLine | TrialEnd) -> None:
        """Write one line."""
        ...


class SessionRecorder:
    """Writes each line of a session once; the sets name what an earlier life of the session has written already."""

    def __init__(
        self,
        writer: LineWriter,
        session_id: str,
        now: Now,
        *,
        turns: Collection[int] = (),
        requests: Collection[int] = (),
        calls: Collection[str] = (),
    ) -> None:
        self._writer = writer
        self._id = session_id
        self._now = now
        self._turns = turns
        self._requests = requests
        self._calls = calls

    def turn(self, number: int, user: UserContent) -> None:
        """Record that a user message is sent."""
        if number not in self._turns:
            text, content = kept_of(user)
            self._writer.append(TurnStart(self._id, number, text, self._now(), content))

    def take(self, event: EngineEvent, turn: int) -> None:
        """Record what an event says, if it says something for the record."""
        if isinstance(event, RequestFinished) and event.request.n not in self._requests:
            self._writer.append(RequestLine(self._id, event.request, self._now()))
        elif isinstance(event, ToolFinished) and event.call.id not in self._calls:
            self._writer.append(ToolLine(self._id, turn, event.call))

    def end(self, crash: str | None = None) -> None:
        """Record that the session is over."""
        self._writer.append(TrialEnd(self._id, crash))


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
        self._hasher = Hasher(key or secrets.token_bytes(32)) if content == "hashed" else None
        self.now = now
        # Made now: it loads the price table, and no customer should wait for that.
        self._header = RunHeader(
            run_id="",
            started="",
            source=Source("live"),
            settings={"log": True, "content": content},
            versions=installed_versions(),
            prices=price_table(),
        )
        self._writer: LogWriter | None = None
        self.lost = 0

    def session(self, session_id: str, prompt: PromptVersion, source: Source | None = None) -> SessionLog:
        """Return what hears one session. The files' header names the source of the first session."""
        if self._writer is None:
            header = replace(self._header, source=source or self._header.source)
            self._writer = LogWriter(self._folder, header, self.now, self._hasher)
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


class SessionLog:
    """Hears one session; tell it of each turn before the turn's events."""

    def __init__(self, log: ProductionLog, writer: LogWriter, session_id: str, prompt: PromptVersion) -> None:
        self._log = log
        self._writer = writer
        self._id = session_id
        self._prompt = prompt
        self._recorder = SessionRecorder(writer, session_id, log.now)

    def turn(self, conversation: Conversation, user: UserContent) -> None:
        """Record that a user message is sent in this conversation."""
        key = TrialKey("", self._id, self._prompt.ref, 1)
        start = TrialStart(key, self._id, self._prompt.sha, conversation.messages, self._log.now())

        def write() -> None:
            self._writer.begin(start, self._prompt)
            self._recorder.turn(conversation.turns + 1, user)

        self._log.guard(write)

    def take(self, event: EngineEvent, turn: int) -> None:
        """Record what an event says, if it says something for the record."""
        self._log.guard(lambda: self._recorder.take(event, turn))

    def end(self) -> None:
        """Record that the session is over; what is remembered of it is let go."""
        self._log.guard(self._recorder.end)
