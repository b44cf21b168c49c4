"""Where a chat's replies and tool results come from: one `Connection` and one `ChatTools` for a whole chat.

Replies are live or the stand-in's. Loading the SDK takes a second and starting the stand-in some more; both happen in
a thread of their own while the person types the first message. Knows no terminal: asking the person for a tool's
result is somebody else's function.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial

import orjson

from evalkit.engine import ApiReplies, Limits, Price, Replies, ToolOutcome
from evalkit.engine.platforms import ANTHROPIC
from evalkit.engine.tools import not_available, run_in_thread
from evalkit.errors import UsageError
from evalkit.records import JsonObject, ToolCall
from evalkit.repl.setting import Setting
from evalkit.source import (
    LIVE,
    STAND_IN,
    OpenSource,
    describe_source,
    load_source,
    open_door,
    require_credential,
    stand_in_headers,
    usual_source,
)
from evalkit.standin.reply import Cue
from evalkit.standin.script import Script, load_script
from evalkit.suites.fixtures import NO_FIXTURE, Staged, tools_of

LIMITS = Limits(turn_s=300.0)  # a person is waiting


@dataclass(frozen=True)
class CaseSteps:
    """What the stand-in does in a case, and how many replies stood before it; live replies know nothing of it."""

    steps: tuple[JsonObject, ...] = ()
    replies_before: int = 0


class Connection:
    """Replies for one chat over one pool of connections; `warm_up` early, close at the end."""

    def __init__(self, via: str, platform: str, price: Price) -> None:
        self.source = describe_source(via, platform)
        self._via = via
        self._platform = platform
        self._price = price
        self._opening: asyncio.Task[OpenSource] | None = None
        self._scripts: dict[str, Script] = {}

    def warm_up(self) -> asyncio.Task[OpenSource]:
        """Begin to load and open, if that is not done or under way, and return at once."""
        failed = self._opening is not None and self._opening.done() and self._opening.exception() is not None
        if self._opening is None or failed:  # what was missing may be there now
            self._opening = asyncio.create_task(self._open())
        return self._opening

    async def replies(self, setting: Setting, trial: int = 1, case: CaseSteps | None = None) -> Replies:
        """Return a source of replies; `trial` tells the stand-in which of several answers to give.

        The stand-in plays the script of the setting's prompt as it stands now; FileProblems when it can't be read.
        """
        opened = await asyncio.shield(self.warm_up())
        case = case or CaseSteps()
        script = load_script(setting.root, setting.prompt.name) if self.source.kind == "stand-in" else None
        if script is not None:
            self._scripts.setdefault(script.sha, script)
        cue = Cue(script.sha if script else "")
        headers = stand_in_headers(self.source, trial, cue, case.steps, case.replies_before)
        return ApiReplies(opened.door, self._price, headers=headers, limits=LIMITS, limiter=opened.limiter)

    async def close(self) -> None:
        """Close what was opened."""
        if self._opening is not None:
            await asyncio.wait([self._opening])
            if self._opening.exception() is None:
                await self._opening.result().close()

    async def _open(self) -> OpenSource:
        await run_in_thread(partial(load_source, self._via))
        return open_door(self._via, self._platform, scripts=self._scripts)


def choose_source(asked: str | None, platform: str = ANTHROPIC) -> str:
    """Return `live` or `stand-in`: what was asked for, else the usual one. UsageError when it can't be used."""
    via = asked or usual_source(platform)
    if via not in {LIVE, STAND_IN}:
        raise UsageError(f"--via {via}: a chat needs replies that are made now; expected live or stand-in.")
    require_credential(via, platform)
    return via


BROKEN = "/tools fail"
TYPED = "typed by you"
RECORDED = "as recorded"
_NOT_THE_SUITES = frozenset({BROKEN, TYPED, RECORDED, "invalid input"})

AskPerson = Callable[[str, JsonObject], Awaitable[ToolOutcome | None]]
"""Asks for the result of a call; None when there is nobody to ask."""


@dataclass(frozen=True)
class KnownResult:
    """A result that is given again for the same call: typed by the person, or out of a record."""

    name: str
    input: JsonObject
    outcome: ToolOutcome


class ChatTools:
    """A source of tool results, first match wins.

    Broken, recorded (each once), typed, what the suite says, the functions of `--tools`, the person.
    """

    def __init__(self, setting: Setting, ask: AskPerson | None = None) -> None:
        self.ask = ask
        self._setting = setting
        self.use(setting)
        self._broken: set[str] = set()
        self._recorded: list[KnownResult] = []
        self.typed: list[KnownResult] = []

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call."""
        if name in self._broken:
            self._broken.discard(name)
            return ToolOutcome(f"{name} failed: upstream timeout", is_error=True, origin=BROKEN)
        if not self._suite.remembers(name):  # else a write of this conversation could go unseen
            recorded = [one for one in self._recorded if one.name == name and one.input == tool_input]
            if len(recorded) > 1:  # the call had several results: each is given once, the last one for good
                self._recorded.remove(recorded[0])
            known = recorded[0].outcome if recorded else self.typed_result(name, tool_input)
            if known is not None:
                return known
        answered = await self._suite.known(name, tool_input)
        if answered is not None:
            return answered
        if self._functions is not None and name in self._functions:
            return await self._functions.call(name, tool_input)
        outcome = await self.ask(name, tool_input) if self.ask else None
        if outcome is None:
            return not_available(name, NO_FIXTURE)
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

    def use(self, staged: Staged) -> None:
        """Answer as another suite or case says, from its beginning; functions get a context of their own."""
        if isinstance(staged, Setting):
            self._setting = staged
        module = self._setting.functions
        self._suite = tools_of(staged)
        self._functions = module.in_session("chat", self._setting.prompt.inputs) if module else None

    def rewind(self, calls: Iterable[ToolCall]) -> None:
        """Stand where these calls, and no others, were made: fixtures may run out, and a world remembers.

        What a function has done stays done.
        """
        self._suite.stand_after(call for call in calls if call.origin not in _NOT_THE_SUITES)

    def typed_result(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        """Return what the person typed for the same call before, if they did."""
        return next((one.outcome for one in self.typed if one.name == name and one.input == tool_input), None)


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
