"""What tools answer in a suite: the `tools` blocks of a suite and its cases as fixtures.

Knows which entry can never answer; must not know the tools themselves (`check.py` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.records import Problem
from evalkit.suites.format import FixtureFile
from evalkit.suites.requirements import Found, value_patterns
from evalkit.suites.values import Fixture, ToolMention
from evalkit.yamlsource import Source, ValuePath

Fixtures = Mapping[str, tuple[Fixture, ...]]


def compile_fixtures(
    source: Source, tools: Mapping[str, list[FixtureFile]], path: ValuePath, found: Found
) -> dict[str, tuple[Fixture, ...]]:
    """Return the fixtures of one `tools` block, by tool; adds the tools it names and what is wrong."""
    made: dict[str, tuple[Fixture, ...]] = {}
    for tool, entries in tools.items():
        place = source.key_place((*path, tool))
        found.mentions.append(ToolMention(tool, place, None, (*path, tool)))
        if not entries:
            found.problems.append(
                source.problem((*path, tool), f"tool {tool!r} has no answers; expected at least one.")
            )
        fixtures = []
        for index, entry in enumerate(entries):
            at = (*path, tool, index)
            if entry.when:
                found.mentions.append(ToolMention(tool, source.key_place((*at, "when")), entry.when, (*at, "when")))
                found.problems.extend(value_patterns(source, entry.when, (*at, "when")))
            fixtures.append(_fixture(source, tool, entry, at))
            found.problems.extend(_unreachable(source, fixtures, at))
        made[tool] = tuple(fixtures)
    return made


def merged(case: Fixtures, suite: Fixtures) -> Fixtures:
    """Return a case's fixtures: its own before the suite's."""
    return {
        tool: (*case.get(tool, ()), *suite.get(tool, ())) for tool in (*suite, *(t for t in case if t not in suite))
    }


def described(fixtures: Fixtures) -> dict[str, Any]:
    """Return fixtures without their places, for a case's hash."""
    return {
        tool: [[one.when, one.returns, one.error, one.times, one.delay_ms] for one in entries]
        for tool, entries in sorted(fixtures.items())
    }


def _fixture(source: Source, tool: str, entry: FixtureFile, path: ValuePath) -> Fixture:
    return Fixture(tool, entry.when, entry.returns, entry.error, entry.times, entry.delay_ms, place=source.place(path))


def _unreachable(source: Source, fixtures: list[Fixture], path: ValuePath) -> list[Problem]:
    """Return a problem when an earlier entry answers everything the last one would."""
    last = fixtures[-1]
    for earlier in fixtures[:-1]:
        if earlier.times is None and contains(last.when, earlier.when):
            what = "every call" if not earlier.when else "the same calls"
            message = (
                f"never reached: the entry on line {earlier.place.line} answers {what} first. Move it up or remove it."
            )
            return [source.problem(path, message, "warning")]
    return []


def contains(whole: Any, part: Any) -> bool:
    """Say whether `part` is a subset of `whole`: mappings key by key, everything else equal with its type."""
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    return type(whole) is type(part) and bool(whole == part)
