"""Expectations about tools and outcomes to assertions, in the words graders take.

Knows the table of kinds and parameters, and what no tool call could ever fulfil; must not know how a grader decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalkit.graders import is_choice
from evalkit.reading.patterns import pattern_of
from evalkit.records import Assertion, Problem
from evalkit.suites.compiled import Found, pattern_problem, value_patterns
from evalkit.suites.tools_schema import Call, Needed, NoTools, Outcome, ToolsExpect
from evalkit.suites.values import ToolMention
from evalkit.yamlsource import Source, ValuePath


def compile_tools(source: Source, tools: ToolsExpect, path: ValuePath, found: Found) -> Iterator[Assertion]:
    """Yield the assertions of one `tools`; adds the tools it names and what is wrong."""
    if isinstance(tools, NoTools):
        yield Assertion("tools.none", {}, source.key_place(path), "tools: none")
        return
    match = {"match": tools.match.model_dump()} if tools.match else {}
    if tools.calls:
        calls = [compile_call(source, call, (*path, "calls", n), found) for n, call in enumerate(tools.calls)]
        label = "tools.calls " + ", ".join(call.name for call in tools.calls)
        params = {"calls": calls, "order": tools.order, **match}
        yield Assertion("tools.calls", params, source.key_place((*path, "calls")), label)
    for index, call in enumerate(tools.never or ()):
        at = (*path, "never", index)
        params = {**compile_call(source, call, at, found), **match}
        yield Assertion("tools.never", params, source.place(at), f"tools.never {call.name}")
    yield from _amounts(source, tools, path, found)
    for kind, needs in (("after", tools.after), ("before", tools.before)):
        for name, wanted in (needs or {}).items():
            for index, needed in enumerate(wanted):
                yield _sequence(source, (name, needed), (*path, kind, name, index), found, match)
    if tools.recovers is not None:
        hand_over = list(tools.recovers.hand_over or ())
        _mention(source, hand_over, (*path, "recovers", "hand_over"), found)
        yield Assertion("tools.recovers", {"hand_over": hand_over}, source.key_place((*path, "recovers")), "recovers")


def _amounts(source: Source, tools: ToolsExpect, path: ValuePath, found: Found) -> Iterator[Assertion]:
    limits = (("min_calls", "min"), ("max_redundant", "max"))
    for key, limit in limits:
        value = getattr(tools, key)
        if value is not None:
            place = source.key_place((*path, key))
            yield Assertion(f"tools.{key}", {limit: value}, place, f"tools.{key} {value}")
    for name, times in (tools.times or {}).items():
        place = source.key_place((*path, "times", name))
        found.mentions.append(ToolMention(name, place, None, (*path, "times", name)))
        yield Assertion(
            "tools.times", {"name": name, "min": times.low, "max": times.high}, place, f"tools.times {name}"
        )


def _sequence(
    source: Source, about: tuple[str, Needed], path: ValuePath, found: Found, match: dict[str, Any]
) -> Assertion:
    """Return the assertion of one entry of `after` or `before`, whose list index the file may leave out."""
    name, needed = about
    at = path if isinstance(source.value(path[:-1]), list) else path[:-1]
    place, kind = source.key_place(path[:-1]), str(path[-3])
    found.mentions.append(ToolMention(name, place, None, path[:-1]))
    if needed.call is not None:
        needs: dict[str, Any] = compile_call(source, needed.call, at, found)
        return Assertion(f"tools.{kind}", {"name": name, "needs": needs, **match}, place, _said(kind, name, needs))
    needs = {"consent": _consent(source, needed.consent or "", at, found)}
    if kind == "before":
        found.problems.append(source.problem(at, "`consent` belongs under `after`; nothing can come before it."))
    return Assertion(f"tools.{kind}", {"name": name, "needs": needs, **match}, place, _said(kind, name, needs))


def _said(kind: str, name: str, needs: dict[str, Any]) -> str:
    return f"tools.{kind} {name}: {needs.get('name', 'consent')}"


def _consent(source: Source, words: str, path: ValuePath, found: Found) -> str:
    if not words:
        return ""
    pattern = pattern_of(words)
    if pattern is None:
        message = "words of consent are a regular expression, such as consent: '/\\byes\\b/'; or write just consent."
        found.problems.append(source.problem(path, message))
        return ""
    problem = pattern_problem(source, (*path, "consent"), pattern)
    found.problems.extend([problem] if problem else [])
    return pattern


def compile_outcome(source: Source, outcome: Outcome, path: ValuePath, found: Found) -> Iterator[Assertion]:
    """Yield the assertions of one `outcome`; adds the tools it names and what is wrong."""
    _mention(source, outcome.write_tools or (), (*path, "write_tools"), found)
    shared = {"write_tools": list(outcome.write_tools or ()), "ids": list(outcome.ids or ())}
    if outcome.writes is not None:
        calls = [compile_call(source, call, (*path, "writes", n), found) for n, call in enumerate(outcome.writes)]
        for index, call in enumerate(outcome.writes):
            if call.name not in shared["write_tools"]:
                message = f"{call.name!r} is not among write_tools; add it there."
                found.problems.append(source.problem((*path, "writes", index), message))
        place = source.key_place((*path, "writes"))
        yield Assertion("outcome.writes", {**shared, "writes": calls}, place, "outcome.writes")
    if outcome.state is not None:
        params = {**shared, "state": list(outcome.state), "match": outcome.match}
        yield Assertion("outcome.state", params, source.key_place((*path, "state")), "outcome.state")
    if outcome.ended is not None:
        _mention(source, outcome.ended.calls or (), (*path, "ended", "calls"), found)
        how = {"user_says": outcome.ended.user_says, "calls": list(outcome.ended.calls or ())}
        yield Assertion("outcome.ended", how, source.key_place((*path, "ended")), "outcome.ended")


def compile_call(source: Source, call: Call, path: ValuePath, found: Found) -> dict[str, Any]:
    """Return a call as graders take it; adds its tool and what is wrong with its input."""
    place = source.place(path) if call.input is None else source.key_place((*path, call.name))
    plain = without_choices(call.input) if call.input is not None else None
    found.mentions.append(ToolMention(call.name, place, plain, (*path, call.name)))
    found.problems.extend(value_patterns(source, call.input, (*path, call.name)))
    found.problems.extend(_choice_problems(source, call.input, (*path, call.name)))
    return {"name": call.name, "input": call.input}


def without_choices(value: Any) -> Any:
    """Return an expected input without what only says what may stand there: the part a tool's schema can check."""
    if isinstance(value, dict):
        return {key: without_choices(item) for key, item in value.items() if not is_choice(item)}
    if isinstance(value, list):
        return [without_choices(item) for item in value if not is_choice(item)]
    return value


