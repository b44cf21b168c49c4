"""Reads records: a run's own lines at once and its trials one after another, or one session out of a run or of logs.

A run is read in a streaming way: memory grows with the trials that were open at the same time, not with their number.
In logs a session may be spread over files (days, processes, rotation); each piece can be read alone, and the pieces
are joined by turn and request numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from evalkit.content import UserContent
from evalkit.errors import NoVerdict, UsageError
from evalkit.records import (
    BaselineRecord,
    BlobLine,
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
    TurnStart,
)
from evalkit.store.blobs import REFERENCE, blobs_named
from evalkit.store.files import (
    RUN_FILE,
    SessionBodies,
    decode_line,
    find_record,
    parse_line,
    raw_lines,
    read_lines,
    record_files,
    turns_of,
)

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
    turns: dict[int, UserContent] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    calls: list[tuple[int, ToolCall]] = field(default_factory=list)
    simulated: list[SimulatedMessage] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    end: TrialEnd | None = None
    score: TrialScore | None = None
    bodies: SessionBodies | None = None

    def take(self, line: RunLine) -> None:
        """Take up one more line."""
        match line:
            case TurnStart():
                self.turns[line.turn] = line.content or line.user
            case RequestLine():
                self.requests.append(line.request)
            case ToolLine():
                self.calls.append((line.turn, line.call))
            case SimulatedLine():
                self.simulated.append(line.message)
            case JudgementLine():
                self.judgements.append(line.judgement)
            case TrialEnd():
                self.end = line
            case ScoreLine():
                self.score = line.score

    def trial(self, prompt: PromptVersion | None) -> Trial:
        """Return the trial that the lines tell of, held with this prompt version."""
        transcript = Transcript(
            self.start.session_id,
            self.start.prompt_sha,
            turns_of(self.turns, self.requests, self.calls),
            tuple(self.start.history),
            prompt.text if prompt else "",
            tuple(self.simulated),
            tuple(self.judgements),
            prompt.inputs if prompt else {},
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
        self.blobs: dict[str, str] = {}
        self.cases: list[CaseRecord] = []
        self.judge_tests: list[Judgement] = []
        self.end: RunEnd | None = None
        header: RunHeader | None = None
        for number, raw in raw_lines(self._file):
            if _is_of_session(raw):
                continue
            match parse_line(self._file, number, decode_line(self._file, number, raw)):
                case RunHeader() as line:
                    header = line
                case SuiteRecord() as line:
                    self.suites.append(line)
                case BaselineRecord() as line:
                    self.baselines.append(line)
                case PromptVersion() as line:
                    self.prompts[line.sha] = line
                case BlobLine() as line:
                    self.blobs[line.sha] = line.data
                case CaseRecord() as line:
                    self.cases.append(line)
                case JudgementLine() as line:
                    self.judge_tests.append(line.judgement)
                case RunEnd() as line:
                    self.end = line
        if header is None:
            raise UsageError(f"{self._file}: no run in this file; expected a first line with the run's header.")
        self.header = header

    def version_of(self, suite: SuiteRecord) -> PromptVersion | None:
        """Return one of the prompt versions a suite was played with: they differ in their inputs only."""
        return next((one for one in self.prompts.values() if one.template_sha == suite.template_sha), None)

    def trials(self) -> Iterator[Trial]:
        """Yield every finished trial, graded or not, in the order in which they ended."""
        for session in self._sessions():
            if session.end is not None:
                prompt = self.prompts.get(session.start.prompt_sha)
                yield session.trial(prompt)

    def open_sessions(self) -> dict[str, OpenSession]:
        """Return the sessions that began and did not end, by session id."""
        return {session.start.session_id: session for session in self._sessions() if session.end is None}

    def _sessions(self) -> Iterator[OpenSession]:
        """Yield each session once its score is read; what never got one comes last."""
        sessions: dict[str, OpenSession] = {}
        for number, raw in raw_lines(self._file):
            if not _is_of_session(raw):
                continue
            obj = decode_line(self._file, number, raw)
            session = sessions.get(obj.get("session_id", ""))
            blobs = self.blobs if REFERENCE in raw else None
            line = parse_line(self._file, number, obj, session.bodies if session else None, blobs)
            if isinstance(line, TrialStart):
                bodies = SessionBodies(self.prompts.get(line.prompt_sha), line.history)
                sessions[line.session_id] = OpenSession(line, bodies=bodies)
                continue
            if session is None:
                session_id = obj.get("session_id")
                raise NoVerdict(f"{self._file}:{number}: a line of session {session_id!r} without its start")
            session.take(line)
            if session.score is not None and session.end is not None:
                yield sessions.pop(session.start.session_id)
        yield from sessions.values()


def _is_of_session(raw: bytes) -> bool:
    return raw.startswith(_SESSION_LINES) and not raw.startswith(_JUDGE_TEST)


_OF_RUN = ("run", "prompt", "run_end")
_OF_SUITE = ("suite", "case", "baseline")


def copy_sessions(folder: Path, suite: str) -> Iterator[bytes]:
    """Yield the lines of a run that concern one suite, byte for byte, in their order; together they are a run."""
    sessions: set[str] = set()
    blobs: dict[str, bytes] = {}  # not copied yet: what no session of the suite shows is left out
    for _, raw in raw_lines(folder / RUN_FILE):
        obj = orjson.loads(raw)
        kind = obj["line"]
        if kind == "blob":
            blobs[obj["sha"]] = raw
            continue
        if kind == "session" and obj["key"]["suite"] == suite:
            sessions.add(obj["session_id"])
        of_suite = kind in _OF_SUITE and obj.get("path", obj.get("suite")) == suite
        if kind in _OF_RUN or of_suite or obj.get("session_id") in sessions:
            yield from (blobs.pop(sha) for sha in blobs_named(obj) if sha in blobs)
            yield raw


@dataclass(frozen=True)
class StoredSession:
    """One conversation out of a record.

    `prompts` holds the prompt versions it was held with, the last one last; `hashed` tells that its texts are not kept.
    """

    transcript: Transcript
    prompts: tuple[PromptVersion, ...]
    hashed: bool = False


@dataclass
class _Pieces:
    """What the files have told of the wanted session so far."""

    session_id: str
    history: tuple[Any, ...] | None = None
    prompts: dict[str, PromptVersion] = field(default_factory=dict)
    turns: dict[int, UserContent] = field(default_factory=dict)
    requests: dict[int, Request] = field(default_factory=dict)
    calls: dict[tuple[int, str], tuple[int, ToolCall]] = field(default_factory=dict)
    hashed: bool = False


def read_session(name: str, root: Path) -> StoredSession:
    """Return the session that `RECORD#SESSION` names; UsageError when there is none.

    SESSION is its id or, when no session has it, a part of the id that only one has.
    """
    record, _, wanted = name.partition("#")
    if not wanted:
        raise UsageError(f"{name}: no session named; expected RECORD#SESSION, such as logs#customer-42.")
    files = record_files(find_record(record, root))
    session_id = _resolve(wanted, files, record)
    pieces = _Pieces(session_id)
    for file in files:
        _take_up(file, pieces)
    prompts = tuple(pieces.prompts.values())
    last = prompts[-1] if prompts else None
    requests = [pieces.requests[n] for n in sorted(pieces.requests)]
    transcript = Transcript(
        session_id,
        last.sha if last else "",
        turns_of(pieces.turns, requests, list(pieces.calls.values())),
        pieces.history or (),
        last.text if last else "",
        inputs=last.inputs if last else {},
    )
    return StoredSession(transcript, prompts, pieces.hashed)


def _resolve(wanted: str, files: tuple[Path, ...], record: str) -> str:
    ids: dict[str, None] = {}
    for file in files:
        for _, obj in read_lines(file):
            if obj.get("line") == "session":
                ids[str(obj["session_id"])] = None
    if wanted in ids:
        return wanted
    matching = [each for each in ids if wanted in each]
    if len(matching) == 1:
        return matching[0]
    shown = ", ".join(list(matching or ids)[:5]) or "none"
    what = f"{len(matching)} sessions have {wanted!r} in their name" if matching else f"no session {wanted!r}"
    raise UsageError(f"{record}: {what}; expected one of {shown}{', …' if len(matching or ids) > 5 else ''}.")


def _take_up(file: Path, pieces: _Pieces) -> None:
    """Take up what one file tells of the session."""
    prompts: dict[str, PromptVersion] = {}
    blobs: dict[str, str] = {}
    bodies: SessionBodies | None = None
    for number, obj in read_lines(file):
        kind = obj.get("line")
        if kind not in {"run", "prompt", "blob"} and obj.get("session_id") != pieces.session_id:
            continue
        match parse_line(file, number, obj, bodies, blobs):
            case BlobLine() as line:
                blobs[line.sha] = line.data
            case RunHeader() as line:
                pieces.hashed = pieces.hashed or line.settings.get("content") == "hashed"
            case PromptVersion() as line:
                prompts[line.sha] = line
            case TrialStart() as line:
                bodies = SessionBodies(prompts.get(line.prompt_sha), line.history)
                if pieces.history is None or len(line.history) < len(pieces.history):
                    pieces.history = line.history  # the piece that began earliest has the others' history as turns
                if line.prompt_sha in prompts:
                    pieces.prompts.pop(line.prompt_sha, None)
                    pieces.prompts[line.prompt_sha] = prompts[line.prompt_sha]
            case TurnStart() as line:
                pieces.turns[line.turn] = line.content or line.user
            case RequestLine() as line:
                pieces.requests[line.request.n] = line.request
            case ToolLine() as line:
                pieces.calls[line.call.request_n, line.call.id] = (line.turn, line.call)
