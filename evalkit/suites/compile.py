"""Expectations and budgets to assertions, in the words graders take.

Knows the table of kinds and parameters; must not know how a grader decides. Patterns are compiled here once, so that a
wrong one is a problem of the file and not of a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from evalkit.records import Assertion, JsonObject, Level, Place, Problem
from evalkit.suites.expect_schema import Call, Expect, NoTools, ToolsExpect
from evalkit.suites.schema import BudgetFile
from evalkit.suites.values import ToolMention
from evalkit.yamlsource import Source, ValuePath, pattern_fault, shown

_LIMITS = {"cache_hit": "min"}
_TIMES = frozenset({"first_token_ms", "time_ms"})


@dataclass
class Found:
    """What compiling has found so far beside assertions."""

    problems: list[Problem] = field(default_factory=list)
    mentions: list[ToolMention] = field(default_factory=list)


def pattern_of(text: str) -> str | None:
    """Return the regular expression in `/.../`, or None when the text is meant literally."""
    return text[1:-1] if len(text) > 2 and text.startswith("/") and text.endswith("/") else None


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


def compile_expect(
    source: Source, expect: Expect | None, path: ValuePath, turn: int | None, found: Found
) -> tuple[Assertion, ...]:
    """Return the assertions of one `expect` (at `path`), about turn `turn` or the whole conversation."""
    if expect is None:
        return ()
    made = [*_texts(source, expect, path, found)]
    if expect.max_words is not None:
        place = source.key_place((*path, "max_words"))
        made.append(Assertion("max_words", {"max": expect.max_words}, place, f"max_words {expect.max_words}"))
    if expect.tools is not None:
        made.extend(_tools(source, expect.tools, (*path, "tools"), found))
    return tuple(
        Assertion(one.kind, one.params, one.place, one.label, turn=turn, level=one.level, rule=one.rule) for one in made
    )


def _texts(source: Source, expect: Expect, path: ValuePath, found: Found) -> Iterator[Assertion]:
    for kind, texts in (("says", expect.says), ("never_says", expect.never_says)):
        for index, text in enumerate(texts or ()):
            at = (*path, kind, index)
            yield Assertion(kind, _text(source, text, at, found), source.place(at), f"{kind} {_quoted(text)}")
    if expect.says_any:
        params = [_text(source, text, (*path, "says_any", n), found) for n, text in enumerate(expect.says_any)]
        label = "says_any " + ", ".join(_quoted(text) for text in expect.says_any)
        yield Assertion("says_any", {"texts": params}, source.key_place((*path, "says_any")), label)


def _text(source: Source, text: str, path: ValuePath, found: Found) -> dict[str, Any]:
    pattern = pattern_of(text)
    if pattern is None:
        if not text.strip():
            found.problems.append(source.problem(path, "an empty text is in every reply; write what must be said."))
        return {"text": text, "regex": False}
    problem = pattern_problem(source, path, pattern)
    found.problems.extend([problem] if problem else [])
    return {"text": pattern, "regex": True}


def _quoted(text: str) -> str:
    return text if pattern_of(text) is not None else f'"{text}"'


def _tools(source: Source, tools: ToolsExpect, path: ValuePath, found: Found) -> Iterator[Assertion]:
    if isinstance(tools, NoTools):
        yield Assertion("tools.none", {}, source.key_place(path), "tools: none")
        return
    if tools.calls:
        calls = [_call(source, call, (*path, "calls", n), found) for n, call in enumerate(tools.calls)]
        label = "tools.calls " + ", ".join(call.name for call in tools.calls)
        params = {"calls": calls, "order": tools.order}
        yield Assertion("tools.calls", params, source.key_place((*path, "calls")), label)
    for index, call in enumerate(tools.never or ()):
        at = (*path, "never", index)
        yield Assertion("tools.never", _call(source, call, at, found), source.place(at), f"tools.never {call.name}")
    if tools.max_calls is not None:
        place = source.key_place((*path, "max_calls"))
        yield Assertion("tools.max_calls", {"max": tools.max_calls}, place, f"tools.max_calls {tools.max_calls}")


def _call(source: Source, call: Call, path: ValuePath, found: Found) -> dict[str, Any]:
    place = source.place(path) if call.input is None else source.key_place((*path, call.name))
    found.mentions.append(ToolMention(call.name, place, call.input, (*path, call.name)))
    found.problems.extend(value_patterns(source, call.input, (*path, call.name)))
    return {"name": call.name, "input": call.input}


def _strings(value: Any, path: ValuePath) -> Iterator[tuple[ValuePath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, (*path, index))


def compile_budget(
    source: Source, suite: BudgetFile | None, case: BudgetFile | None, case_path: ValuePath
) -> tuple[Assertion, ...]:
    """Return one assertion per limit; the case's limit where both name one. Times are warnings unless `strict`."""
    limits: dict[str, tuple[Any, Place]] = {}
    for budget, path in ((suite, ("budget",)), (case, (*case_path, "budget"))):
        for name in budget.model_fields_set if budget else ():
            limits[name] = getattr(budget, name), source.key_place((*path, name))
    strict = limits.pop("strict", (False, None))[0]
    return tuple(
        Assertion(
            f"budget.{name}",
            {_LIMITS.get(name, "max"): limit},
            place,
            f"budget.{name}",
            level=Level.WARNING if name in _TIMES and not strict else Level.ERROR,
        )
        for name, (limit, place) in sorted(limits.items())
    )


def described(assertion: Assertion) -> JsonObject:
    """Return what an assertion demands without where it stands, for a case's hash."""
    return {"kind": assertion.kind, "params": assertion.params, "turn": assertion.turn, "level": assertion.level.value}
