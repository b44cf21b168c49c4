"""The API's memory tool (`memory_20250818`) on a folder: notes that the model keeps for itself between conversations.

The SDK answers the commands, with the texts that models were trained on. Here stands what it leaves open: which paths
are taken, how large a file may be, that commands come one after the other, and that every mistake is a result. One
folder belongs to one person: who gets which folder is the caller's business.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from evalkit.engine.functions import Toolset
from evalkit.engine.tools import ToolFailed, ToolOutcome, run_in_thread
from evalkit.records import JsonObject

DEFINITION: JsonObject = {"type": "memory_20250818", "name": "memory"}
ROOT = "/memories"
LARGEST = 256 * 1024
"""Bytes of one file: what the model reads comes back as tokens."""
_PATHS = ("path", "old_path", "new_path")
_TEXTS = ("file_text", "new_str", "insert_text")


def memory_tool(folder: str | Path) -> Toolset:
    """Return the memory tool on a folder, which is made when it is missing, readable by its owner only."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Toolset((DEFINITION,), MemoryFolder(folder))


class MemoryFolder:
    """Answers the memory tool's calls, one at a time, from the files below one folder."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve(strict=True)
        self._busy = Lock()

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call; ToolFailed says what was wrong with it."""
        return ToolOutcome(await run_in_thread(lambda: self._answer(tool_input)), origin=str(self._root))

    def _answer(self, command: JsonObject) -> str:
        from evalkit.engine.claude import answer_memory_command

        with self._busy:
            try:
                for key in _PATHS:
                    if isinstance(command.get(key), str):
                        self._refuse_large(self._inside(command[key]), command)
                if command.get("command") == "rename":
                    old, new = (self._inside(str(command.get(key))) for key in ("old_path", "new_path"))
                    if not new.exists() and new.is_relative_to(old) and old != self._root:
                        raise ToolFailed(f"Cannot move {command['old_path']} into itself")
                return answer_memory_command(self._root, command)
            except OSError as exc:
                raise ToolFailed(f"The memory folder can't do this: {exc.strerror}.") from exc
            except UnicodeError as exc:
                raise ToolFailed(f"The text can't be read or written as UTF-8: {exc}.") from exc

    def _inside(self, path: str) -> Path:
        """Return the file a path means; ToolFailed when it could lead out of the folder on any system.

        Links are followed and refused by the SDK; what is stricter here is that a path has one spelling only.
        """
        if path != ROOT and not path.startswith(f"{ROOT}/"):
            raise ToolFailed(f"Path must start with {ROOT}, got: {path}")
        if ".." in path.split("/") or "\0" in path or "\\" in path:
            raise ToolFailed(f"Path {path} would escape {ROOT} directory")
        return self._root / path.removeprefix(ROOT).lstrip("/")

    def _refuse_large(self, file: Path, command: JsonObject) -> None:
        """Refuse to read or write a file beyond the limit; a replaced text counts as if it were added."""
        added = sum(len(str(command.get(key, "")).encode(errors="replace")) for key in _TEXTS)
        size = file.stat().st_size if file.is_file() else 0
        if size + added > LARGEST:
            raise ToolFailed(f"A file may hold at most {LARGEST // 1024} KB; split it.")
