"""The prompt versions that a suite's cases talk to: one prompt, rendered with the inputs of each.

Cases with equal inputs share a rendering. What can't be rendered is told once, with the cases it is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from evalkit.errors import FileProblems
from evalkit.prompts import PromptSource, render_prompt
from evalkit.records import CaseKey, Problem, PromptVersion
from evalkit.suites.against_prompt import check_inputs
from evalkit.suites.values import Case, Suite
from evalkit.yamlsource import raise_problems


def render_cases(
    suite: Suite, source: PromptSource, cases: Iterable[Case], given: Mapping[str, Any] | None = None
) -> dict[CaseKey, PromptVersion]:
    """Return the prompt version of each case; `given` are inputs that win over the suite's.

    Raises FileProblems with everything that is wrong with the inputs, or with what they render to.
    """
    given = given or {}
    raise_problems(check_inputs(suite, source, given))
    versions: dict[CaseKey, PromptVersion] = {}
    known: dict[bytes, PromptVersion] = {}
    failing: dict[Problem, list[str]] = {}
    for case in cases:
        inputs = {**case.inputs.values, **given}
        same = orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS)
        try:
            versions[case.record.key] = known[same] = known.get(same) or render_prompt(source, inputs)
        except FileProblems as error:
            for problem in error.problems:
                failing.setdefault(problem, []).append(case.record.case_id)
    differ = any(case.inputs.values != suite.inputs for case in suite.cases)
    raise_problems(replace(problem, cases=tuple(ids)) if differ else problem for problem, ids in failing.items())
    return versions


def takes_of(source: PromptSource, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the inputs that a prompt declares."""
    declared = source.header.inputs if source.header else {}
    return {name: value for name, value in inputs.items() if name in declared}


def changing_inputs(suites: Iterable[Suite]) -> dict[str, tuple[str, ...]]:
    """Return the inputs that cases or variants give themselves, each with the ids of those cases."""
    found: dict[str, dict[str, None]] = {}
    for suite in suites:
        for case in suite.cases:
            for name, path in case.inputs.paths.items():
                if path[0] == "cases":
                    found.setdefault(name, {})[case.record.case_id] = None
    return {name: tuple(ids) for name, ids in found.items()}
