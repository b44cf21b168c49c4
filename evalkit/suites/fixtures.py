"""A suite's fixtures as the tools of a chatbot: what answers a call in a run, and in a chat.

Between suites and the engine: a source of tools as the engine takes one. Light, because a chat loads it while the
person waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

import orjson

from evalkit.engine import ToolOutcome
from evalkit.graders.matching import matches_value
from evalkit.records import JsonObject
from evalkit.suites.values import Fixture

NO_FIXTURE = "no fixture"
"""Where a result came from when the suite has none for the call."""


class FixtureTools:
    """Answers each call with the first fixture of the tool that fits and is not used up; make one for each trial."""

    def __init__(self, fixtures: Mapping[str, tuple[Fixture, ...]]) -> None:
        self._fixtures = fixtures
        self._used: Counter[int] = Counter()

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call; without a fixture the model hears that the tool is down, and the record says why."""
        fixture = self.take(name, tool_input)
        if fixture is None:
            return ToolOutcome(f"{name} is not available at the moment.", is_error=True, origin=NO_FIXTURE)
        await asyncio.sleep(fixture.delay_ms / 1000)
        return outcome_of(fixture)

    def take(self, name: str, tool_input: JsonObject) -> Fixture | None:
        """Return the fixture that answers a call, and count its use; None when there is none, or none is left."""
        for fixture in self._fixtures.get(name, ()):
            used_up = fixture.times is not None and self._used[id(fixture)] >= fixture.times
            if not used_up and matches_value(fixture.when, tool_input):
                self._used[id(fixture)] += 1
                return fixture
        return None

    def forget(self) -> None:
        """Stand where no call was made yet."""
        self._used.clear()


def outcome_of(fixture: Fixture) -> ToolOutcome:
    """Return what a fixture answers."""
    if fixture.error is not None:
        return ToolOutcome(fixture.error, is_error=True, origin=str(fixture.place))
    value = fixture.returns
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return ToolOutcome(text, origin=str(fixture.place))
