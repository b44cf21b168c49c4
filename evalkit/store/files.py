"""Where runs and logs are on disk, and a line of them as bytes and back.

Request bodies are written without repetition: the system prompt and the tools stand in the prompt's line; messages that
the previous request had (and its reply, as the assistant's message) are counted, not copied. So a session grows
linearly, and any body can be put together again exactly.
"""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from evalkit.content import UserContent, kept_of, sent_messages
from evalkit.errors import NoVerdict, UsageError
from evalkit.records import SCHEMA_VERSION, JsonObject, PromptVersion, Request, RequestLine, RunLine, ToolCall, Turn
from evalkit.records.run import from_json
from evalkit.store.blobs import put_back

RUN_FILE = "run.jsonl"
REPORTS = "reports"


def new_run_id(now: datetime) -> str:
    """Return a fresh run id: time and four random hex digits, `20261122-071455-7c1e`."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def find_run(name: str, root: Path) -> Path:
    """Return the folder that `name` means: `last`, a run id, a folder, or a path to its run.jsonl; else UsageError."""
    if name == "last":
        runs = [file for file in (root / REPORTS).glob(f"*/{RUN_FILE}") if file.is_file()]
        if not runs:
            raise UsageError(f"no finished run in {REPORTS}/; start one with: evalkit run")
        return max(runs, key=lambda file: (file.stat().st_mtime_ns, file.parent.name)).parent
    for folder in (Path(name), root / name, root / REPORTS / name):
        if folder.name == RUN_FILE and folder.is_file():
            return folder.parent
        if (folder / RUN_FILE).is_file():
            return folder
    raise UsageError(f"no run {name!r}: expected 'last', a run id or a folder that holds {RUN_FILE}")


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


FROM_PROMPT, FROM_BEFORE = "prompt", "before"
"""Where a part of a body stands that is not written again: in the prompt's line, or in the request before."""


class SessionBodies:
    """The messages a session has shown so far; packs and unpacks the bodies of its requests, in order."""

    def __init__(self, prompt: PromptVersion | None, history: Sequence[JsonObject]) -> None:
        # The parts of a body that stand in the prompt's line already.
        self._of_prompt: dict[str, Any] = {"system": list(prompt.system), "tools": list(prompt.tools)} if prompt else {}
        if prompt and prompt.output_schema is not None:
            self._of_prompt["output_config"] = prompt.params["output_config"]
        self._before: dict[str, Any] = {}  # the same parts as the last request had them
        self._known: list[JsonObject] = list(sent_messages(history))

    @property
    def known(self) -> tuple[JsonObject, ...]:
        """The messages of the conversation as far as they were shown."""
        return tuple(self._known)

    def begin_file(self) -> None:
        """Forget what only an earlier file holds; the messages that are known stand in the session's start."""
        self._before = {}

    def pack(self, request: Request) -> dict[str, Any]:
        """Return the body with what is known left out, and learn what is new."""
        packed = dict(request.body)
        for key, value in self._of_prompt.items():
            if key in packed:
                packed[key] = _packed_part(packed[key], value, self._before.get(key))
        messages = list(request.body.get("messages", ()))
        keep = 0
        for left, right in zip(self._known, messages, strict=False):
            if not _is_same(left, right):
                break
            keep += 1
        packed["messages"] = {"keep": keep, "new": messages[keep:]}
        self._learn(messages, request.body, request)
        return packed

    def unpack(self, packed: JsonObject, request: Request) -> dict[str, Any]:
        """Return the whole body of a packed one; `request` gives the reply that later bodies build on."""
        body = dict(packed)
        for key, value in self._of_prompt.items():
            match body.get(key):
                case {"from": "prompt", "then": more}:
                    body[key] = [*value, *more]
                case {"from": "prompt"}:
                    body[key] = value
                case {"from": "before"}:
                    body[key] = self._before[key]
        messages = self._known[: packed["messages"]["keep"]] + list(packed["messages"]["new"])
        body["messages"] = messages
        self._learn(messages, body, request)
        return body

    def _learn(self, messages: list[JsonObject], body: JsonObject, request: Request) -> None:
        self._before = {key: body[key] for key in self._of_prompt if key in body}
        reply: list[JsonObject] = [{"role": "assistant", "content": list(request.content)}] if request.content else []
        self._known = messages + reply


