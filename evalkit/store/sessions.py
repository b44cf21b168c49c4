"""Finds one session in a record, be it a run, a log file or a folder of logs, and puts its requests together again.

In logs a session may be spread over files (days, processes, rotation); each piece can be read alone, and the pieces
are joined by turn and request numbers.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from evalkit.errors import NoVerdict, UsageError
from evalkit.records import (
    PromptVersion,
    Request,
    RequestLine,
    RunHeader,
    RunLine,
    ToolCall,
    ToolLine,
    Transcript,
    TrialStart,
    Turn,
    TurnStart,
)
from evalkit.records.codec import from_json
from evalkit.store.bodies import SessionBodies
from evalkit.store.folders import RUN_FILE, find_run
from evalkit.store.reader import refuse_newer


@dataclass(frozen=True)
class StoredSession:
    """One conversation out of a record.

    `prompts` holds the prompt versions it was held with, the last one last; `hashed` tells that its texts are not kept.
    """

    transcript: Transcript
    prompts: tuple[PromptVersion, ...]
    hashed: bool = False


@dataclass
class _Gathered:
    """What the files have told of the wanted session so far."""

    session_id: str
    history: tuple[Any, ...] | None = None
    prompts: dict[str, PromptVersion] = field(default_factory=dict)
    turns: dict[int, str] = field(default_factory=dict)
    requests: dict[int, Request] = field(default_factory=dict)
    calls: dict[tuple[int, str], tuple[int, ToolCall]] = field(default_factory=dict)
    hashed: bool = False


def record_files(path: Path) -> tuple[Path, ...]:
    """Return the files of a record in the order of their names: the file itself, a run's, or all logs of a folder."""
    if path.is_file():
        return (path,)
    if (path / RUN_FILE).is_file():
        return (path / RUN_FILE,)
    return tuple(sorted(path.glob("*.jsonl*"), key=lambda file: file.name))


def find_record(name: str, root: Path) -> Path:
    """Return the file or folder that a name means: a log, a folder of logs, a run's folder, its id, or `last`."""
    for path in (Path(name), root / name):
        if path.is_file() or (path.is_dir() and record_files(path)):
            return path
    return find_run(name, root)


def read_lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each line of a record as JSON with its number; a torn last line never happened. NoVerdict on damage."""
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            if not raw.endswith(b"\n"):
                continue
            try:
                obj = orjson.loads(raw)
                refuse_newer(obj)
            except UsageError as exc:
                raise UsageError(f"{file}: {exc}") from exc
            except (ValueError, AttributeError) as exc:
                raise damaged(file, number, exc) from exc
            yield number, obj


def parse_line(file: Path, number: int, obj: dict[str, Any]) -> RunLine:
    """Return the value a line stands for; NoVerdict when it can't be read."""
    try:
        return from_json(obj)
    except (ValueError, KeyError, TypeError) as exc:
        raise damaged(file, number, exc) from exc


def damaged(file: Path, number: int, exc: Exception) -> NoVerdict:
    """Return the error for a line that can't be read."""
    return NoVerdict(f"{file}:{number}: this line is damaged ({str(exc).splitlines()[0]}); restore the file.")


def read_session(name: str, root: Path) -> StoredSession:
    """Return the session that `RECORD#SESSION` names; UsageError when there is none.

    SESSION is its id or, when no session has it, a part of the id that only one has.
    """
    record, _, wanted = name.partition("#")
    if not wanted:
        raise UsageError(f"{name}: no session named; expected RECORD#SESSION, such as logs#customer-42.")
    files = record_files(find_record(record, root))
    session_id = _resolve(wanted, files, record)
    gathered = _Gathered(session_id)
    for file in files:
        _gather(file, gathered)
    return _put_together(gathered)


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


def _gather(file: Path, gathered: _Gathered) -> None:
    """Take up what one file tells of the session."""
    prompts: dict[str, PromptVersion] = {}
    bodies: SessionBodies | None = None
    for number, obj in read_lines(file):
        kind = obj.get("line")
        if kind not in {"run", "prompt"} and obj.get("session_id") != gathered.session_id:
            continue
        packed = obj["request"]["body"] if kind == "request" else {}
        match parse_line(file, number, obj):
            case RunHeader() as line:
                gathered.hashed = gathered.hashed or line.settings.get("content") == "hashed"
            case PromptVersion() as line:
                prompts[line.sha] = line
            case TrialStart() as line:
                bodies = SessionBodies(prompts.get(line.prompt_sha), line.history)
                if gathered.history is None or len(line.history) < len(gathered.history):
                    gathered.history = line.history  # the piece that began earliest has the others' history as turns
                if line.prompt_sha in prompts:
                    gathered.prompts.pop(line.prompt_sha, None)
                    gathered.prompts[line.prompt_sha] = prompts[line.prompt_sha]
            case TurnStart() as line:
                gathered.turns[line.turn] = line.user
            case RequestLine() as line:
                gathered.requests[line.request.n] = _with_body(line.request, packed, bodies)
            case ToolLine() as line:
                gathered.calls[line.call.request_n, line.call.id] = (line.turn, line.call)
            case _:
                pass


def _with_body(request: Request, packed: dict[str, Any], bodies: SessionBodies | None) -> Request:
    if bodies is None or not isinstance(packed.get("messages"), dict):
        return request
    return replace(request, body=bodies.unpack(packed, request))


def _put_together(gathered: _Gathered) -> StoredSession:
    requests = [gathered.requests[n] for n in sorted(gathered.requests)]
    turns = tuple(
        Turn(
            n=number,
            user=user,
            requests=tuple(request for request in requests if request.turn == number),
            tool_calls=tuple(call for turn, call in gathered.calls.values() if turn == number),
        )
        for number, user in sorted(gathered.turns.items())
    )
    prompts = tuple(gathered.prompts.values())
    last = prompts[-1] if prompts else None
    transcript = Transcript(
        gathered.session_id,
        last.sha if last else "",
        turns,
        gathered.history or (),
        last.text if last else "",
    )
    return StoredSession(transcript, prompts, gathered.hashed)