def _choice_problems(source: Source, value: Any, path: ValuePath) -> Iterator[Problem]:
    """Yield what is wrong with `{one_of: ...}` and its kin anywhere in an expected input."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _choice_problems(source, item, (*path, index))
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        at = (*path, key)
        if is_choice(item) and (fault := _choice_fault(item)):
            yield source.problem(at, fault)
        yield from _choice_problems(source, item, at)


def _choice_fault(choice: dict[str, Any]) -> str:
    ways: list[str] = [key for key in ("one_of", "value", "absent") if key in choice]
    if {"min", "max"} & choice.keys():
        ways.append("min/max")
    low, high = choice.get("min"), choice.get("max")
    numbers = [limit for limit in (low, high) if limit is not None]
    if len(ways) > 1:
        return f"{' and '.join(ways)} exclude each other; write one of them, or `value: {{...}}` for such an object."
    if any(isinstance(limit, bool) or not isinstance(limit, int | float) for limit in numbers):
        return "min and max are numbers; an object with such keys is written as `value: {...}`."
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        return f"min {low} is more than max {high}; no value can be both."
    if "one_of" in choice and (not isinstance(choice["one_of"], list) or not choice["one_of"]):
        return "`one_of` is a list of at least one value."
    flags = [key for key in ("optional", "absent") if key in choice and choice[key] is not True]
    return f"`{flags[0]}` is true or left out." if flags else ""


def _mention(source: Source, names: Any, path: ValuePath, found: Found) -> None:
    for index, name in enumerate(names):
        at = (*path, index)
        found.mentions.append(ToolMention(name, source.place(at), None, at))