def _is_same(left: Any, right: Any) -> bool:
    """Compare as bytes, since a body is sent byte for byte: the order of keys counts, 1 and 1.0 differ."""
    return left is right or orjson.dumps(left, default=plain) == orjson.dumps(right, default=plain)


def _packed_part(value: Any, of_prompt: Any, before: Any) -> Any:
    """Return a part of a body as it is written: the prompt's own, with what a memory strategy keeps behind it."""
    if value == of_prompt:
        return {"from": FROM_PROMPT}
    if _is_same(value, before):
        return {"from": FROM_BEFORE}
    count = len(of_prompt)
    if isinstance(value, list) and value[:count] == of_prompt:
        return {"from": FROM_PROMPT, "then": value[count:]}
    return value


def shallow(value: Any) -> dict[str, Any]:
    """Return a dataclass as a dict of its fields, values untouched."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def plain(value: object) -> object:
    """Turn what orjson does not know (a mapping that is no dict, a named tuple) into what it does."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "keys"):
        return {key: value[key] for key in value.keys()}  # type: ignore[index]  # noqa: SIM118
    raise TypeError


def decode_line(file: Path, number: int, raw: bytes) -> dict[str, Any]:
    """Return a line's JSON. NoVerdict when it is damaged, UsageError when a newer evalkit wrote it."""
    try:
        obj: dict[str, Any] = orjson.loads(raw)
        version = obj.get("schema_version", SCHEMA_VERSION)
    except (ValueError, AttributeError) as exc:
        raise _damaged(file, number, exc) from exc
    if version > SCHEMA_VERSION:
        raise UsageError(
            f"{file}: written with record version {version}, this evalkit reads up to {SCHEMA_VERSION}; update evalkit."
        )
    return obj


def raw_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield each line of a record with its number; a torn last line never happened."""
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
        yield from ((number, raw) for number, raw in enumerate(lines, 1) if raw.endswith(b"\n"))


def read_lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each line of a record as JSON with its number, as `decode_line` does."""
    for number, raw in raw_lines(file):
        yield number, decode_line(file, number, raw)


def parse_line(
    file: Path,
    number: int,
    obj: dict[str, Any],
    bodies: SessionBodies | None = None,
    blobs: Mapping[str, str] | None = None,
) -> RunLine:
    """Return the value a line stands for; NoVerdict when it can't be read.

    A request's body is put together again where the `bodies` of its session are given, and pictures and documents are
    put back where the `blobs` of the file are.
    """
    try:
        obj = obj if blobs is None else put_back(obj, blobs)
        packed = obj["request"]["body"] if obj.get("line") == "request" else {}
        line = from_json(obj)
        if bodies is None or not isinstance(line, RequestLine) or not isinstance(packed.get("messages"), dict):
            return line
        return replace(line, request=replace(line.request, body=bodies.unpack(packed, line.request)))
    except (ValueError, KeyError, TypeError) as exc:
        raise _damaged(file, number, exc) from exc


def _damaged(file: Path, number: int, exc: Exception) -> NoVerdict:
    return NoVerdict(f"{file}:{number}: this line is damaged ({str(exc).splitlines()[0]}); restore the file.")


def turns_of(
    users: Mapping[int, UserContent], requests: Sequence[Request], calls: Sequence[tuple[int, ToolCall]]
) -> tuple[Turn, ...]:
    """Return the turns that a session's lines tell of: user messages by turn, requests, calls with their turn."""
    asked: dict[int, list[Request]] = {}
    made: dict[int, list[ToolCall]] = {}
    for request in requests:
        asked.setdefault(request.turn, []).append(request)
    for turn, call in calls:
        made.setdefault(turn, []).append(call)
    turns = []
    for n, user in sorted(users.items()):
        text, content = kept_of(user)
        turns.append(Turn(n, text, tuple(asked.get(n, ())), tuple(made.get(n, ())), content))
    return tuple(turns)
