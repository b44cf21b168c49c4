"""What answers the tool calls of a case: its fixtures, its world and what stands behind them, in a run and in a chat.

Between suites and the engine: a source of tools as the engine takes one. Light, because a chat loads it while the
person waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import orjson

from evalkit.engine import ToolOutcome
from evalkit.engine.tools import NamedTools, not_available
from evalkit.graders.matching import matches_value
from evalkit.records import JsonObject, ToolCall
from evalkit.suites.values import Fixture
from evalkit.world import Course, World

NO_FIXTURE = "no fixture"
"""Where a result came from when nothing answers the call."""


class Staged(Protocol):
    """What says how tools answer: a case, a suite, or the setting of a chat."""

    @property
    def fixtures(self) -> Mapping[str, tuple[Fixture, ...]]:
        """The answers of each tool, in the order in which they are tried."""
        ...

    @property
    def world(self) -> World | None:
        """What answers after them."""
        ...


@dataclass(frozen=True)
class Stage:
    """How tools answer, where there is no case or suite to say it."""

    fixtures: Mapping[str, tuple[Fixture, ...]]
    world: World | None = None


def tools_of(staged: Staged, functions: NamedTools | None = None) -> CaseTools:
    """Return what answers the calls of one conversation: fixtures, the world, then `functions`, else nobody does."""
    return CaseTools(staged, functions)


def follow_calls(staged: Staged, calls: Iterable[ToolCall]) -> Course | None:
    """Return what recorded calls made of the world; those that a fixture answered are not its. None without a world."""
    if staged.world is None:
        return None
    # Only what worked counts, so only fixtures that let a call work can have kept one from the world.
    returning = {tool: tuple(one for one in made if one.error is None) for tool, made in staged.fixtures.items()}
    fixtures = _Fixtures(returning)
    worked = (call for call in calls if not call.is_error)
    return staged.world.follow(call for call in worked if fixtures.take(call.name, call.input) is None)


class CaseTools:
    """Answers each call with the first fixture that fits and is not used up, else from the world, which it changes.

    Make one for each trial; `entities` is what there is by now. A call is answered as soon as it is asked, whatever
    time it then takes: so those of one turn change the world in their order.
    """

    def __init__(self, staged: Staged, functions: NamedTools | None = None) -> None:
        self._fixtures = _Fixtures(staged.fixtures)
        self._world = staged.world
        self._functions = functions
        self.entities = staged.world.entities if staged.world else {}

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call; where nothing does, the model hears that the tool is down, and the record says why."""
        outcome = await self.known(name, tool_input)
        if outcome is not None:
            return outcome
        if self._functions is not None and name in self._functions:
            return await self._functions.call(name, tool_input)
        return not_available(name, NO_FIXTURE)

    async def known(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        """Answer one call from the suite, in the time that it takes there; None when nothing there answers it."""
        fixture = self._fixtures.take(name, tool_input)
        if fixture is None:
            return self._from_world(name, tool_input)
        await asyncio.sleep(fixture.delay_ms / 1000)
        return _outcome_of(fixture)

    def answer(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        """Answer one call from the suite at once; None when nothing there answers it."""
        fixture = self._fixtures.take(name, tool_input)
        return _outcome_of(fixture) if fixture else self._from_world(name, tool_input)

    def remembers(self, name: str) -> bool:
        """Return whether a tool reads and writes the world."""
        return self._world is not None and name in self._world.tools

    def stand_after(self, calls: Iterable[ToolCall]) -> None:
        """Stand where these calls, and no others, were made; what failed then has changed nothing."""
        self._fixtures.forget()
        self.entities = self._world.entities if self._world else {}
        for call in calls:
            if self._fixtures.take(call.name, call.input) is None and not call.is_error:
                self._from_world(call.name, call.input)

    def _from_world(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        if self._world is None or name not in self._world.tools:
            return None
        answer = self._world.call(self.entities, name, tool_input)
        self.entities = answer.entities
        if answer.broken:
            return not_available(name, answer.broken)
        return ToolOutcome(answer.output, answer.is_error, str(answer.place))


class _Fixtures:
    """The fixtures of one conversation, and how often each was used."""

    def __init__(self, fixtures: Mapping[str, tuple[Fixture, ...]]) -> None:
        self._fixtures = fixtures
        self._used: Counter[int] = Counter()

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


def _outcome_of(fixture: Fixture) -> ToolOutcome:
    """Return what a fixture answers."""
    if fixture.error is not None:
        return ToolOutcome(fixture.error, is_error=True, origin=str(fixture.place))
    value = fixture.returns
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return ToolOutcome(text, origin=str(fixture.place))
