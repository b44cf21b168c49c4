"""Appends lines to `run.jsonl`: whole, scrubbed, in the kernel's hands before anybody sees what they tell."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from evalkit.errors import UsageError
from evalkit.records import (
    JudgementLine,
    PromptVersion,
    RequestLine,
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
from evalkit.store.folders import RUN_FILE
from evalkit.store.lines import SessionBodies, plain, shallow
from evalkit.store.redaction import Scrubber


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
            case _:
                pass
        data = self._scrub(orjson.dumps(obj, default=plain)) + b"\n"
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

    def close(self) -> None:
        """Release the folder."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
        yield TurnStart(session_id, turn.n, turn.user)
        for request in turn.requests:
            yield RequestLine(session_id, request)
            yield from (ToolLine(session_id, turn.n, call) for call in turn.tool_calls if call.request_n == request.n)
    yield from (JudgementLine(session_id, judgement) for judgement in transcript.judgements)
