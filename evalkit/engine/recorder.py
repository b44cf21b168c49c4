"""Turns what the engine tells about a session into the lines of a record; runs and production logs share it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Protocol

from evalkit.engine.events import EngineEvent, RequestFinished, ToolFinished
from evalkit.records import RequestLine, ToolLine, TrialEnd, TrialStart, TurnStart

Now = Callable[[], str]
"""The time as RFC 3339 UTC."""


def utc_now() -> str:
    """Return the time as RFC 3339 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class LineWriter(Protocol):
    """Where lines go: a run's file, or the logs."""

    def append(self, line: TrialStart | TurnStart | RequestLine | ToolLine | TrialEnd) -> None:
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

    def turn(self, number: int, user: str) -> None:
        """Record that a user message is sent."""
        if number not in self._turns:
            self._writer.append(TurnStart(self._id, number, user, self._now()))

    def take(self, event: EngineEvent, turn: int) -> None:
        """Record what an event says, if it says something for the record."""
        if isinstance(event, RequestFinished) and event.request.n not in self._requests:
            self._writer.append(RequestLine(self._id, event.request, self._now()))
        elif isinstance(event, ToolFinished) and event.call.id not in self._calls:
            self._writer.append(ToolLine(self._id, turn, event.call))

    def end(self, crash: str | None = None) -> None:
        """Record that the session is over."""
        self._writer.append(TrialEnd(self._id, crash))
