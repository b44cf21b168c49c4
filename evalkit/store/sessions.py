"""Finds one session in a record, be it a run, a log file or a folder of logs, and puts its requests together again.

In logs a session may be spread over files (days, processes, rotation); each piece can be read alone, and the pieces
are joined by turn and request numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import UsageError
from evalkit.records import (
    PromptVersion,
    Request,
    RequestLine,
    RunHeader,
    ToolCall,
    ToolLine,
    Transcript,
    TrialStart,
    TurnStart,
)
from evalkit.store.folders import find_record, record_files
from evalkit.store.lines import SessionBodies, parse_line, read_lines, turns_of


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
    turns: dict[int, str] = field(default_factory=dict)
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
    bodies: SessionBodies | None = None
    for number, obj in read_lines(file):
        kind = obj.get("line")
        if kind not in {"run", "prompt"} and obj.get("session_id") != pieces.session_id:
            continue
        match parse_line(file, number, obj, bodies):
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
                pieces.turns[line.turn] = line.user
            case RequestLine() as line:
                pieces.requests[line.request.n] = line.request
            case ToolLine() as line:
                pieces.calls[line.call.request_n, line.call.id] = (line.turn, line.call)
            case _:
                pass
