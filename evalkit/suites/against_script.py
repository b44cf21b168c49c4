"""A prompt's stand-in script held against the prompt's versions and the cases that are played with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import FileProblems
from evalkit.records import JsonObject, Problem, PromptVersion
from evalkit.standin.script import Script, Stuck, check_script, script_path
from evalkit.standin.script.conversation import read_conversation
from evalkit.standin.script.play import MOST_CALLS, Pass
from evalkit.standin.script.rules import Rule
from evalkit.suites.fixture_tools import NO_FIXTURE, FixtureTools, outcome_of
from evalkit.suites.values import Case
from evalkit.yamlsource import parse_yaml, read_below


def check_against_script(
    root: Path, name: str, versions: Mapping[str, PromptVersion], played: Sequence[tuple[Case, PromptVersion]]
) -> list[Problem]:
    """Return what is wrong with the script of a prompt, if it has one.

    `versions` are all of the prompt's, rendered, by their names; `played` are its cases with the version they talk to.
    """
    file = script_path(root, name)
    if not (root / file).exists():
        return []
    try:
        text = read_below(root, file)
    except FileProblems as error:
        return list(error.problems)
    script, problems = check_script(text)
    if script is None:
        return problems
    source = parse_yaml(text)
    for sentence in script.prompt if versions else ():
        if not any(sentence in script.sentences_in(version.text) for version in versions.values()):
            message = f"no version of {name} holds {sentence!r}; what rests on it is never kept. Mend the pattern."
            problems.append(source.problem(("prompt", sentence), message, "warning"))
    for case, version in played:
        for slip in slips_on_the_way(script, case, version) if case.record.critical else ():
            message = f"the critical case {case.record.case_id!r} comes by this slip, and may fail by chance."
            problems.append(source.problem_at(slip.place, message, "warning"))
    return problems


def slips_on_the_way(script: Script, case: Case, prompt: PromptVersion) -> list[Rule]:
    """Play a case with a version of its prompt and return the slips that could have happened, in their order."""
    met: dict[int, Rule] = {}
    tools = FixtureTools(case.fixtures)
    messages: list[JsonObject] = list(case.history)
    if case.script:
        return []
    for turn in case.record.turns:
        messages.append({"role": "user", "content": turn})
        for _ in range(MOST_CALLS):
            request = {"system": list(prompt.system), "tools": list(prompt.tools), "messages": messages}
            conversation = read_conversation(request)
            one = Pass(script, conversation, 0, slips=lambda slip: met.setdefault(id(slip), slip))
            try:
                answer = one.answer("rules")
            except Stuck:
                return list(met.values())
            if answer is None:
                return list(met.values())
            if not answer.calls:
                messages.append({"role": "assistant", "content": " ".join(answer.said) or "-"})
                break
            messages += _answered(answer.calls, tools, len(messages))
    return list(met.values())


def _answered(calls: Sequence[Any], tools: FixtureTools, number: int) -> list[JsonObject]:
    """Return the assistant's calls and the message with what the fixtures answer."""
    asked, results = [], []
    for index, call in enumerate(calls):
        call_id = f"call_{number}_{index}"
        asked.append({"type": "tool_use", "id": call_id, "name": call.tool, "input": call.input})
        fixture = tools.take(call.tool, call.input)
        outcome = outcome_of(fixture) if fixture else None
        results.append(
            {
                "type": "tool_result",
                "tool_use_id": call_id,
                "content": outcome.output if outcome else NO_FIXTURE,
                "is_error": outcome.is_error if outcome else True,
            }
        )
    return [{"role": "assistant", "content": asked}, {"role": "user", "content": results}]
