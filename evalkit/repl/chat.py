"""The chat at the terminal: plays messages, shows what comes, and holds what the commands work on.

Knows the session, the screen and who to ask; must not know keys (line_editor) or files (loading, saving).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.engine import EngineEvent, ToolOutcome
from evalkit.records import JsonObject
from evalkit.repl.interrupts import Interrupts
from evalkit.repl.screen import Screen
from evalkit.repl.session import Session
from evalkit.repl.streaming import TurnView, call_line, speaker_of
from evalkit.repl.tools import parse_result
from evalkit.repl.versus import Versus
from evalkit.repl.watched import Watched

AskLine = Callable[[str], Awaitable[str]]
"""Asks the person for one line; KeyboardInterrupt when they would rather not."""


@dataclass
class Chat:
    """What the commands work on. `ask_line` is None where there is nobody to ask.

    `prefill` is on the line the next time something can be typed. `waiting` is the message of a loaded conversation
    that has no reply yet.
    """

    session: Session
    screen: Screen
    interrupts: Interrupts
    ask_line: AskLine | None = None
    versus: Versus | None = None
    prefill: str = ""
    waiting: str = ""
    leaving: bool = False
    watched: Watched | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.session.setting.root

    @property
    def spent(self) -> bool:
        """Whether replies cost money here."""
        return self.session.connection.source.kind == "live"

    async def send(self, user: str) -> None:
        """Send a message and show what comes."""
        self.waiting = ""
        self.session.taken_back = ""
        if self.versus is not None:
            await self.versus.send(self, user)
            return
        before = len(self.session.exchanges)
        await self.play(self.session.send(user))
        if len(self.session.exchanges) == before:  # stopped before it was sent
            self.prefill = user

    async def retry(self) -> None:
        """Ask again for the last reply and say which one it is."""
        if self.versus is not None:
            await self.versus.retry(self)
            return
        count = len(self.session.last.answers)
        await self.play(self.session.retry())
        now = len(self.session.last.answers)
        if now > count:
            self.screen.note(f"  {now}/{now}: this reply counts from here on")

    async def play(self, events: AsyncGenerator[EngineEvent], label: str = "") -> None:
        """Show a turn until its end, or until Ctrl-C."""
        view = self.view(label)

        async def show() -> None:
            async with aclosing(events):
                async for event in events:
                    view.show(event)

        if not await self.interrupts.run(show()):
            view.stopped()

    def view(self, label: str = "") -> TurnView:
        """Return what shows a turn of the session."""
        setting = self.session.setting
        return TurnView(self.screen, label or speaker_of(setting.prompt), setting.rules, spent=self.spent)

    async def result(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        """Ask the person for the result of a tool call of the chat's own session; Ctrl-C stops the turn."""
        if self.versus is not None:
            await self.versus.on_screen(other=False)
        return await self._result_from_person(name, tool_input)

    async def result_for_other(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        """Ask for the result of a tool call of the second version, when its turn is on the screen."""
        if self.versus is not None:
            await self.versus.on_screen(other=True)
        return await self._result_from_person(name, tool_input)

    async def _result_from_person(self, name: str, tool_input: JsonObject) -> ToolOutcome | None:
        if self.ask_line is None:
            return None
        async with self._asking:
            typed = self.session.tools.known_typed(name, tool_input)  # for the other side, a moment ago
            if typed is not None:
                return typed
            call = call_line(name, tool_input, 200).partition(" ")[2]
            self.screen.note(f"  {name} has no fixture for {call}.", "yellow")
            self.screen.note('  Type its result as JSON or text, "error: …", or Enter for "not found". Ctrl-C stops.')
            try:
                text = await self.ask_line("  result> ")
            except (KeyboardInterrupt, EOFError):
                self.interrupts.arm()
                self.interrupts.stop()
                await asyncio.Event().wait()  # until the turn's cancellation arrives here
                return None
        return parse_result(text)
