"""A prompt's files, read from disk or from git: the prompt, what it includes, its tools.

Knows which files belong together and what is wrong with reading them; must not know inputs or the API's body.
Everything behind it works on these texts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from evalkit.errors import FileProblems
from evalkit.prompts.header import Header, read_header, split_header
from evalkit.prompts.refs import PromptFile, is_inside, locate
from evalkit.prompts.template import Template, includes_of, parse_template
from evalkit.prompts.tools import read_tool
from evalkit.records import JsonObject, Problem
from evalkit.yamlsource import Source, SourceText, parse_yaml

MAX_FILES = 200


@dataclass(frozen=True)
class Tool:
    """A tool object and the file it stands in."""

    json: JsonObject
    source: Source


@dataclass(frozen=True)
class PromptSource:
    """A prompt version as files. `files` maps each path (relative to the project) to its text; `ref` is its full name.

    `header` is None when the front matter is wrong. `problems` are those of reading and parsing, in no order.
    """

    ref: str
    name: str
    path: str
    files: Mapping[str, SourceText]
    header: Header | None
    header_source: Source | None
    template: Template
    tools: tuple[Tool, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


def find_prompt(ref: str, root: Path) -> PromptSource:
    """Read the prompt a reference names: NAME, NAME@v4, or NAME@<git revision>.

    Raises UsageError when there is no such prompt, FileProblems when the file can't be read; what is wrong inside the
    files is in `problems` of the result.
    """
    return _Reader(locate(ref, root)).source()


class _Reader:
    """Follows a prompt file to every file it needs."""

    def __init__(self, prompt: PromptFile) -> None:
        self._prompt = prompt
        self._folder = PurePosixPath(prompt.path).parent
        self._files: dict[str, SourceText] = {}
        self._problems: list[Problem] = []

    def source(self) -> PromptSource:
        """Read everything."""
        main = self._prompt.path
        text = self._files[main] = self._prompt.tree.read(main)
        parts = split_header(text)
        try:
            header, header_source, problems = read_header(text)
        except FileProblems as error:
            header, header_source, problems = None, None, list(error.problems)
        self._problems += problems
        texts = self._templates(parts[1] if parts else text)
        template = parse_template(PurePosixPath(main).name, texts)
        self._problems += template.problems
        tools = self._tools(header, header_source) if header_source else []
        return PromptSource(
            ref=self._prompt.ref,
            name=self._prompt.name,
            path=main,
            files=dict(self._files),
            header=header,
            header_source=header_source,
            template=template,
            tools=tuple(tools),
            problems=tuple(dict.fromkeys(self._problems)),
        )

    def _templates(self, body: SourceText) -> dict[str, SourceText]:
        """Return the body and every file it includes, by the name it is included by."""
        texts = {PurePosixPath(self._prompt.path).name: body}
        todo = [body]
        while todo:
            text = todo.pop(0)
            found, problems = includes_of(text)
            self._problems += problems
            for name, place in found:
                if name not in texts and len(texts) < MAX_FILES:
                    included = self._read(name, text.problem(place, ""))
                    if included:
                        texts[name] = included
                        todo.append(included)
        return texts

    def _tools(self, header: Header | None, source: Source) -> list[Tool]:
        """Return the tools the front matter names, also where something else in it is wrong."""
        tools: list[Tool] = []
        first: dict[str, str] = {}
        names = header.tools if header else source.value(("tools",))
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if not isinstance(name, str):
                continue
            at = source.problem(("tools", index), "")
            text = self._read(name, at)
            if text is None:
                continue
            try:
                parsed = parse_yaml(text)
            except FileProblems as error:
                self._problems += error.problems
                continue
            tool, problems = read_tool(parsed)
            self._problems += problems
            if tool is None:
                continue
            if tool["name"] in first:
                message = f"tool {tool['name']!r} is already defined by {first[tool['name']]}; names must differ."
                self._problems.append(source.problem(("tools", index), message))
            else:
                first[tool["name"]] = name
                tools.append(Tool(tool, parsed))
        return tools

    def _read(self, name: str, at: Problem) -> SourceText | None:
        """Read a file named in the prompt; a problem about its name is put where the name stands."""
        path = str(self._folder / name)
        problem = ""
        if not is_inside(name):
            problem = f"{name!r} is not below {self._folder}; a prompt may use only files below its own folder."
        elif not self._prompt.tree.is_file(path):
            problem = f"there is no file {path}; expected it where the prompt names it."
        if problem:
            self._problems.append(Problem(at.place, problem, source_line=at.source_line))
            return None
        try:
            text = self._files.setdefault(path, self._prompt.tree.read(path))
        except FileProblems as error:
            self._problems += error.problems
            return None
        return text
