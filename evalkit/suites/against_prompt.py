"""A suite against the prompt it runs with: the tools and inputs it names must be the prompt's.

Suites name only the arguments that matter, so nothing is required of a tool's input here; texts between slashes stand
for any text. Knows both sides as values, and JSON Schema (draft 2020-12) without the network; reads no file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import jsonschema
import regex
from referencing import Registry
from referencing.exceptions import Unresolvable

from evalkit.content import files_in
from evalkit.content.files import MAX_PAGES_OF_SMALL_WINDOW, SMALL_WINDOW
from evalkit.graders.grader import Fault
from evalkit.prompts import PromptSource, input_fault
from evalkit.prompts.models import facts_of
from evalkit.reading.patterns import pattern_of
from evalkit.records import JsonObject, Problem, PromptVersion
from evalkit.suites.values import Case, Suite
from evalkit.yamlsource import Source, did_you_mean, pattern_fault, shown


def check_against_prompt(suite: Suite, prompt: PromptVersion) -> list[Problem]:
    """Return a problem for every tool the prompt does not have, and for what tools and replies could never be."""
    tools = {str(tool["name"]): tool for tool in prompt.tools}
    problems = []
    for mention in suite.mentions:
        tool = tools.get(mention.name)
        if tool is None:
            if mention.known:
                continue
            hint = did_you_mean(mention.name, tools) or f"; it has {', '.join(tools) or 'no tools'}"
            message = f"no tool named {mention.name!r} in prompt {prompt.ref}{hint}"
            source = suite.source
            problems.append(source.problem_at(mention.place, message) if source else Problem(mention.place, message))
        elif suite.source and mention.input is not None and (mention.input or mention.whole):
            faults = misfits(mention.input, tool["input_schema"], mention.name, whole=mention.whole)
            for path, message, on_key in faults:
                problems.append(suite.source.problem((*mention.path, *path), message, key=on_key))
    for one in (requirement for case in suite.cases for requirement in case.requirements):
        for message in one.grader.misfits(prompt):
            source, place = suite.source, one.assertion.place
            problems.append(source.problem_at(place, message) if source else Problem(place, message))
    return list(dict.fromkeys([*problems, *_too_many_pages(suite, prompt), *_unasked_output(suite, prompt)]))


def _unasked_output(suite: Suite, prompt: PromptVersion) -> Iterator[Problem]:
    """Yield a warning where a reply that is not the JSON of the prompt's output could pass."""
    asking = {"json", "ended", "format"}
    silent = [case for case in suite.cases if not any(one.assertion.kind in asking for one in case.requirements)]
    if prompt.output_schema is None or not silent or suite.source is None:
        return
    others = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    message = (
        f"prompt {prompt.ref} answers in JSON, and case {silent[0].record.case_id!r}{others} could pass with a reply "
        "that is none; add `json` or `ended` to what is expected."
    )
    yield suite.source.problem(("prompt",), message, "warning")


def _too_many_pages(suite: Suite, prompt: PromptVersion) -> Iterator[Problem]:
    """Yield a problem for each case with more images and pages than the prompt's model takes in one request."""
    facts = facts_of(prompt.model)
    if facts is None or facts.context > SMALL_WINDOW:
        return
    for case in suite.cases:
        said = [*case.messages, *(message["content"] for message in case.history)]
        pages = sum(file.pages for content in said for file in files_in(content))
        if pages > MAX_PAGES_OF_SMALL_WINDOW:
            message = (
                f"case {case.record.case_id!r} has {pages} images and PDF pages; "
                f"{prompt.model} takes {MAX_PAGES_OF_SMALL_WINDOW} in one request."
            )
            source, place = suite.source, case.record.place
            yield source.problem_at(place, message) if source else Problem(place, message)


def check_inputs(suite: Suite, prompt: PromptSource, given: Collection[str] = ()) -> list[Problem]:
    """Return a problem for every input of suite or cases that the prompt can't take, and every required one missing.

    `given` names inputs that neither has to give, since the command does.
    """
    if prompt.header is None or suite.source is None:
        return []
    declared = prompt.header.inputs
    problems: dict[Problem, None] = {}
    lacking: dict[str, list[Case]] = {
        name: [] for name, spec in declared.items() if spec.required and name not in given
    }
    for case in suite.cases:
        for name, value in case.inputs.values.items():
            path = case.inputs.paths[name]
            if name not in declared:
                known = ", ".join(sorted(declared)) or "none"
                message = f"prompt {prompt.ref} has no input {name!r}{did_you_mean(name, declared)}; inputs: {known}"
                problems[suite.source.problem(path, message, key=True)] = None
            elif fault := input_fault(prompt, name, value):
                problems[suite.source.problem(path, f"input {name!r} of prompt {prompt.ref} {fault}.")] = None
        for name, cases in lacking.items():
            cases += [] if name in case.inputs.values else [case]
    return [*problems, *_missing_inputs(suite, suite.source, prompt, lacking)]


