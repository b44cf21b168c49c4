"""Answers the tool calls of a chat: what was broken on purpose, recorded, typed before, in a suite, or asked now.

One instance for a whole chat; `rewind` forgets the calls of messages that were taken back. Knows no terminal: asking
the person is somebody else's function.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import orjson

from evalkit.engine import ToolOutcome
from evalkit.records import JsonObject, ToolCall
from evalkit.repl.setting import Fixtures
from evalkit.suites.fixtures import NO_FIXTURE, FixtureTools, outcome_of

BROKEN = "/tools fail"
TYPED = "typed by you"
RECORDED = "as recorded"

AskPerson = Callable[[str, JsonObject], Awaitable[ToolOutcome | None]]
"""Asks for the result of a call; None when there is nobody to ask."""


@dataclass(frozen=True)
class KnownResult:
    """A result that is given again for the same call: typed by the person, or out of a record."""

    name: str
    input: JsonObject
    outcome: ToolOutcome


class ChatTools:
    """A source of tool results, first match wins: broken, recorded (each once), typed, fixtures, the person."""

    def __init__(self, fixtures: Fixtures, ask: AskPerson | None = None) -> None:
        self.ask = ask
        self._fixtures = FixtureTools(fixtures)
        self._broken: set[str] = set()
        self._recorded: list[KnownResult] = []
        self.typed: list[KnownResult] = []

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call."""
        if name in self._broken:
            self._broken.discard(name)
            return ToolOutcome(f"{name} failed: upstream timeout", is_error=True, origin=BROKEN)
        known = self._recorded_result(name, tool_input) or self.typed_result(name, tool_input)
        if known is not None:
            return known
        fixture = self._fixtures.take(name, tool_input)
        if fixture is not None:
            await asyncio.sleep(fixture.delay_ms / 1000)
            return outcome_of(fixture)
        outcome = await self.ask(name, tool_input) if self.ask else None
        if outcome is None:
            return ToolOutcome(f"{name} is not available at the moment.", is_error=True, origin=NO_FIXTURE)
        self.typed.append(KnownResult(name, tool_input, outcome))
        return outcome

    def break_next(self, name: str) -> None:
        """Let the next call of a tool fail."""
        self._broken.add(name)

    def replay(self, calls: Iterable[ToolCall]) -> None:
        """Give recorded results again when the same calls are made."""
        self._recorded = [
            KnownResult(call.name, call.input, ToolOutcome(call.output, call.is_error, RECORDED)) for call in calls
        ]

    def use(self, fixtures: Fixtures) -> None:
        """Answer from other fixtures, none of them used up."""
        self._fixtures = FixtureTools(fixtures)

    def rewind(self, calls: Iterable[ToolCall]) -> None:
        """Stand where these calls, and no others, were made: fixtures for a number of calls may run out."""
        self._fixtures.forget()
        for call in calls:
            if call.origin not in {BROKEN, TYPED, RECORDED}:
                self._fixtures.take(call.name, call.input)

    def typed_result(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        """Return what the person typed for the same call before, if they did."""
        return next((one.outcome for one in self.typed if one.name == name and one.input == tool_input), None)

    def _recorded_result(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        same = [one for one in self._recorded if one.name == name and one.input == tool_input]
        if len(same) > 1:  # the call had several results: each is given once, the last one for good
            self._recorded.remove(same[0])
        return same[0].outcome if same else None


def parse_result(text: str) -> ToolOutcome:
    """Return the result that a person typed: JSON, `error: ...`, other text as it is, or nothing for "not found"."""
    stripped = text.strip()
    if not stripped:
        return ToolOutcome("not found", is_error=True, origin=TYPED)
    kind, colon, rest = stripped.partition(":")
    if colon and kind.lower() == "error":
        return ToolOutcome(rest.strip() or "failed", is_error=True, origin=TYPED)
    try:
        return ToolOutcome(orjson.dumps(orjson.loads(stripped)).decode(), origin=TYPED)
    except orjson.JSONDecodeError:
        return ToolOutcome(stripped, origin=TYPED)
