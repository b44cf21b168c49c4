"""What tools answer in a suite: the `tools` blocks of a suite and its cases as fixtures.

Knows which entry can never answer; must not know the tools themselves (`check.py` does).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.graders.grader import Fault, pattern_faults
from evalkit.reading.patterns import pattern_of
from evalkit.suites.format import FixtureFile
from evalkit.suites.requirements import Compiler
from evalkit.suites.values import Fixture
from evalkit.yamlsource import ValuePath

Fixtures = Mapping[str, tuple[Fixture, ...]]


def compile_fixtures(
    compiler: Compiler, tools: Mapping[str, list[FixtureFile]], path: ValuePath
) -> dict[str, tuple[Fixture, ...]]:
    """Return the fixtures of one `tools` block, by tool."""
    made: dict[str, tuple[Fixture, ...]] = {}
    for tool, entries in tools.items():
        compiler.mention(tool, (*path, tool))
        if not entries:
            compiler.problem((*path, tool), f"tool {tool!r} has no answers; expected at least one.")
        fixtures: list[Fixture] = []
        for index, entry in enumerate(entries):
            at = (*path, tool, index)
            if entry.when:
                compiler.mention(tool, (*at, "when"), entry.when)
                for fault in _pattern_faults(entry.when, ("when",)):
                    compiler.fault(at, fault)
            place = compiler.source.place(at)
            fixture = Fixture(tool, entry.when, entry.returns, entry.error, entry.times, entry.delay_ms, place)
            earlier = next((one for one in fixtures if one.times is None and _contains(entry.when, one.when)), None)
            if earlier is not None:
                what = "the same calls" if earlier.when else "every call"
                line = earlier.place.line
                message = f"never reached: the entry on line {line} answers {what} first. Move it up or remove it."
                compiler.problem(at, message, "warning")
            fixtures.append(fixture)
        made[tool] = tuple(fixtures)
    return made


def own_first(case: Fixtures, suite: Fixtures) -> Fixtures:
    """Return a case's fixtures: its own before the suite's."""
    return {
        tool: (*case.get(tool, ()), *suite.get(tool, ())) for tool in (*suite, *(t for t in case if t not in suite))
    }


def described_fixtures(fixtures: Fixtures) -> dict[str, Any]:
    """Return fixtures without their places, for a case's hash."""
    return {
        tool: [[one.when, one.returns, one.error, one.times, one.delay_ms] for one in entries]
        for tool, entries in sorted(fixtures.items())
    }


def _pattern_faults(value: Any, path: ValuePath) -> Iterator[Fault]:
    """Yield what is wrong with the `/.../` texts anywhere in a JSON value."""
    if isinstance(value, str) and (pattern := pattern_of(value)) is not None:
        yield from pattern_faults(path, pattern)
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in parts:
        yield from _pattern_faults(part, (*path, step))


def _contains(whole: Any, part: Any) -> bool:
    """Say whether `part` is a subset of `whole`: mappings key by key, everything else equal with its type."""
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and _contains(whole[key], value) for key, value in part.items())
    return type(whole) is type(part) and bool(whole == part)
