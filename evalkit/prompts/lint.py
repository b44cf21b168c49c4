"""What `evalkit check` says of a prompt: everything that stops it, and what will surprise its author.

Knows how a header goes beyond its model, and how caching goes wrong. Works on a prompt's files alone; calls nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from evalkit.errors import FileProblems
from evalkit.prompts.fitting import Settings, misfits
from evalkit.prompts.header import Header, is_input_name
from evalkit.prompts.models import facts_of, problems_of_model
from evalkit.prompts.schemas import Schema, limit_problem, strict_problems
from evalkit.prompts.source import PromptSource, input_problems, params_of, render_prompt, undefined_names
from evalkit.prompts.versions import prefix_tokens
from evalkit.records import Problem
from evalkit.wording import first_of
from evalkit.yamlsource import Source, did_you_mean


def lint_prompt(
    source: PromptSource,
    inputs: Mapping[str, Any] | None = None,
    changing: Mapping[str, Sequence[str]] | None = None,
    *,
    today: date | None = None,
) -> list[Problem]:
    """Return every error and warning about a prompt, sorted by place.

    `inputs` are those of a case that uses it. Without them, and without defaults for all inputs, what depends on the
    rendered text is left out. `changing` names inputs that cases give themselves, with those cases. Which models are
    retired goes by `today`, by the clock where it is None.
    """
    problems = list(source.problems)
    header, yaml = source.header, source.header_source
    if header and yaml:
        problems += undefined_names(source, header)
        problems += _input_lints(source, header, yaml)
        problems += _model_lints(source, header, yaml, today or datetime.now(UTC).date())
        problems += _cache_lints(source, header, changing or {})
        problems += _choice_lints(source, header, yaml)
    problems += _schema_lints(source)
    if header and not any(problem.severity == "error" for problem in problems):
        problems += _rendered_lints(source, header, inputs or {})
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.place)


def _input_lints(source: PromptSource, header: Header, yaml: Source) -> Iterator[Problem]:
    used = {use.name for use in source.template.uses}
    for name in header.inputs:
        if name not in used and is_input_name(name):
            message = f"input {name!r} is never used in the text; remove it, or use it."
            yield yaml.problem(("inputs", name), message, "warning", key=True)


def _model_lints(source: PromptSource, header: Header, yaml: Source, today: date) -> Iterator[Problem]:
    for message, severity in problems_of_model(header.model, today):
        yield yaml.problem(("model",), message, severity)
    memory = header.memory.to_json() if header.memory else {}
    for misfit in misfits(Settings(header.model, params_of(source, header), memory)):
        yield yaml.problem(misfit.key, misfit.message)


def _cache_lints(source: PromptSource, header: Header, changing: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Yield a warning where a value that changes between sessions or cases stands before the cache point."""
    marker = source.template.marker
    text = source.files[source.path]
    if header.cache == "off":
        if marker:
            message = "a cache point without caching: the front matter says `cache: off`. Remove one of the two."
            yield text.problem(marker, message, "warning")
        return
    where = f"the cache point (line {marker.line})" if marker else "the end, and there is no cache point above it"
    advice = "every session will write a new cache entry."
    if not marker:
        advice += " Put `{# evalkit: cache here #}` above it."
    texts = {part.file: part for part in source.template.texts.values()}
    told = set[str]()
    for use in source.template.uses:
        spec, cases = header.inputs.get(use.name), changing.get(use.name, ())
        if use.cached and spec and (spec.required or cases) and use.name not in told:
            told.add(use.name)
            between = f"cases ({first_of(cases, 3)})" if cases else "sessions"
            message = f"{use.name!r} changes between {between} and stands before {where}: {advice}"
            yield texts[use.place.file].problem(use.place, message, "warning")


def _schema_lints(source: PromptSource) -> Iterator[Problem]:
    for tool in source.tools:
        schema = tool.json["input_schema"]
        if not str(tool.json.get("description", "")).strip():
            message = f"tool {tool.json['name']!r} has no description; the model chooses tools by it."
            yield tool.source.problem(("name",), message, "warning")
        if tool.json.get("strict"):
            yield from strict_problems(Schema(schema, tool.source, ("input_schema",)), "strict mode")
    output = source.output
    if output:
        yield from strict_problems(output, "structured output")
    strict = [tool.json["input_schema"] for tool in source.tools if tool.json.get("strict")]
    if source.header_source and (message := limit_problem(strict, output.json if output else None)):
        yield source.header_source.problem(("output", "schema") if output else ("tools",), message)


def _choice_lints(source: PromptSource, header: Header, yaml: Source) -> Iterator[Problem]:
    choice, tools = header.tool_choice, [str(tool.json["name"]) for tool in source.tools]
    if choice is None:
        return
    if not header.tools:
        yield yaml.problem(("tool_choice",), "`tool_choice` says nothing without `tools`; the API refuses it.")
    elif choice.tool and choice.tool not in tools:
        hint = did_you_mean(choice.tool, tools) or f"; it has {', '.join(tools) or 'none'}"
        yield yaml.problem(("tool_choice", "tool"), f"the prompt has no tool {choice.tool!r}{hint}")


def _rendered_lints(source: PromptSource, header: Header, inputs: Mapping[str, Any]) -> Sequence[Problem]:
    known = {name: value for name, value in inputs.items() if name in header.inputs}
    if any(input_problems(source, header, known)):
        return []
    try:
        version = render_prompt(source, known)
    except FileProblems as error:
        return error.problems
    facts = facts_of(header.model)
    estimate = prefix_tokens(version, facts.characters) if facts else None
    if facts is None or estimate is None or estimate >= facts.cacheable:
        return []
    text = source.files[source.path]
    place = source.template.marker or text.place(0)
    message = (
        f"tools and text before the cache point are about {estimate} tokens (estimated: {facts.characters} characters "
        f"each); {header.model} caches nothing shorter than {facts.cacheable}."
    )
    return [text.problem(place, message, "warning")]
