"""Tool definitions as the files that a prompt names: written, never over a different one, and named in a prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import FileProblems, UsageError
from evalkit.prompts.source import PromptSource, find_prompt
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


def declare_tools(ref: str, definitions: Sequence[JsonObject], root: Path) -> tuple[str, ToolFiles]:
    """Write tools beside a prompt and name them in its front matter; return the prompt's file and the tools'.

    Nothing else in the prompt changes. UsageError when a file says something else, or the front matter is written in a
    way that names can't be added to; then it is as it was.
    """
    before = find_prompt(ref, root)
    path = root / before.path
    raw = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(raw).hexdigest() != before.files[before.path].sha:
        raise UsageError(f"{ref} is no file of the project as it is now; its tools can't be added to it.")
    files = write_tools(definitions, path.parent / "tools")
    names = [file.relative_to(path.parent).as_posix() for file in files.files]
    path.write_bytes(_with_names(raw.decode(), before, names).encode())
    if not _differs_by_tools(before, find_prompt(ref, root), definitions):
        path.write_bytes(raw)
        raise UsageError(f"{before.path}: add to its tools by hand: {', '.join(names)}.")
    return before.path, files


def _with_names(text: str, prompt: PromptSource, names: Sequence[str]) -> str:
    """Return a prompt's text with more names under the `tools` of its front matter, in the form of those there."""
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines[0].endswith("\r\n") else "\n"
    yaml = prompt.header_source
    declared = yaml.value(("tools",)) if yaml else None
    if yaml is None or not declared:
        closing = next(n for n, line in enumerate(lines) if n and line.rstrip() == "---")
        return "".join([*lines[:closing], f"tools: [{', '.join(names)}]{end}", *lines[closing:]])
    last = yaml.place(("tools", len(declared) - 1)).line - 1
    if lines[last].lstrip().startswith("- "):
        pad = lines[last][: len(lines[last]) - len(lines[last].lstrip())]
        return "".join([*lines[: last + 1], *(f"{pad}- {name}{end}" for name in names), *lines[last + 1 :]])
    before, bracket, after = lines[last].rpartition("]")
    return "".join([*lines[:last], f"{before}, {', '.join(names)}{bracket}{after}", *lines[last + 1 :]])


def _differs_by_tools(before: PromptSource, after: PromptSource, added: Iterable[JsonObject]) -> bool:
    """Tell whether a prompt is what it was but for these tools behind its own."""
    if before.header is None or after.header is None or after.problems != before.problems:
        return False
    wanted = [*(tool.json for tool in before.tools), *(dict(each) for each in added if "input_schema" in each)]
    own = before.header.model_copy(update={"tools": after.header.tools})
    return own == after.header and [tool.json for tool in after.tools] == wanted


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
