"""A prompt's files and inputs to a prompt version: the exact body of a request but its messages.

Knows the Messages API's fields for model, system, tools and caching, and where an earlier version may still be found by
its hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError, FileProblems
from evalkit.prompts.git import revisions_of
from evalkit.prompts.header import Header
from evalkit.prompts.refs import FOLDER, list_prompts
from evalkit.prompts.source import PromptSource, find_prompt
from evalkit.prompts.template import CACHE_POINT, render_template
from evalkit.records import JsonObject, Problem, PromptVersion
from evalkit.yamlsource import did_you_mean, raise_problems


def load_prompt(ref: str, inputs: Mapping[str, str], root: Path) -> PromptVersion:
    """Find and render a prompt; see `find_prompt` and `render_prompt` for the errors."""
    return render_prompt(find_prompt(ref, root), inputs)


def render_prompt(source: PromptSource, inputs: Mapping[str, str]) -> PromptVersion:
    """Return the prompt version that `inputs` make of a prompt.

    `sha` is over the compact JSON of model, params, system and tools in the order they are sent, and of the memory
    strategy if there is one, so that equal hashes mean equal bytes. Raises FileProblems with everything that is wrong.
    """
    header = source.header
    raise_problems(source.problems)
    if header is None:
        raise FileProblems(source.problems)
    raise_problems([*undefined_names(source, header), *input_problems(source, header, inputs)])
    values = {name: spec.default for name, spec in header.inputs.items() if spec.default is not None} | dict(inputs)
    system = _system(source, header, render_template(source.template, values))
    tools = tuple(tool.json for tool in source.tools)
    params = _params(header)
    memory = header.memory.to_json() if header.memory else {}
    return PromptVersion(
        sha=_sha({"model": header.model, "params": params, "system": system, "tools": tools}, memory),
        ref=source.ref,
        description=header.description,
        model=header.model,
        params=params,
        system=system,
        tools=tools,
        inputs=values,
        files={path: text.sha for path, text in source.files.items()},
        text="".join(block["text"] for block in system),
        memory=memory,
    )


def with_tools(prompt: PromptVersion, tools: Sequence[JsonObject]) -> PromptVersion:
    """Return the prompt version with other tools, such as those of `tools_from`; its `sha` is another one."""
    sent = tuple(tools)
    body = {"model": prompt.model, "params": prompt.params, "system": prompt.system, "tools": sent}
    return replace(prompt, sha=_sha(body, prompt.memory), tools=sent)


def undefined_names(source: PromptSource, header: Header) -> list[Problem]:
    """Return a problem for every name the template uses but the front matter does not declare."""
    known = f" (inputs: {', '.join(sorted(header.inputs)) or 'none'})"
    texts = {text.file: text for text in source.template.texts.values()}
    return [
        texts[use.place.file].problem(use.place, f"{use.name!r} is undefined{known}")
        for use in source.template.uses
        if use.name not in header.inputs
    ]


def input_problems(source: PromptSource, header: Header, inputs: Mapping[str, str]) -> list[Problem]:
    """Return a problem for every input that is given but unknown, and for every required one that is missing."""
    if source.header_source is None:
        return []
    problems = []
    for name, value in inputs.items():
        if name not in header.inputs:
            message = f"prompt {source.ref} has no input {name!r}{did_you_mean(name, header.inputs)}"
            known = ", ".join(sorted(header.inputs)) or "none"
            problems.append(source.header_source.problem(("inputs",), f"{message}; inputs: {known}."))
        elif "\0" in value:
            problems.append(source.header_source.problem(("inputs", name), f"input {name!r} holds a NUL character."))
    for name, spec in header.inputs.items():
        if spec.required and name not in inputs:
            message = (
                f"input {name!r} is required and was not given; add it to the suite's inputs, or use --set {name}=..."
            )
            problems.append(source.header_source.problem(("inputs", name), message, key=True))
    return problems


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


def _params(header: Header) -> JsonObject:
    """Return the request fields beside model, system, tools and messages."""
    params: dict[str, Any] = {"max_tokens": header.max_tokens}
    if header.effort:
        params["output_config"] = {"effort": header.effort}
    if header.thinking:
        params["thinking"] = header.thinking.model_dump(exclude_none=True)
    if header.cache != "off":
        params["cache_control"] = _cache_control(header.cache)
    return params


def _cache_control(lifetime: str) -> dict[str, str]:
    return {"type": "ephemeral", "ttl": "1h"} if lifetime == "1h" else {"type": "ephemeral"}


def _sha(body: JsonObject, memory: JsonObject) -> str:
    whole = {**body, "memory": memory} if memory else body
    return hashlib.sha256(json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


REVISIONS = 30


def find_version(sha: str, ref: str, inputs: Mapping[str, str], root: Path, commit: str = "") -> PromptVersion | None:
    """Return the version with this hash, None when it is not to be found.

    Looked at, in this order: the reference itself, the other files of the prompt, the commit given, the newest commits
    that changed the prompt. Inputs that a version does not take or lacks rule it out.
    """
    for candidate in _references(ref, root, commit):
        try:
            version = load_prompt(candidate, inputs, root)
        except EvalkitError:
            continue  # a version that does not load is not the one that was measured
        if version.sha == sha:
            return version
    return None


def _references(ref: str, root: Path, commit: str) -> Iterator[str]:
    """Yield the references to try; history is asked for only when the files did not have it."""
    yield ref
    name = ref.partition("@")[0]
    yield from (f"{name}@{version}" for version in list_prompts(root).get(name, ()))
    if commit:
        yield f"{name}@{commit}"
    try:
        revisions = [*revisions_of(root, f"{FOLDER}/{name}", REVISIONS)]
        revisions += revisions_of(root, f"{FOLDER}/{name}.md", REVISIONS)
    except EvalkitError:
        return  # no git: there is no history
    yield from (f"{name}@{revision}" for revision in revisions)