def _missing_inputs(
    suite: Suite, source: Source, prompt: PromptSource, lacking: Mapping[str, Sequence[Case]]
) -> Iterator[Problem]:
    """Yield a problem for required inputs that no case has, at the suite's; else one for each case that lacks some."""
    everywhere = [name for name, cases in lacking.items() if len(cases) == len(suite.cases)]
    if everywhere:
        names = ", ".join(repr(name) for name in everywhere)
        message = f"prompt {prompt.ref} needs {names}; add it to this suite's inputs, such as {everywhere[0]}: ..."
        yield source.problem(("inputs",), message, key=True)
    for name, cases in lacking.items():
        for case in cases if name not in everywhere else ():
            message = (
                f"case {case.record.case_id!r} has no {name!r}, which prompt {prompt.ref} needs; add it to `inputs`."
            )
            yield source.problem_at(case.record.place, message)


PATTERN_TIMEOUT_S = 0.5
_DROPPED_WORDS = """
    required minProperties dependentRequired dependentSchemas not if then else patternProperties
"""
_DROPPED = frozenset(_DROPPED_WORDS.split())
"""What asks for more than a part has to hold, or can't be told of a part."""
_ADDRESSED = frozenset({"properties", "$defs", "definitions"})
"""Mappings whose keys are names, not words of JSON Schema."""


def misfits(value: JsonObject, schema: JsonObject, tool: str, *, whole: bool = False) -> list[Fault]:
    """Return everything in `value` that the tool's input could never be, with its path in `value`.

    A `whole` value is held against all that the schema asks for; else what is left out, and patterns, are no misfit.
    """
    if whole:
        validator: Any = jsonschema.Draft202012Validator(schema, registry=Registry())
    else:
        validator = _Lenient(_relaxed(schema), registry=Registry())
    found: list[Fault] = []
    try:
        for error in validator.iter_errors(value):
            found.extend(_worded(error, tool))
    except (Unresolvable, RecursionError) as error:
        return [Fault((), f"the schema of tool {tool!r} can't be followed: {error}")]
    return found


def _relaxed(schema: Any) -> Any:
    """Return a schema that also takes parts of what the original takes."""
    if isinstance(schema, list):
        return [_relaxed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    relaxed: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _ADDRESSED and isinstance(value, dict):
            relaxed[key] = {name: _relaxed(child) for name, child in value.items()}
        elif key not in _DROPPED:
            relaxed["anyOf" if key == "oneOf" else key] = value if key in {"enum", "const"} else _relaxed(value)
    return relaxed


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """Check a text against a pattern; one that can't be decided in time says nothing."""
    del validator, schema
    if not isinstance(instance, str) or pattern_fault(pattern):
        return
    try:
        if not regex.search(pattern, instance, timeout=PATTERN_TIMEOUT_S):
            yield jsonschema.ValidationError(f"{shown(instance)} does not match {pattern!r}")
    except (TimeoutError, regex.error):
        return


def _unless_pattern(check: Callable[..., Any]) -> Callable[..., Any]:
    def checked(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        if not (isinstance(instance, str) and pattern_of(instance) is not None):
            yield from check(validator, value, instance, schema) or ()

    return checked


# JSON Schema as it is, but a text between slashes may stand where any value is asked for.
_Lenient: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        name: _unless_pattern(_pattern if name == "pattern" else check)
        for name, check in jsonschema.Draft202012Validator.VALIDATORS.items()
    },
)


def _worded(error: jsonschema.ValidationError, tool: str) -> Iterator[Fault]:
    path = tuple(error.absolute_path)
    name = ".".join(str(step) for step in path) or "input"
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(schema.get("properties") or ())
        for key in error.instance:
            if key not in known:
                hint = did_you_mean(key, known) or f"; it has {', '.join(known) or 'none'}"
                yield Fault((*path, key), f"tool {tool!r} has no input {key!r}{hint}", on_key=True)
    elif error.validator == "type":
        kinds = error.validator_value
        wanted = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
        hint = " Put it in quotes." if "string" in wanted and isinstance(error.instance, int | float) else ""
        yield Fault(path, f"{name!r} of tool {tool!r} must be {wanted} by its input_schema.{hint}")
    elif error.validator == "enum":
        values: Any = error.validator_value
        allowed = [str(item) for item in values]
        hint = did_you_mean(str(error.instance), allowed)
        value = shown(str(error.instance))
        yield Fault(path, f"{name!r} of tool {tool!r} can't be {value}{hint}; it is {' or '.join(allowed)}")
    else:
        yield Fault(path, f"{name!r} does not fit the input_schema of tool {tool!r}: {error.message[:200]}")
