"""A prompt's files, and the prompt version that they make with their inputs: all of a request's body but its messages.

Knows which files belong together (the prompt, what it includes, its tools), the Messages API's fields for model,
system, tools and caching, and where an earlier version may still be found by its hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from evalkit.errors import EvalkitError, FileProblems
from evalkit.prompts.fitting import SAMPLING
from evalkit.prompts.header import Header, read_header, split_header
from evalkit.prompts.inputs import file_fault, kind_fault, value_fault, with_files
from evalkit.prompts.refs import FOLDER, PromptFile, is_inside, list_prompts, locate, revisions_of
from evalkit.prompts.schemas import Schema, schema_problems
from evalkit.prompts.template import CACHE_POINT, Template, includes_of, parse_template, render_template
from evalkit.prompts.tools import read_tool
from evalkit.prompts.versions import hash_of, identified, refused_by, with_model
from evalkit.records import JsonObject, Problem, PromptRef, PromptVersion
from evalkit.yamlsource import Source, SourceText, ValuePath, did_you_mean, parse_yaml, raise_problems

MAX_FILES = 200


@dataclass(frozen=True)
class Tool:
    """A tool object and the file it stands in."""

    json: JsonObject
    source: Source


@dataclass(frozen=True)
class PromptSource:
    """A prompt version as files. `files` maps each path (relative to the project) to its text; `ref` is its full name.

    `model` is the one that the reference names, empty where the prompt's own is asked. `header` is None when the front
    matter is wrong, `output` when replies are text. `defaults` are the values of the inputs that have one, with files
    read. `problems` are those of reading and parsing, in no order.
    """

    ref: str
    name: str
    model: str
    path: str
    files: Mapping[str, SourceText]
    header: Header | None
    header_source: Source | None
    template: Template
    tools: tuple[Tool, ...] = ()
    output: Schema | None = None
    problems: tuple[Problem, ...] = field(default=())
    defaults: JsonObject = field(default_factory=dict)


def find_prompt(ref: str, root: Path) -> PromptSource:
    """Read the prompt a reference names: NAME, NAME@v4, or NAME@<git revision>, each with +MODEL for another model.

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
        output = self._output(header, header_source) if header and header_source else None
        defaults = self._defaults(header, header_source) if header and header_source else {}
        return PromptSource(
            ref=self._prompt.ref,
            name=self._prompt.name,
            model=self._prompt.model,
            path=main,
            files=dict(self._files),
            header=header,
            header_source=header_source,
            template=template,
            tools=tuple(tools),
            output=output,
            problems=tuple(dict.fromkeys(self._problems)),
            defaults=defaults,
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
            text = self._read(name, source.problem(("tools", index), "")) if isinstance(name, str) else None
            if text is None:
                continue
            try:
                parsed = parse_yaml(text)
                tool, problems = read_tool(parsed)
            except FileProblems as error:
                tool, problems = None, list(error.problems)
            self._problems += problems
            if tool and tool["name"] in first:
                message = f"tool {tool['name']!r} is already defined by {first[tool['name']]}; names must differ."
                self._problems.append(source.problem(("tools", index), message))
            elif tool:
                first[tool["name"]] = name
                tools.append(Tool(tool, parsed))
        return tools

    def _output(self, header: Header, source: Source) -> Schema | None:
        """Return the schema of replies, from the front matter or from the file that it names."""
        if header.output is None:
            return None
        found = Schema(header.output.schema_, source, ("output", "schema"))
        if isinstance(header.output.schema_, str):
            text = self._read(header.output.schema_, source.problem(found.at, ""))
            if text is None:
                return None
            try:
                file = parse_yaml(text)
            except FileProblems as error:
                self._problems += error.problems
                return None
            self._problems += file.problems
            value = file.value()
            if not isinstance(value, Mapping):
                self._problems.append(file.problem((), "the file is no JSON Schema; expected a mapping, `type: ...`."))
                return None
            found = Schema(value, file)
        self._problems += schema_problems(found)
        return found

    def _defaults(self, header: Header, source: Source) -> dict[str, Any]:
        """Return the inputs' defaults, with the text of a file for each `{file: ...}`."""

        def read(name: Any, path: ValuePath) -> str | None:
            at = source.problem(("inputs", *path), "")
            if fault := file_fault(name, str(self._folder)):
                self._problems.append(replace(at, message=fault))
                return None
            text = self._read(name, at)
            return text.text if text else None

        defaults = {}
        for name, spec in header.inputs.items():
            if not spec.required:
                written = source.value(("inputs", name))
                below = ("default",) if isinstance(written, dict) and "default" in written else ()
                value = defaults[name] = with_files(spec.default, read, (name, *below))
                if fault := value_fault(value):
                    self._problems.append(source.problem(("inputs", name), f"input {name!r} {fault}."))
        return defaults

    def _read(self, name: str, at: Problem) -> SourceText | None:
        """Read a file named in the prompt; a problem about its name is put where the name stands."""
        path = str(self._folder / name)
        if not is_inside(name):
            message = f"{name!r} is not below {self._folder}; a prompt may use only files below its own folder."
            self._problems.append(replace(at, message=message))
        elif not self._prompt.tree.is_file(path):
            message = f"there is no file {path}; expected it where the prompt names it."
            self._problems.append(replace(at, message=message))
        else:
            try:
                return self._files.setdefault(path, self._prompt.tree.read(path))
            except FileProblems as error:
                self._problems += error.problems
        return None


def load_prompt(ref: str, inputs: Mapping[str, Any], root: Path) -> PromptVersion:
    """Find and render a prompt; see `find_prompt` and `render_prompt` for the errors."""
    return render_prompt(find_prompt(ref, root), inputs)


def render_prompt(source: PromptSource, inputs: Mapping[str, Any]) -> PromptVersion:
    """Return the prompt version that `inputs`, JSON values by name, make of a prompt.

    Raises FileProblems with everything that is wrong.
    """
    header = source.header
    raise_problems(source.problems)
    if header is None or source.header_source is None:
        raise FileProblems(source.problems)
    raise_problems([*undefined_names(source, header), *input_problems(source, header, inputs)])
    values = {**source.defaults, **inputs}
    system = _system(source, header, render_template(source.template, values))
    text = "".join(block["text"] for block in system)
    return _asked(source, replace(_unrendered(source, header), system=system, text=text, inputs=values))


def _asked(source: PromptSource, version: PromptVersion) -> PromptVersion:
    """Return the version for the model that is asked; FileProblems where its settings can't be."""
    refused = refused_by(version, source.model or version.model)
    yaml = source.header_source
    raise_problems([yaml.problem(misfit.key, misfit.message) for misfit in refused] if yaml else ())
    return with_model(version, source.model) if source.model else identified(version)


def _unrendered(source: PromptSource, header: Header) -> PromptVersion:
    """Return what all renderings of a prompt have in common."""
    included = {name: text.text for name, text in source.template.texts.items()}
    body = included.pop(source.template.main)
    return PromptVersion(
        sha="",
        ref=str(replace(PromptRef.read(source.ref), model="")),
        description=header.description,
        model=header.model,
        params=params_of(source, header),
        system=(),
        tools=tuple(tool.json for tool in source.tools),
        files={path: text.sha for path, text in source.files.items()},
        memory=header.memory.to_json() if header.memory else {},
        body_sha=hash_of([body, sorted(included.items()), source.defaults]),
    )


def params_of(source: PromptSource, header: Header) -> JsonObject:
    """Return the request's fields that stand in the front matter, beside model and tools."""
    params: dict[str, Any] = {"max_tokens": header.max_tokens}
    config: dict[str, Any] = {"effort": header.effort} if header.effort else {}
    if source.output:
        config["format"] = {"type": "json_schema", "schema": source.output.json}
    if config:
        params["output_config"] = config
    if header.thinking:
        params["thinking"] = header.thinking.model_dump(exclude_none=True)
    if header.tool_choice:
        params["tool_choice"] = header.tool_choice.to_json()
    if header.stop_sequences:
        params["stop_sequences"] = header.stop_sequences
    params |= {key: value for key in SAMPLING if (value := getattr(header, key)) is not None}
    if header.cache != "off":
        params["cache_control"] = _cache_control(header.cache)
    return params


def undefined_names(source: PromptSource, header: Header) -> list[Problem]:
    """Return a problem for every name the template uses but the front matter does not declare."""
    known = f" (inputs: {', '.join(sorted(header.inputs)) or 'none'})"
    texts = {text.file: text for text in source.template.texts.values()}
    return [
        texts[use.place.file].problem(use.place, f"{use.name!r} is undefined{known}")
        for use in source.template.uses
        if use.name not in header.inputs
    ]


def input_problems(source: PromptSource, header: Header, inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for every input that is unknown or of another kind, and every required one that is missing."""
    yaml = source.header_source
    if yaml is None:
        return
    for name, value in inputs.items():
        if name not in header.inputs:
            message = f"prompt {source.ref} has no input {name!r}{did_you_mean(name, header.inputs)}"
            known = ", ".join(sorted(header.inputs)) or "none"
            yield yaml.problem(("inputs",), f"{message}; inputs: {known}.")
        elif fault := input_fault(source, name, value):
            yield yaml.problem(("inputs", name), f"input {name!r} {fault}.")
    for name, spec in header.inputs.items():
        if spec.required and name not in inputs:
            advice = f"add it to the suite's inputs, or use --set {name}=..."
            yield yaml.problem(("inputs", name), f"input {name!r} is required and was not given; {advice}", key=True)


def input_fault(source: PromptSource, name: str, value: Any) -> str:
    """Return why a value can't be given to a declared input, or an empty text."""
    default = source.defaults.get(name)
    return value_fault(value) or (kind_fault(value, default) if default is not None else "")


def _system(source: PromptSource, header: Header, rendered: str) -> tuple[JsonObject, ...]:
    """Split the text at the cache point; together the blocks are the text without white space around it."""
    above, marker, below = rendered.strip().partition(CACHE_POINT)
    text = source.files[source.path]
    if not (above + below).strip():
        raise FileProblems([text.problem(text.place(0), "the prompt renders to an empty text.")])
    if marker and not above.strip() and source.template.marker:
        place = source.template.marker
        raise FileProblems(
            [text.problem(place, "nothing stands above the cache point; move it below what is constant.")]
        )
    blocks: list[dict[str, Any]] = [{"type": "text", "text": above}]
    if below.strip():
        blocks.append({"type": "text", "text": below})
    if header.cache != "off":
        blocks[0]["cache_control"] = _cache_control(header.cache)
    return tuple(blocks)


def _cache_control(lifetime: str) -> dict[str, str]:
    return {"type": "ephemeral", "ttl": "1h"} if lifetime == "1h" else {"type": "ephemeral"}


REVISIONS = 30


def find_version(template_sha: str, ref: str, root: Path, commit: str = "") -> PromptSource | None:
    """Return the version with this `template_sha`, None when it is not to be found.

    Looked at, in this order: the reference itself, the other files of the prompt, the commit given, the newest commits
    that changed the prompt.
    """
    for candidate in _references(ref, root, commit):
        try:
            source = find_prompt(candidate, root)
            header = source.header
            if header and _asked(source, _unrendered(source, header)).template_sha == template_sha:
                return source
        except EvalkitError:
            continue  # a version that does not load is not the one that was measured
    return None


def _references(ref: str, root: Path, commit: str) -> Iterator[str]:
    """Yield the references to try; history is asked for only when the files did not have it."""
    yield ref
    asked = PromptRef.read(ref)
    name = asked.name
    yield from (str(replace(asked, version=version)) for version in list_prompts(root).get(name, ()))
    if commit:
        yield str(replace(asked, version=commit))
    try:
        revisions = revisions_of(root, (f"{FOLDER}/{name}", f"{FOLDER}/{name}.md"), REVISIONS)
    except EvalkitError:
        return  # no git: there is no history
    yield from (str(replace(asked, version=revision)) for revision in revisions)
