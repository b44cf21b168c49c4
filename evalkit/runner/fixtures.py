"""Tools that answer from a suite's fixtures; one instance per trial, because fixtures may run out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

import orjson

from evalkit.engine import ToolOutcome
from evalkit.graders.matching import matches_value
from evalkit.records import JsonObject
from evalkit.suites import Fixture

NO_FIXTURE = "no fixture"


class FixtureTools:
    """Answers each call with the first fixture of the tool that matches and is not used up."""

    def __init__(self, fixtures: Mapping[str, tuple[Fixture, ...]]) -> None:
        self._fixtures = fixtures
        self._used: Counter[int] = Counter()

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call; without a fixture the model hears that the tool is down, and the record says why."""
        fixture = self._take(name, tool_input)
        if fixture is None:
            return ToolOutcome(f"{name} is not available at the moment.", is_error=True, origin=NO_FIXTURE)
        await asyncio.sleep(fixture.delay_ms / 1000)
        if fixture.error is not None:
            return ToolOutcome(fixture.error, is_error=True, origin=str(fixture.place))
        value = fixture.returns
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return ToolOutcome(text, origin=str(fixture.place))

    def _take(self, name: str, tool_input: JsonObject) -> Fixture | None:
        for fixture in self._fixtures.get(name, ()):
            used_up = fixture.times is not None and self._used[id(fixture)] >= fixture.times
            if not used_up and matches_value(fixture.when, tool_input):
                self._used[id(fixture)] += 1
                return fixture
        return None
