"""A suite against the prompt it runs with: the tools and inputs it names must be the prompt's.

Knows both sides as values; reads no file.
"""

from __future__ import annotations

from evalkit.prompts import PromptSource
from evalkit.records import Problem, PromptVersion
from evalkit.suites.tool_inputs import misfits
from evalkit.suites.values import Suite, ToolMention
from evalkit.yamlsource import did_you_mean


def check_against_prompt(suite: Suite, prompt: PromptVersion) -> list[Problem]:
    """Return a problem for every tool the prompt does not have, and for inputs its tools could never get."""
    tools = {str(tool["name"]): tool for tool in prompt.tools}
    problems = []
    for mention in suite.mentions:
        tool = tools.get(mention.name)
        if tool is None:
            if mention.path[-1] == "when":
                continue  # one answer of a tool whose name, the key above it, is a mention of its own
            hint = did_you_mean(mention.name, tools) or f"; it has {', '.join(tools) or 'no tools'}"
            message = f"no tool named {mention.name!r} in prompt {prompt.ref}{hint}"
            problems.append(_problem(suite, mention, message))
        elif mention.input and suite.source:
            for path, message in misfits(mention.input, tool["input_schema"], mention.name):
                problems.append(suite.source.problem((*mention.path, *path), message, key="has no input" in message))
    return problems


def check_inputs(suite: Suite, prompt: PromptSource) -> list[Problem]:
    """Return a problem for every input of the suite that the prompt does not know, and every required one missing."""
    if prompt.header is None or suite.source is None:
        return []
    inputs = prompt.header.inputs
    problems = [
        suite.source.problem(
            ("inputs", name),
            f"prompt {prompt.ref} has no input {name!r}{did_you_mean(name, inputs)}; inputs: "
            f"{', '.join(sorted(inputs)) or 'none'}",
            key=True,
        )
        for name in suite.inputs
        if name not in inputs
    ]
    missing = [name for name, spec in inputs.items() if spec.required and name not in suite.inputs]
    if missing:
        names = ", ".join(repr(name) for name in missing)
        message = f"prompt {prompt.ref} needs {names}; add it to this suite's inputs, such as {missing[0]}: ..."
        problems.append(suite.source.problem(("inputs",), message, key=True))
    return problems


def _problem(suite: Suite, mention: ToolMention, message: str) -> Problem:
    return suite.source.problem_at(mention.place, message) if suite.source else Problem(mention.place, message)
