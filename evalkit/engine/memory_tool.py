"""The API's memory tool (`memory_20250818`) on a folder: notes that the model keeps for itself between conversations.

The model names paths below `/memories`; whatever it names, nothing outside the folder is ever read or written. One
folder belongs to one person: who gets which folder is the caller's business. The texts of the answers are those that
models were trained on. Source: platform.claude.com, memory tool, and the SDK's own implementation, read November 2026.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evalkit.engine.functions import Toolset
from evalkit.engine.tools import ToolFailed, ToolOutcome, run_in_thread
from evalkit.records import JsonObject

DEFINITION: JsonObject = {"type": "memory_20250818", "name": "memory"}
ROOT = "/memories"
LARGEST = 256 * 1024
"""Bytes of one file: what the model reads comes back as tokens."""
DEPTH = 2
_AROUND = 2  # lines shown around an edit


class _Command(BaseModel):
    model_config = ConfigDict(strict=True)


class View(_Command):
    """Show a file with line numbers, or a folder's listing."""

    command: Literal["view"]
    path: str
    view_range: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None


class Create(_Command):
    """Write a new file."""

    command: Literal["create"]
    path: str
    file_text: str


class StrReplace(_Command):
    """Replace a text that stands in a file exactly once."""

    command: Literal["str_replace"]
    path: str
    old_str: str
    new_str: str = ""


class Insert(_Command):
    """Insert a text after a line; 0 is the top."""

    command: Literal["insert"]
    path: str
    insert_line: int
    insert_text: str


class Delete(_Command):
    """Delete a file or a folder."""

    command: Literal["delete"]
    path: str


class Rename(_Command):
    """Rename or move a file or a folder."""

    command: Literal["rename"]
    old_path: str
    new_path: str


_COMMANDS: TypeAdapter[Any] = TypeAdapter(
    Annotated[View | Create | StrReplace | Insert | Delete | Rename, Field(discriminator="command")]
)


