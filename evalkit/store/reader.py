"""Reads `run.jsonl` in a streaming way: the run's own lines at once, its trials one after another.

Memory grows with the trials that were open at the same time, not with their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from evalkit.errors import NoVerdict, UsageError
from evalkit.records import (
    SCHEMA_VERSION,
    BaselineRecord,
    CaseRecord,
    Judgement,
    JudgementLine,
    PromptVersion,
    Request,
    RequestLine,
    RunEnd,
    RunHeader,
    RunLine,
    ScoreLine,
    SimulatedLine,
    SimulatedMessage,
    SuiteRecord,
    ToolCall,
    ToolLine,
    Transcript,
    Trial,
    TrialEnd,
    TrialScore,
    TrialStart,
    Turn,
    TurnStart,
)
from evalkit.records.codec import from_json
from evalkit.store.bodies import SessionBodies
from evalkit.store.folders import RUN_FILE

_SESSION_LINES = tuple(
    b'{"line":"%s"' % kind
    for kind in (b"session", b"turn", b"request", b"tool", b"simulated", b"judgement", b"session_end", b"score")
)
_JUDGE_TEST = b'{"line":"judgement","session_id":""'
"""How a judge's answer begins that belongs to no session."""


@dataclass
class OpenSession:
    """The lines of one session read so far."""

    start: TrialStart
    turns: dict[int, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    calls: dict[int, list[ToolCall]] = field(default_factory=dict)
    simulated: list[SimulatedMessage] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    end: TrialEnd | None = None
    score: TrialScore | None = None
    bodies: SessionBodies | None = None

    def trial(self, system_text: str) -> Trial:
        """Return the trial that the lines tell of."""
        turns = tuple(
            Turn(
                n=number,
                user=user,
                requests=tuple(request for request in self.requests if request.turn == number),
                tool_calls=tuple(self.calls.get(number, ())),
            )
            for number, user in sorted(self.turns.items())
        )
        transcript = Transcript(
            self.start.session_id,
            self.start.prompt_sha,
            turns,
            tuple(self.start.history),
            system_text,
            tuple(self.simulated),
            tuple(self.judgements),
        )
        return Trial(self.start.key, transcript, self.score, self.end.crash if self.end else None)


class RunReader:
    """A run folder as values, or another file with the lines of one. UsageError when it holds no run or a newer one."""

    def __init__(self, folder: Path, file: str = RUN_FILE) -> None:
        self.folder = folder
        self._file = folder / file
        self.suites: list[SuiteRecord] = []
        self.baselines: list[BaselineRecord] = []
        self.prompts: dict[str, PromptVersion] = {}
        self.cases: list[CaseRecord] = []
        self.judge_tests: list[Judgement] = []
        self.end: RunEnd | None = None
        header: RunHeader | None = None
        for number, raw in self._lines():
            if _is_of_session(raw):
                continue
            match self._parse(raw, number):
                case RunHeader() as line:
                    header = line
                case SuiteRecord() as line:
                    self.suites.append(line)
                case BaselineRecord() as line:
                    self.baselines.append(line)
                case PromptVersion() as line:
                    self.prompts[line.sha] = line
                case CaseRecord() as line:
                    self.cases.append(line)
                case JudgementLine() as line:
                    self.judge_tests.append(line.judgement)
                case RunEnd() as line:
                    self.end = line
                case _:
                    pass
        if header is None:
            msg = f"{self._file}: no run in this file; expected a first line with the run's header."
            raise UsageError(msg)
        self.header = header

    def trials(self) -> Iterator[Trial]:
        """Yield every finished trial, graded or not, in the order in which they ended."""
        for session in self._sessions():
            if session.end is not None:
                yield self._trial(session)

    def open_sessions(self) -> dict[str, OpenSession]:
        """Return the sessions that began and did not end, by session id."""
        return {session.start.session_id: session for session in self._sessions() if session.end is None}

    def _trial(self, session: OpenSession) -> Trial:
        prompt = self.prompts.get(session.start.prompt_sha)
        return session.trial(prompt.text if prompt else "")

    def _sessions(self) -> Iterator[OpenSession]:
        """Yield each session once its score is read; what never got one comes last."""
        sessions: dict[str, OpenSession] = {}
        for number, raw in self._lines():
            if not _is_of_session(raw):
                continue
            line = self._parse(raw, number, sessions)
            if isinstance(line, TrialStart):
                bodies = SessionBodies(self.prompts.get(line.prompt_sha), line.history)
                sessions[line.session_id] = OpenSession(line, bodies=bodies)
                continue
            session = sessions.get(line.session_id)  # type: ignore[union-attr]
            if session is None:
                msg = f"{self._file}:{number}: a line of session {line.session_id!r} without its start"  # type: ignore[union-attr]
                raise NoVerdict(msg)
            _take(session, line)
            if session.score is not None and session.end is not None:
                yield sessions.pop(session.start.session_id)
        yield from sessions.values()

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with self._file.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if raw.endswith(b"\n"):  # a torn last line never happened
                    yield number, raw

    def _parse(self, raw: bytes, number: int, sessions: dict[str, OpenSession] | None = None) -> RunLine:
        try:
            obj: dict[str, Any] = orjson.loads(raw)
            refuse_newer(obj)
            if obj.get("line") == "request" and sessions is not None:
                return _request_line(obj, sessions)
            return from_json(obj)
        except UsageError as exc:
            msg = f"{self._file}: {exc}"
            raise UsageError(msg) from exc
        except (ValueError, KeyError, TypeError) as exc:
            msg = f"{self._file}:{number}: this line is damaged ({str(exc).splitlines()[0]}); restore the file."
            raise NoVerdict(msg) from exc


def _is_of_session(raw: bytes) -> bool:
    return raw.startswith(_SESSION_LINES) and not raw.startswith(_JUDGE_TEST)


def _request_line(obj: dict[str, Any], sessions: dict[str, OpenSession]) -> RequestLine:
    packed = obj["request"]["body"]
    line = from_json(obj)
    assert isinstance(line, RequestLine)  # noqa: S101 - the kind was looked at by the caller
    session = sessions.get(line.session_id)
    if session is None or session.bodies is None or not isinstance(packed.get("messages"), dict):
        return line
    return replace(line, request=replace(line.request, body=session.bodies.unpack(packed, line.request)))


def _take(session: OpenSession, line: RunLine) -> None:
    match line:
        case TurnStart():
            session.turns[line.turn] = line.user
        case RequestLine():
            session.requests.append(line.request)
        case ToolLine():
            session.calls.setdefault(line.turn, []).append(line.call)
        case SimulatedLine():
            session.simulated.append(line.message)
        case JudgementLine():
            session.judgements.append(line.judgement)
        case TrialEnd():
            session.end = line
        case ScoreLine():
            session.score = line.score
        case _:
            pass


def refuse_newer(obj: dict[str, Any]) -> None:
    version = obj.get("schema_version", SCHEMA_VERSION)
    if version > SCHEMA_VERSION:
        msg = f"written with record version {version}, this evalkit reads up to {SCHEMA_VERSION}; update evalkit."
        raise UsageError(msg)
