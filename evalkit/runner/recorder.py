"""Records a trial: a session of a run, begun here or taken up again after the run was cut off."""

from __future__ import annotations

from evalkit.engine.recorder import Now
from evalkit.engine.recorder import SessionRecorder as EngineRecorder
from evalkit.records import Judgement, JudgementLine, RequestLine, SimulatedLine, SimulatedMessage, TrialStart
from evalkit.store import OpenSession, RunWriter

__all__ = ["Now", "SessionRecorder"]


class SessionRecorder(EngineRecorder):
    """The lines of one trial; `stored` holds those that an interrupted run has written already."""

    def __init__(self, writer: RunWriter, start: TrialStart, now: Now, stored: OpenSession | None = None) -> None:
        self._run = writer
        self._session_id = start.session_id
        self._time = now
        if stored is None:
            super().__init__(writer, start.session_id, now)
            writer.append(start)
            return
        super().__init__(
            writer,
            start.session_id,
            now,
            turns=set(stored.turns),
            requests={request.n for request in stored.requests},
            calls={call.id for calls in stored.calls.values() for call in calls},
        )
        writer.open_session(start, tuple(RequestLine(start.session_id, request) for request in stored.requests))

    def simulated(self, message: SimulatedMessage) -> None:
        """Record what the model that plays the user says."""
        self._run.append(SimulatedLine(self._session_id, message, self._time()))

    def judgement(self, judgement: Judgement) -> None:
        """Record what a judge answered."""
        self._run.append(JudgementLine(self._session_id, judgement, self._time()))
