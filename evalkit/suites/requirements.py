"""What compiling a suite file finds beside assertions, and what is wrong with the patterns in it.

Patterns are compiled here once, so that a wrong one is a problem of the file and not of a run.

Expectations and budgets to assertions, in the words graders take.

Knows which module compiles which part of `expect`; must not know how a grader decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from evalkit.graders import Requirement
from evalkit.graders.registry import made_from
from evalkit.graders.text import TextGrader
from evalkit.graders.tools import NoTools
from evalkit.reading.patterns import pattern_of
from evalkit.records import Assertion, JsonObject, Place, Problem
from evalkit.suites.format import BudgetFile, Expect, NoToolsExpect
from evalkit.suites.values import ToolMention
from evalkit.yamlsource import FileModel, Source, ValuePath, pattern_fault, shown
from evalkit.yamlsource.nodes import ListNode


@dataclass
class Found:
    """What compiling has found so far beside assertions."""

    problems: list[Problem] = field(default_factory=list)
    mentions: list[ToolMention] = field(default_factory=list)


def pattern_problem(source: Source, path: ValuePath, pattern: str, *, key: bool = False) -> Problem | None:
    """Return what is wrong with a regular expression, or None."""
    fault = pattern_fault(pattern)
    return source.problem(path, f"{shown(pattern)} {fault}", key=key) if fault else None


def value_patterns(source: Source, value: Any, path: ValuePath) -> Iterator[Problem]:
    """Yield what is wrong with the `/.../` texts anywhere in a JSON value."""
    for at, text in _strings(value, path):
        pattern = pattern_of(text)
        if pattern is not None and (problem := pattern_problem(source, at, pattern)):
            yield problem


def _strings(value: Any, path: ValuePath) -> Iterator[tuple[ValuePath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, (*path, index))


def requirements(  # noqa: PLR0917
    source: Source, values: FileModel | None, mapping: str, path: ValuePath, turn: int | None, found: Found
) -> Iterator[Requirement]:
    """Yield what a mapping at `path` demands; adds the tools it names and what is wrong with it."""
    for grader in made_from(values, mapping) if values is not None else ():
        for at, part in grader.parts():
            yield Requirement.of(part, source.key_place((*path, *at)), turn)
        for fault in grader.problems():
            at = _as_written(source, (*path, *fault.path))
            found.problems.append(source.problem(at, fault.message, key=fault.on_key))
        for name, at, given in grader.mentions():
            at = _as_written(source, (*path, *at))
            found.mentions.append(ToolMention(name, source.key_place(at), given, at))


def _as_written(source: Source, path: ValuePath) -> ValuePath:
    """Return a path without the index of an entry whose list of one the file leaves out."""
    return tuple(
        step for n, step in enumerate(path) if isinstance(step, str) or isinstance(source.node(path[:n]), ListNode)
    )


def compile_expect(
    source: Source, expect: Expect | None, path: ValuePath, turn: int | None, found: Found
) -> tuple[Requirement, ...]:
    """Return the assertions of one `expect` (at `path`), about turn `turn` or the whole conversation."""
    if expect is None:
        return ()
    made = [*requirements(source, expect, "", path, turn, found)]
    if expect.normalise and not any(isinstance(one.grader, TextGrader) for one in made):
        message = "`normalise` says how texts are read, but nothing is expected of a text here."
        found.problems.append(source.problem((*path, "normalise"), message, key=True))
    if expect.tools is not None:
        at = (*path, "tools")
        if isinstance(expect.tools, NoToolsExpect):
            made.append(Requirement.of(NoTools(), source.key_place(at), turn))
        made.extend(requirements(source, expect.tools, "tools", at, turn, found))
    if expect.outcome is not None:
        if turn is not None:
            message = "'outcome' is about the whole conversation; move it to the expect of the case."
            found.problems.append(source.problem((*path, "outcome"), message, key=True))
        made.extend(requirements(source, expect.outcome, "outcome", (*path, "outcome"), turn, found))
    return tuple(made)


def compile_budget(
    source: Source, suite: BudgetFile | None, case: BudgetFile | None, case_path: ValuePath
) -> tuple[Requirement, ...]:
    """Return one assertion per limit; the case's limit where both name one. Times are warnings unless `strict`."""
    given: dict[str, Any] = {}
    places: dict[str, Place] = {}
    for budget, path in ((suite, ("budget",)), (case, (*case_path, "budget"))):
        for name in budget.model_fields_set if budget else ():
            given[name], places[name] = getattr(budget, name), source.key_place((*path, name))
    graders = made_from(BudgetFile.model_construct(**given), "budget")
    made = [Requirement.of(part, places[grader.key()]) for grader in graders for _, part in grader.parts()]
    return tuple(sorted(made, key=lambda one: one.assertion.kind))


def described(assertion: Assertion) -> JsonObject:
    """Return what an assertion demands without where it stands, for a case's hash."""
    return {"kind": assertion.kind, "params": assertion.params, "turn": assertion.turn, "level": assertion.level.value}
