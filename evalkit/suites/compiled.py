"""What compiling a suite file finds beside assertions, and what is wrong with the patterns in it.

Patterns are compiled here once, so that a wrong one is a problem of the file and not of a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from evalkit.reading.patterns import pattern_of
from evalkit.records import Problem
from evalkit.suites.values import ToolMention
from evalkit.yamlsource import Source, ValuePath, pattern_fault, shown


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
