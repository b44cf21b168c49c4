"""What a chat leaves behind: its record below reports/chat/, and which of two replies a person liked better.

The record has the lines of a run, written before anything is shown. A stretch of the conversation that goes on without
going back is one session; taking something back, asking again or changing the prompt begins another, whose history is
what stood before it. The folder is made with the first message.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from evalkit.distribution import installed_versions
from evalkit.engine import EngineEvent, TurnFinished
from evalkit.engine.recorder import SessionRecorder, utc_now
from evalkit.graders import Requirement
from evalkit.records import (
    SCHEMA_VERSION,
    JsonObject,
    PromptVersion,
    RunEnd,
    RunHeader,
    ScoreLine,
    Source,
    Transcript,
    TrialKey,
    TrialStart,
    Turn,
)
from evalkit.scoring import score_trial
from evalkit.store import RUN_FILE, RunReader, RunWriter, new_run_id
from evalkit.store.scrubbing import Scrubber

FOLDER = "reports/chat"
LABELS = f"{FOLDER}/labels.jsonl"
CASE = "chat"
OTHER_SIDE = "vs"
"""Case ids in the record: of the chat itself, and of the second version that is talked to."""


class ChatRecord:
    """Writes one chat; `folder` is None until something was said, unless an earlier chat is continued.

    `prices` names the price table that costs are computed with.
    """

    def __init__(
        self, root: Path, source: Source, command: tuple[str, ...], prices: str, folder: Path | None = None
    ) -> None:
        self._root = root
        self._source = source
        self._command = command
        self._prices = prices
        self._began = datetime.now(UTC)
        self._writer: RunWriter | None = None
        self._written: set[str] = set()
        self._numbers: dict[str, int] = {}
        self.folder = folder

    @property
    def name(self) -> str:
        """The folder as people write it, relative to the project; empty when nothing was written."""
        if self.folder is None:
            return ""
        inside = self.folder.is_relative_to(self._root)
        return self.folder.relative_to(self._root).as_posix() if inside else str(self.folder)

    def begin(
        self, prompt: PromptVersion, history: Sequence[JsonObject], rules: Sequence[Requirement], case_id: str = CASE
    ) -> SessionRecord:
        """Begin a session and return what hears it."""
        writer = self._writer = self._writer or self._open()
        if prompt.sha not in self._written:
            self._written.add(prompt.sha)
            writer.append(prompt)
        number = self._numbers[case_id] = self._numbers.get(case_id, 0) + 1
        session_id = str(number) if case_id == CASE else f"{case_id}-{number}"
        start = TrialStart(TrialKey("", case_id, prompt.ref, number), session_id, prompt.sha, tuple(history), utc_now())
        writer.append(start)
        return SessionRecord(writer, start, rules, prompt)

    def close(self) -> None:
        """Write the end and let go of the folder."""
        if self._writer is None:
            return
        elapsed = (datetime.now(UTC) - self._began).total_seconds()
        self._writer.append(RunEnd("finished", utc_now(), round(elapsed, 3)))
        self._writer.close()
        self._writer = None

    def _open(self) -> RunWriter:
        if self.folder is not None:
            if (self.folder / RUN_FILE).is_file():  # the numbers of the sessions that it holds go on
                reader = RunReader(self.folder)
                keys = [trial.key for trial in reader.trials()]
                keys += [session.start.key for session in reader.open_sessions().values()]
                for key in keys:
                    self._numbers[key.case_id] = max(self._numbers.get(key.case_id, 0), key.trial)
            return RunWriter(self.folder)
        self.folder = self._root / FOLDER / new_run_id(self._began)
        writer = RunWriter(self.folder)
        header = RunHeader(
            run_id=self.folder.name,
            started=utc_now(),
            source=self._source,
            command=self._command,
            settings={"chat": True},
            versions=installed_versions(),
            prices=self._prices,
        )
        writer.append(header)
        return writer


class SessionRecord(SessionRecorder):
    """Records one session of a chat; ends it with its score by the brand-voice rules."""

    def __init__(
        self, writer: RunWriter, start: TrialStart, rules: Sequence[Requirement], prompt: PromptVersion
    ) -> None:
        super().__init__(writer, start.session_id, utc_now)
        self.session_id = start.session_id
        self.turns: list[Turn] = []
        self._record = writer
        self._start = start
        self._rules = rules
        self._prompt = prompt

    def take(self, event: EngineEvent, turn: int) -> None:
        """Record what an event says."""
        super().take(event, turn)
        if isinstance(event, TurnFinished):
            self.turns.append(event.turn)

    def end(self, crash: str | None = None) -> None:
        """Record that the session is over, and how its replies keep the voice."""
        super().end(crash)
        history = self._start.history
        turns, prompt = tuple(self.turns), self._prompt
        transcript = Transcript(self.session_id, prompt.sha, turns, history, prompt.text, inputs=prompt.inputs)
        self._record.append(ScoreLine(self.session_id, score_trial(transcript, self._rules)))


@dataclass(frozen=True)
class LabelledReply:
    """One of two replies to the same message, and who gave it."""

    prompt: PromptVersion
    session_id: str
    reply: str


def append_preference(root: Path, chat: str, user: str, replies: Mapping[str, LabelledReply], better: str) -> str:
    """Write which of two replies (`a` and `b`) to a message was better (`a`, `b` or `same`); return the file's name.

    One line each in a file of all chats, and not beside a suite: a preference belongs to no criterion of a suite, and
    holds what was said.
    """
    line: dict[str, Any] = {
        "line": "preference",
        "schema_version": SCHEMA_VERSION,
        "ts": utc_now(),
        "chat": chat,
        "user": user,
    }
    for letter, one in replies.items():
        line[letter] = {
            "prompt_ref": one.prompt.ref,
            "prompt_sha": one.prompt.sha,
            "model": one.prompt.model,
            "session_id": one.session_id,
            "reply_sha": sha256(one.reply.encode()).hexdigest(),
            "reply": one.reply,
        }
    line["better"] = better
    file = root / LABELS
    file.parent.mkdir(parents=True, exist_ok=True)
    # one write to a file opened for appending: lines of two chats that label at once do not mix
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, Scrubber()(orjson.dumps(line)) + b"\n")
    finally:
        os.close(handle)
    return LABELS
