"""What answers the tool calls of a case: its fixtures, and what stands behind them, in a run and in a chat.

Between suites and the engine: a source of tools as the engine takes one. Light, because a chat loads it while the
person waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

import orjson

from evalkit.engine import ToolOutcome
from evalkit.engine.tools import ToolSource, not_available
from evalkit.graders.matching import matches_value
from evalkit.records import JsonObject
from evalkit.suites.values import Fixture

NO_FIXTURE = "no fixture"
"""Where a result came from when nothing answers the call."""


class Staged(Protocol):
    """What says how tools answer: a case, a suite, or the setting of a chat."""

    @property
    def fixtures(self) -> Mapping[str, tuple[Fixture, ...]]:
        """The answers of each tool, in the order in which they are tried."""
        ...


def tools_of(staged: Staged, functions: ToolSource | None = None) -> CaseTools:
    """Return what answers the calls of one conversation: fixtures first, then `functions`, else nobody does."""
    return CaseTools(staged.fixtures, functions)


class CaseTools:
    """Answers each call with the first fixture of the tool that fits and is not used up; make one for each trial."""

    def __init__(self, fixtures: Mapping[str, tuple[Fixture, ...]], functions: ToolSource | None = None) -> None:
        self._fixtures = fixtures
        self._functions = functions
        self._used: Counter[int] = Counter()

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call; where nothing does, the model hears that the tool is down, and the record says why."""
        outcome = await self.known(name, tool_input)
        if outcome is not None:
            return outcome
        if self._functions is not None:
            return await self._functions.call(name, tool_input)
        return not_available(name, NO_FIXTURE)

    async def known(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        """Answer one call from the suite, in the time that it takes there; None when nothing there answers it."""
        fixture = self._take(name, tool_input)
        if fixture is None:
            return None
        await asyncio.sleep(fixture.delay_ms / 1000)
        return _outcome_of(fixture)

    def answer(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        """Answer one call from the suite at once; None when nothing there answers it."""
        fixture = self._take(name, tool_input)
        return _outcome_of(fixture) if fixture else None

    def forget(self) -> None:
        """Stand where no call was made yet."""
        self._used.clear()

    def _take(self, name: str, tool_input: JsonObject) -> Fixture | None:
        """Return the fixture that answers a call, and count its use; None when there is none, or none is left."""
        for fixture in self._fixtures.get(name, ()):
            used_up = fixture.times is not None and self._used[id(fixture)] >= fixture.times
            if not used_up and matches_value(fixture.when, tool_input):
                self._used[id(fixture)] += 1
                return fixture
        return None


def _outcome_of(fixture: Fixture) -> ToolOutcome:
    """Return what a fixture answers."""
    if fixture.error is not None:
        return ToolOutcome(fixture.error, is_error=True, origin=str(fixture.place))
    value = fixture.returns
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return ToolOutcome(text, origin=str(fixture.place))
