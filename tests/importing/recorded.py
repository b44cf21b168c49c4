"""Recorded conversations for the import's tests, built in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evalkit.importing import ImportCounts, ImportSettings, import_transcripts
from evalkit.records import Trial
from evalkit.store import RunReader

Entry = dict[str, Any]


def user(text: str) -> Entry:
    return {"role": "user", "content": text}


def says(text: str | None, *calls: Entry) -> Entry:
    return {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {})}


def asks(name: str, call_id: str = "c1", **arguments: Any) -> Entry:
    return {"id": call_id, "name": name, "arguments": arguments}


def result(content: Any, call_id: str = "c1", **more: Any) -> Entry:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **more}


def recording(*messages: Entry, id: str = "one", **more: Any) -> Entry:  # noqa: A002 - the format's own key
    return {"id": id, "messages": list(messages), **more}


def line(entry: Entry) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def write(path: Path, *entries: Entry | bytes) -> Path:
    path.write_bytes(b"".join(entry if isinstance(entry, bytes) else line(entry) for entry in entries))
    return path


def settings(file: Path, **changes: Any) -> ImportSettings:
    folder = changes.pop("folder", file.parent / "run")
    return ImportSettings(file, folder, "20261122-000000-aaaa", "2026-11-22T00:00:00.000Z", **changes)


def imported(file: Path, **changes: Any) -> ImportCounts:
    return import_transcripts(settings(file, **changes))


def trials(folder: Path) -> list[Trial]:
    return list(RunReader(folder).trials())