def memory_tool(folder: Path) -> Toolset:
    """Return the memory tool on a folder, which is made when it is missing, readable by its owner only."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return (DEFINITION,), MemoryFolder(folder)


class MemoryFolder:
    """Answers the memory tool's calls, one at a time, from the files below one folder."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve(strict=True)
        self._busy = Lock()

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call; ToolFailed says what was wrong with it."""
        try:
            command = _COMMANDS.validate_python(dict(tool_input))
        except ValidationError as exc:
            raise ToolFailed(f"The input of {name} is not valid: {exc.errors(include_url=False)[0]['msg']}.") from exc
        return ToolOutcome(await run_in_thread(lambda: self._answer(command)), origin=str(self._root))

    def _answer(self, command: Any) -> str:
        with self._busy:
            try:
                return self._run(command)
            except OSError as exc:
                raise ToolFailed(f"The memory folder can't do this: {exc.strerror}.") from exc

    def _run(self, command: Any) -> str:
        match command:
            case View():
                return self._view(command)
            case Create():
                return self._create(command)
            case StrReplace():
                return self._replace(command)
            case Insert():
                return self._insert(command)
            case Delete():
                return self._delete(command)
            case _:
                return self._rename(command)

    def _view(self, command: View) -> str:
        path = self._existing(command.path)
        if path.is_dir():
            lines = [f"{_size(path)}\t{command.path}", *_listing(path, command.path.rstrip("/"))]
            head = f"Here're the files and directories up to {DEPTH} levels deep in {command.path}"
            return "\n".join([f"{head}, excluding hidden items:", *lines])
        lines = _text(path, command.path).split("\n")
        first, last = command.view_range or (1, -1)
        first, last = max(first, 1), len(lines) if last == -1 else last
        shown = _numbered(lines, first, last)
        return "\n".join([f"Here's the content of {command.path} with line numbers:", *shown])

    def _create(self, command: Create) -> str:
        path = self._inside(command.path)
        if path.exists():
            raise ToolFailed(f"File {command.path} already exists")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, command.file_text)
        return f"File created successfully at: {command.path}"

    def _replace(self, command: StrReplace) -> str:
        path = self._existing(command.path)
        text = _text(path, command.path)
        count = text.count(command.old_str) if command.old_str else 0
        if count == 0:
            raise ToolFailed(
                f"No replacement was performed, old_str `{command.old_str}` did not appear verbatim in {command.path}."
            )
        if count > 1:
            lines = [number for number, line in enumerate(text.split("\n"), 1) if command.old_str in line]
            raise ToolFailed(
                f"No replacement was performed. Multiple occurrences of old_str `{command.old_str}` in lines: "
                f"{', '.join(map(str, lines))}. Please ensure it is unique"
            )
        line = text[: text.index(command.old_str)].count("\n") + 1
        changed = text.replace(command.old_str, command.new_str)
        _write(path, changed)
        snippet = _numbered(changed.split("\n"), max(line - _AROUND, 1), line + _AROUND)
        return "\n".join(
            ["The memory file has been edited. Here is the snippet showing the change (with line numbers):", *snippet]
        )

    def _insert(self, command: Insert) -> str:
        path = self._existing(command.path)
        lines = _text(path, command.path).removesuffix("\n").split("\n")
        lines = [] if lines == [""] else lines
        if not 0 <= command.insert_line <= len(lines):
            raise ToolFailed(
                f"Invalid `insert_line` parameter: {command.insert_line}. "
                f"It should be within the range [0, {len(lines)}]."
            )
        lines.insert(command.insert_line, command.insert_text.rstrip("\n"))
        _write(path, "\n".join(lines) + "\n")
        return f"The file {command.path} has been edited."

    def _delete(self, command: Delete) -> str:
        path = self._existing(command.path)
        if path == self._root:
            raise ToolFailed(f"Cannot delete the {ROOT} directory itself")
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        return f"Successfully deleted {command.path}"

    def _rename(self, command: Rename) -> str:
        old, new = self._existing(command.old_path), self._inside(command.new_path)
        if old == self._root:
            raise ToolFailed(f"Cannot rename the {ROOT} directory itself")
        if new.exists():
            raise ToolFailed(f"The destination {command.new_path} already exists")
        if new.is_relative_to(old):
            raise ToolFailed(f"Cannot move {command.old_path} into itself")
        new.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        old.rename(new)
        return f"Successfully renamed {command.old_path} to {command.new_path}"

    def _existing(self, path: str) -> Path:
        found = self._inside(path)
        if not found.exists():
            raise ToolFailed(f"The path {path} does not exist. Please provide a valid path.")
        return found

    def _inside(self, path: str) -> Path:
        """Return the file a path means; ToolFailed when it leads out of the folder or through a symbolic link."""
        parts = path.split("/")[2:]
        if path != ROOT and not path.startswith(f"{ROOT}/"):
            raise ToolFailed(f"Path must start with {ROOT}, got: {path}")
        if ".." in parts or "\0" in path or "\\" in path:
            raise ToolFailed(f"Path {path} would escape {ROOT} directory")
        found = self._root
        for part in parts:
            found = found / part if part not in ("", ".") else found
            if found.is_symlink():
                raise ToolFailed(f"Path {path} would escape {ROOT} directory via symlink")
        return found


def _listing(folder: Path, name: str, depth: int = 1) -> Iterator[str]:
    for item in sorted(folder.iterdir()):
        if item.name.startswith(".") or item.is_symlink():
            continue
        shown = f"{name}/{item.name}"
        if item.is_dir():
            yield f"{_size(item)}\t{shown}/"
            if depth < DEPTH:
                yield from _listing(item, shown, depth + 1)
        elif item.is_file():
            yield f"{_size(item)}\t{shown}"


def _text(path: Path, name: str) -> str:
    if not path.is_file():
        raise ToolFailed(f"The path {name} is not a file.")
    if path.stat().st_size > LARGEST:
        raise ToolFailed(f"The file {name} is larger than {LARGEST // 1024} KB.")
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as exc:
        raise ToolFailed(f"The file {name} is no UTF-8 text.") from exc


def _write(path: Path, text: str) -> None:
    """Write a file in one step: another reader sees the old text or the new one."""
    data = text.encode(errors="replace")
    if len(data) > LARGEST:
        raise ToolFailed(f"A file may hold at most {LARGEST // 1024} KB; split it.")
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _numbered(lines: list[str], first: int, last: int) -> Iterator[str]:
    return (f"{number:6}\t{line}" for number, line in enumerate(lines, 1) if first <= number <= last)


def _size(path: Path) -> str:
    size, unit = float(path.stat().st_size), "B"
    for larger in "KMG":
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.0f}{unit}" if size == int(size) else f"{size:.1f}{unit}"
