"""The messages of a held conversation as a suite writes them: their files, and what was said and called before.

Knows content blocks and how a suite writes messages; which turns become a case is `saving.py`'s affair.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from evalkit.content import AttachedFile, Said, UserContent, files_in, spoken, text_of
from evalkit.content.files import read_limit
from evalkit.errors import FileProblems
from evalkit.records import JsonObject
from evalkit.suites.writing import NewEntry, NewFixture, NewMessage
from evalkit.yamlsource import read_bytes_below


@dataclass
class CaseFiles:
    """The pictures and documents of a case that is to be written beside the suite at `suite`.

    A file of the project that still holds what was sent is named where it lies; any other is written into `files/`
    beside the suite.
    """

    suite: Path
    root: Path
    case_id: str
    _written: dict[bytes, str] = field(default_factory=dict)

    def message(self, content: UserContent) -> NewMessage:
        """Return a message as a suite writes it."""
        if not files_in(content) or isinstance(content, str):
            return text_of(content)
        named = {id(file.block): file for file in files_in(content)}
        parts: list[Mapping[str, str]] = []
        for block in content:
            if (file := named.get(id(block))) is not None:
                notes = {key: str(block[key]) for key in ("title", "context", "shows") if block.get(key)}
                parts.append({file.kind: self._place(file), **notes})
            elif block.get("type") == "text":
                parts.append({"text": str(block["text"])})
        return tuple(parts)

    def _place(self, file: AttachedFile) -> str:
        """Return the path of a file, relative to the suite."""
        data, folder = file.data(), self.suite.parent
        with suppress(FileProblems):
            if file.file and read_bytes_below(self.root, file.file, read_limit()) == data:
                here = folder.resolve().relative_to(self.root.resolve()).as_posix()
                return posixpath.relpath(file.file, here)
        if data not in self._written:
            name = f"{re.sub(r'[^A-Za-z0-9._-]', '-', self.case_id)}-{len(self._written) + 1}.{file.suffix}"
            (folder / "files").mkdir(parents=True, exist_ok=True)
            (folder / "files" / name).write_bytes(data)
            self._written[data] = f"files/{name}"
        return self._written[data]


def written_history(messages: Sequence[JsonObject], files: CaseFiles) -> Iterator[NewEntry]:
    """Yield what was said before, as a suite can say it: the two taking turns, from the user's to the assistant's."""
    entries: list[NewEntry] = []
    for part in spoken(messages):
        said = files.message(part.content) if part.role == "user" else part.text
        calls = tuple(_past_calls(part)) if part.role == "assistant" else ()
        last = entries[-1] if entries else None
        if part.role not in {"user", "assistant"} or not (said or calls) or (last is None and part.role != "user"):
            continue
        if last is not None and last.calls and part.role == "user":  # nobody went on from what its calls brought
            entries[-1] = last = replace(last, calls=())
        if last is not None and last.role == part.role and not last.calls:
            entries[-1] = NewEntry(part.role, _joined(last.said, said), calls)
        else:
            entries.append(NewEntry(part.role, said, calls))
    while entries and (entries[-1].role == "user" or entries[-1].calls):
        entries.pop()
    yield from (entry for entry in entries if entry.said or entry.calls)


def _past_calls(part: Said) -> Iterator[NewFixture]:
    """Yield the calls of a message with what they brought; none where one was never answered."""
    if all(str(call.get("id")) in dict(part.results) for call in part.calls):
        for call in part.calls:
            output, is_error = part.result_of(call)
            given = dict(call.get("input") or {})
            error = (output or "failed") if is_error else None
            yield NewFixture(str(call.get("name")), given, None if is_error else value_of(output), error)


def _joined(one: NewMessage, other: NewMessage) -> NewMessage:
    """Return two messages of one side as one."""
    if isinstance(one, str) and isinstance(other, str):
        return "\n\n".join(text for text in (one, other) if text)
    parts: list[Mapping[str, str]] = []
    for said in (one, other):
        parts += ([{"text": said}] if said else []) if isinstance(said, str) else said
    return tuple(parts)


def value_of(output: str) -> Any:
    """Return a tool's text as a value where that gives the same text again."""
    with suppress(orjson.JSONDecodeError):
        value = orjson.loads(output)
        if not isinstance(value, str) and orjson.dumps(value).decode() == output:
            return value
    return output
