"""Writes what the engine tells about a session, each line once, also when the session is taken up again."""

from __future__ import annotations

from collections.abc import Callable

from evalkit.engine import EngineEvent, RequestFinished, ToolFinished
from evalkit.records import RequestLine, ToolLine, TrialEnd, TrialStart, TurnStart
from evalkit.store import OpenSession, RunWriter

Now = Callable[[], str]
"""The time as RFC 3339 UTC."""


class SessionRecorder:
    """The lines of one session; `stored` holds those that an interrupted run has written already."""

    def __init__(self, writer: RunWriter, start: TrialStart, now: Now, stored: OpenSession | None = None) -> None:
        self._writer = writer
        self._id = start.session_id
        self._now = now
        self._turns = set(stored.turns) if stored else set()
        self._requests = {request.n for request in stored.requests} if stored else set()
        self._calls = {call.id for calls in stored.calls.values() for call in calls} if stored else set()
        if stored is None:
            writer.append(start)
        else:
            writer.open_session(start, tuple(RequestLine(self._id, request) for request in stored.requests))

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
