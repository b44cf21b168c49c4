"""Tool definitions as the files that a prompt names: written, never over a different one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import FileProblems, UsageError
from evalkit.prompts.tools import read_tool
from evalkit.records import JsonObject
from evalkit.yamlsource import SourceText, parse_yaml, render_yaml


@dataclass(frozen=True)
class ToolFiles:
    """What became of tools: their files, in the tools' order, and which of them are new or changed.

    `refused` are tools that no file can hold.
    """

    files: tuple[Path, ...] = ()
    written: tuple[Path, ...] = ()
    refused: tuple[str, ...] = ()


def write_tools(definitions: Iterable[JsonObject], folder: Path, *, force: bool = False) -> ToolFiles:
    """Write each tool as `NAME.yaml` into a folder.

    A tool that the API defines by its type has no such file. UsageError when a file says something else, unless
    `force` is set; then nothing is written at all.
    """
    wanted = {str(tool["name"]): tool for tool in definitions}
    refused = tuple(name for name, tool in wanted.items() if "input_schema" not in tool)
    files = {folder / f"{name}.yaml": tool for name, tool in wanted.items() if name not in refused}
    changed = [path for path, tool in files.items() if _tool_at(path) != dict(tool)]
    different = [str(path) for path in changed if path.exists()]
    if different and not force:
        names = ", ".join(different)
        raise UsageError(f"{names}: defines the tool differently; nothing was written. Use --force to write over it.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in changed:
            path.write_text(render_tool(files[path]), "utf-8")
    except OSError as exc:
        raise UsageError(f"{folder}: can't be written: {exc.strerror}.") from exc
    return ToolFiles(tuple(files), tuple(changed), refused)


def render_tool(definition: JsonObject) -> str:
    """Return a tool as YAML that reads as the same object, its keys in the same order."""
    return render_yaml(dict(definition))


def _tool_at(path: Path) -> JsonObject | None:
    """Return the tool that a file defines; None when there is none, or the file is no tool file."""
    try:
        tool, problems = read_tool(parse_yaml(SourceText(str(path), path.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError, FileProblems):
        return None
    return None if problems else tool
