"""What a chat leaves behind: its record below reports/chat/, and which of two replies a person liked better.

The record has the lines of a run, written before anything is shown. A stretch of the conversation that goes on without
going back is one session; taking something back, asking again or changing the prompt begins another, whose history is
what stood before it. The folder is made with the first message.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from evalkit.store.redaction import Scrubber

FOLDER = "reports/chat"
LABELS = f"{FOLDER}/labels.jsonl"
CASE = "chat"
OTHER_SIDE = "vs"
"""Case ids in the record: of the chat itself, and of the second version that is talked to."""


@dataclass(frozen=True)
class ChatHeader:
    """What the record says of the chat as a whole."""

    source: Source
    command: tuple[str, ...]
    prices: str


class ChatRecord:
    """Writes one chat; `folder` is None until something was said, unless an earlier chat is continued."""

    def __init__(self, root: Path, header: ChatHeader, folder: Path | None = None) -> None:
        self._root = root
        self._header = header
        self._began = datetime.now(UTC)
        self._writer: RunWriter | None = None
        self._prompts: set[str] = set()
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
        writer = self._open()
        if prompt.sha not in self._prompts:
            self._prompts.add(prompt.sha)
            writer.append(prompt)
        number = self._numbers[case_id] = self._numbers.get(case_id, 0) + 1
        session_id = str(number) if case_id == CASE else f"{case_id}-{number}"
        start = TrialStart(TrialKey("", case_id, prompt.ref, number), session_id, prompt.sha, tuple(history), utc_now())
        writer.append(start)
        return SessionRecord(writer, start, tuple(rules), prompt.text)

    def close(self) -> None:
        """Write the end and let go of the folder."""
        if self._writer is None:
            return
        elapsed = (datetime.now(UTC) - self._began).total_seconds()
        self._writer.append(RunEnd("finished", utc_now(), round(elapsed, 3)))
        self._writer.close()
        self._writer = None

    def _open(self) -> RunWriter:
        if self._writer is not None:
            return self._writer
        if self.folder is not None:
            if (self.folder / RUN_FILE).is_file():
                self._learn_numbers(self.folder)
            self._writer = RunWriter(self.folder)
            return self._writer
        self.folder = self._root / FOLDER / new_run_id(self._began)
        self._writer = RunWriter(self.folder)
        header = RunHeader(
            run_id=self.folder.name,
            started=utc_now(),
            source=self._header.source,
            command=self._header.command,
            settings={"chat": True},
            versions=installed_versions(),
            prices=self._header.prices,
        )
        self._writer.append(header)
        return self._writer

    def _learn_numbers(self, folder: Path) -> None:
        """Learn which sessions the record holds already, so that their numbers go on."""
        reader = RunReader(folder)
        keys = [trial.key for trial in reader.trials()]
        keys += [session.start.key for session in reader.open_sessions().values()]
        for key in keys:
            self._numbers[key.case_id] = max(self._numbers.get(key.case_id, 0), key.trial)


@dataclass
class SessionRecord:
    """Hears one session of the record; ends it with its score by the brand-voice rules."""

    writer: RunWriter
    start: TrialStart
    rules: tuple[Requirement, ...]
    system_text: str
    turns: list[Turn] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._recorder = SessionRecorder(self.writer, self.start.session_id, utc_now)

    @property
    def session_id(self) -> str:
        """Its name in the record."""
        return self.start.session_id

    def turn(self, number: int, user: str) -> None:
        """Record that a message is sent."""
        self._recorder.turn(number, user)

    def take(self, event: EngineEvent, turn: int) -> None:
        """Record what an event says."""
        self._recorder.take(event, turn)
        if isinstance(event, TurnFinished):
            self.turns.append(event.turn)

    def end(self) -> None:
        """Record that the session is over, and how its replies keep the voice."""
        start = self.start
        transcript = Transcript(start.session_id, start.prompt_sha, tuple(self.turns), start.history, self.system_text)
        self._recorder.end()
        self.writer.append(ScoreLine(start.session_id, score_trial(transcript, self.rules)))


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
