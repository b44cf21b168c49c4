"""Expectations and budgets to assertions, in the words graders take.

Knows which module compiles which part of `expect`; must not know how a grader decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from evalkit.graders import Requirement, requirement_of
from evalkit.graders.registry import BY_KIND, made_from
from evalkit.graders.text import TextGrader
from evalkit.records import Assertion, JsonObject, Level, Place
from evalkit.suites.compile_tools import compile_outcome, compile_tools
from evalkit.suites.compiled import Found
from evalkit.suites.expect_schema import Expect
from evalkit.suites.schema import BudgetFile
from evalkit.suites.values import ToolMention
from evalkit.yamlsource import FileModel, Source, ValuePath
from evalkit.yamlsource.nodes import ListNode

_LIMITS = {
    **dict.fromkeys(("cache_hit", "cold_cache_hit", "cache_kept", "turn_cache_kept"), "min"),
    "prefix_kept": "kept",
    "miss_reasons": "allowed",
}
_TIMES = frozenset({"first_token_ms", "time_ms"})


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
    made: list[Requirement | Assertion] = [*requirements(source, expect, "", path, turn, found)]
    if expect.normalise and not any(
        isinstance(one, Requirement) and isinstance(one.grader, TextGrader) for one in made
    ):
        message = "`normalise` says how texts are read, but nothing is expected of a text here."
        found.problems.append(source.problem((*path, "normalise"), message, key=True))
    if expect.tools is not None:
        made.extend(requirements(source, expect.tools, "tools", (*path, "tools"), turn, found))
        made.extend(compile_tools(source, expect.tools, (*path, "tools"), found))
    if expect.outcome is not None:
        if turn is not None:
            message = "'outcome' is about the whole conversation; move it to the expect of the case."
            found.problems.append(source.problem((*path, "outcome"), message, key=True))
        made.extend(compile_outcome(source, expect.outcome, (*path, "outcome"), found))
    return tuple(one if isinstance(one, Requirement) else requirement_of(replace(one, turn=turn)) for one in made)


def compile_budget(
    source: Source, suite: BudgetFile | None, case: BudgetFile | None, case_path: ValuePath
) -> tuple[Requirement, ...]:
    """Return one assertion per limit; the case's limit where both name one. Times are warnings unless `strict`."""
    limits: dict[str, tuple[Any, Place]] = {}
    for budget, path in ((suite, ("budget",)), (case, (*case_path, "budget"))):
        for name in budget.model_fields_set if budget else ():
            limits[name] = getattr(budget, name), source.key_place((*path, name))
    if limits.get("prefix_kept", (None,))[0] is False:
        del limits["prefix_kept"]
    strict = limits.pop("strict", (False, None))[0]
    return tuple(
        _budget_grader(name, limit, place)
        if f"budget.{name}" in BY_KIND
        else requirement_of(
            Assertion(
                f"budget.{name}",
                {_LIMITS.get(name, "max"): limit},
                place,
                f"budget.{name}",
                level=Level.WARNING if name in _TIMES and not strict else Level.ERROR,
            )
        )
        for name, (limit, place) in sorted(limits.items())
    )


def _budget_grader(name: str, limit: Any, place: Place) -> Requirement:
    return Requirement.of(BY_KIND[f"budget.{name}"].model_construct(**{name: limit}), place)


def described(assertion: Assertion) -> JsonObject:
    """Return what an assertion demands without where it stands, for a case's hash."""
    return {"kind": assertion.kind, "params": assertion.params, "turn": assertion.turn, "level": assertion.level.value}
