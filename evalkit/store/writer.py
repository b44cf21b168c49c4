"""Appends lines to runs and to production logs: whole, scrubbed, with the kernel before anybody sees what they tell.

A run is one file with one writer. Of logs there is one file per process and day, so that processes sharing a folder
never mix their lines, and each can be moved away at any time. It can be read alone: it begins with a header, and holds
the prompt and the start of every session it tells of. When logrotate moves or cuts the file, the next line opens a
fresh one and says again what its session needs. Knows files and lines; who hears the engine is `engine/recorder.py`.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import orjson

from evalkit.errors import UsageError
from evalkit.records import (
    JudgementLine,
    PromptVersion,
    RequestLine,
    RunHeader,
    RunLine,
    SimulatedLine,
    ToolLine,
    Transcript,
    TrialEnd,
    TrialKey,
    TrialStart,
    TurnStart,
)
from evalkit.records.run import to_json
from evalkit.store.blobs import Blobs, data_length, holds_base64
from evalkit.store.files import RUN_FILE, SessionBodies, plain, shallow
from evalkit.store.redaction import Hasher
from evalkit.store.scrubbing import Scrubber


class RunWriter:
    """The one writer of a run folder; a second one for the same folder is refused.

    Opening an existing file drops a torn last line (a crash in the middle of a write), so that appending is safe.
    """

    def __init__(self, folder: Path, scrub: Scrubber | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._scrub = scrub or Scrubber()
        self._prompts: dict[str, PromptVersion] = {}
        self._sessions: dict[str, SessionBodies] = {}
        self._blobs = Blobs()
        self._file = os.open(folder / RUN_FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._file)
            msg = f"{folder}: another evalkit is writing this run; wait for it or choose another folder with --out."
            raise UsageError(msg) from exc
        _drop_torn_line(self._file)

    def append(self, line: RunLine) -> None:
        """Write one line."""
        obj = to_json(line)
        match line:
            case PromptVersion():
                self._prompts[line.sha] = line
            case TrialStart():
                self.open_session(line)
            case RequestLine():
                obj["request"] = shallow(line.request)
                if line.session_id in self._sessions:
                    obj["request"]["body"] = self._sessions[line.session_id].pack(line.request)
            case TrialEnd():
                self._sessions.pop(line.session_id, None)
        data = b"".join(_encoded(each, self._scrub) for each in self._blobs.pack(obj))
        while data:  # a signal may cut a write short
            data = data[os.write(self._file, data) :]

    def open_session(self, start: TrialStart, requests: tuple[RequestLine, ...] = ()) -> None:
        """Take up a session that has lines already, so that later bodies can refer to them."""
        bodies = SessionBodies(self._prompts.get(start.prompt_sha), start.history)
        for line in requests:
            bodies.pack(line.request)
        self._sessions[start.session_id] = bodies

    def know_prompt(self, prompt: PromptVersion) -> None:
        """Take a prompt's line as written already."""
        self._prompts[prompt.sha] = prompt

    def know_blobs(self, shas: Iterable[str]) -> None:
        """Take the lines of pictures and documents as written already."""
        self._blobs.know(shas)

    def close(self) -> None:
        """Release the folder."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _encoded(line: dict[str, Any], scrub: Scrubber) -> bytes:
    """Return a line as it is written, without secrets."""
    data = orjson.dumps(line, default=plain)
    return (data if holds_base64(line) else scrub(data)) + b"\n"


def _drop_torn_line(file: int) -> None:
    """Cut the file after its last complete line."""
    end = size = os.fstat(file).st_size
    block = 65536
    while end > 0:
        start = max(0, end - block)
        at = os.pread(file, end - start, start).rfind(b"\n")
        if at >= 0:
            end = start + at + 1
            break
        end = start
    if end != size:
        os.ftruncate(file, end)


def trial_lines(key: TrialKey, session_id: str, transcript: Transcript, ts: str = "") -> Iterator[RunLine]:
    """Yield the lines of a trial up to its end and its score, in the order in which a run writes them."""
    yield TrialStart(key, session_id, transcript.prompt_sha, transcript.history, ts)
    yield from (SimulatedLine(session_id, message) for message in transcript.simulated)
    for turn in transcript.turns:
        yield TurnStart(session_id, turn.n, turn.user, content=turn.content)
        for request in turn.requests:
            yield RequestLine(session_id, request)
            yield from (ToolLine(session_id, turn.n, call) for call in turn.tool_calls if call.request_n == request.n)
    yield from (JudgementLine(session_id, judgement) for judgement in transcript.judgements)


SessionLine = TurnStart | RequestLine | ToolLine | TrialEnd
_Line = TypeVar("_Line", bound=RunLine)

SESSIONS_KEPT = 5_000
DATA_KEPT = 256_000_000
"""Sessions whose messages are remembered, so that their next request is written without them, and characters of
pictures and documents in them; an older session that goes on is started again with its messages as history."""


@dataclass
class _Session:
    """What the current file knows of a session, and what a fresh file would have to be told."""

    start: TrialStart
    prompt: PromptVersion
    bodies: SessionBodies
    turn: TurnStart | None = None
    written: bool = False
    data: int = 0


class LogWriter:
    """Writes the lines of many sessions; usable from several threads. OSError when the disk refuses.

    Each file begins with `header`, with the file's name as run id and the time of its first line.
    """

    def __init__(
        self,
        folder: Path,
        header: RunHeader,
        now: Callable[[], str],
        hasher: Hasher | None = None,
        scrub: Scrubber | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._header = header
        self._now = now
        self._hasher = hasher
        self._scrub = scrub or Scrubber()
        self._lock = threading.Lock()
        self._written_prompts: OrderedDict[str, None] = OrderedDict()
        self._blobs = Blobs()
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._data = 0
        self._file: int | None = None
        self._path = Path()
        self._identity = (0, 0)
        self._size = 0
        self._pid = 0
        self._tag = ""

    def begin(self, start: TrialStart, prompt: PromptVersion) -> None:
        """Begin a session, or go on with it: its next requests are made with this prompt version.

        Both are written with the first line that follows, and the prompt once in each file.
        """
        with self._lock:
            known = self._sessions.get(start.session_id)
            if known is None or known.prompt.sha != prompt.sha:
                self._data -= known.data if known else 0
                start, prompt = self._without_texts(start), self._without_texts(prompt)
                self._sessions[start.session_id] = _Session(start, prompt, SessionBodies(prompt, start.history))
            # A session that is known with this prompt goes on: its requests say what is new.
            self._sessions.move_to_end(start.session_id)
            while len(self._sessions) > SESSIONS_KEPT or (self._data > DATA_KEPT and len(self._sessions) > 1):
                self._data -= self._sessions.popitem(last=False)[1].data

    def append(self, line: SessionLine) -> None:
        """Write one line of a session, and before it whatever its file still lacks."""
        line = self._without_texts(line)
        with self._lock:
            self._open()
            self._write(self._lines(line))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._leave()

    def _without_texts(self, line: _Line) -> _Line:
        return self._hasher(line) if self._hasher else line

    def _lines(self, line: SessionLine) -> list[dict[str, Any]]:
        """Return what to write for one line of a session: what the file lacks, then the line itself."""
        obj = to_json(line)
        session = self._sessions.get(line.session_id)
        if session is None:
            return [obj]
        self._sessions.move_to_end(line.session_id)
        before = [] if session.written else self._introduction(session, line)
        session.written = True
        match line:
            case TurnStart():
                session.turn = line
            case RequestLine():
                obj["request"] = {**shallow(line.request), "body": session.bodies.pack(line.request)}
                self._data -= session.data
                session.data = data_length(session.bodies.known)
                self._data += session.data
            case TrialEnd():
                self._data -= self._sessions.pop(line.session_id).data
        return [*before, obj]

    def _introduction(self, session: _Session, line: SessionLine) -> list[dict[str, Any]]:
        start = replace(session.start, history=tuple(session.bodies.known))
        session.bodies.begin_file()
        lines: list[dict[str, Any]] = []
        if session.prompt.sha not in self._written_prompts:
            self._written_prompts[session.prompt.sha] = None
            if len(self._written_prompts) > SESSIONS_KEPT:  # one that comes again is written again
                self._written_prompts.popitem(last=False)
            lines.append(to_json(session.prompt))
        lines.append(to_json(start))
        if session.turn is not None and not isinstance(line, TurnStart):
            lines.append(to_json(session.turn))
        return lines

    def _open(self) -> None:
        """Make sure that the open file is the one at its path, of today and of this process; else open a fresh one."""
        if self._pid != os.getpid():  # a fork shares neither the file nor its name with its parent
            self._pid, self._tag = os.getpid(), f"{os.getpid()}-{secrets.token_hex(3)}"
        now = self._now()
        path = self._folder / f"{now[:10]}-{self._tag}.jsonl"
        if self._file is not None and path == self._path and self._is_untouched():
            return
        self._leave()
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        stat = os.fstat(self._file)
        self._identity, self._size = (stat.st_dev, stat.st_ino), stat.st_size
        self._write([to_json(replace(self._header, run_id=path.stem, started=now))])

    def _is_untouched(self) -> bool:
        """Tell whether the path still names the open file and nobody has cut it."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return False
        return (stat.st_dev, stat.st_ino) == self._identity and stat.st_size >= self._size

    def _leave(self) -> None:
        """Close the file; what comes next starts from nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._written_prompts.clear()
        self._blobs = Blobs()
        for session in self._sessions.values():
            session.written = False

    def _write(self, lines: list[dict[str, Any]]) -> None:
        data = b"".join(_encoded(each, self._scrub) for line in lines for each in self._blobs.pack(line))
        try:
            while data:
                assert self._file is not None  # noqa: S101 - opened by append
                count = os.write(self._file, data)
                self._size += count
                data = data[count:]
        except OSError:
            self._leave()  # half a line may stand there now: nothing may be written behind it
            self._tag = f"{os.getpid()}-{secrets.token_hex(3)}"
            raise
