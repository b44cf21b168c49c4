"""The chat at the terminal: plays messages, shows what comes, and holds what the commands work on.

Knows the session, the second version and the terminal; must not know keys (keyboard) or files (loading, saving).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.engine import ToolOutcome
from evalkit.records import JsonObject
from evalkit.repl.loading import StartingPoint
from evalkit.repl.screen import Screen
from evalkit.repl.session import Exchange, Session
from evalkit.repl.setting import PromptFiles
from evalkit.repl.tools import parse_result
from evalkit.repl.turn_view import Terminal, TurnView, call_line, show_call, show_result, speaker_of
from evalkit.repl.versus import Versus
from evalkit.reporting.safe_text import one_line, shorten_middle

SHOWN = 600  # characters of a reply that was left out


@dataclass
class Chat:
    """What the commands work on.

    `prefill` is on the line the next time something can be typed. `waiting` is the message of a loaded conversation
    that has no reply yet. `files` tell when the prompt is edited.
    """

    session: Session
    terminal: Terminal
    files: PromptFiles
    versus: Versus | None = None
    prefill: str = ""
    waiting: str = ""
    leaving: bool = False
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.session.setting.root

    @property
    def screen(self) -> Screen:
        """What the chat prints on."""
        return self.terminal.screen

    @property
    def sessions(self) -> list[Session]:
        """The session, and that of the second version where there is one."""
        return [self.session, self.versus.other] if self.versus is not None else [self.session]

    async def send(self, user: str) -> None:
        """Send a message and show what comes."""
        self.waiting = ""
        self.session.taken_back = ""
        if self.versus is not None:
            await self.versus.send(user)
            return
        before = len(self.session.exchanges)
        await self.terminal.play(self.session.send(user), TurnView(self.screen, self.session))
        if len(self.session.exchanges) == before:  # stopped before it was sent
            self.prefill = user

    async def retry(self) -> None:
        """Ask again for the last reply and say which one it is."""
        if self.versus is not None:
            await self.versus.retry()
            return
        count = len(self.session.last.answers)
        await self.terminal.play(self.session.retry(), TurnView(self.screen, self.session))
        now = len(self.session.last.answers)
        if now > count:
            self.screen.note(f"  {now}/{now}: this reply counts from here on")

    async def ask_result(self, name: str, tool_input: JsonObject, *, other: bool = False) -> ToolOutcome | None:
        """Ask the person for the result of a tool call, of the second version if `other`; Ctrl-C stops the turn."""
        if self.versus is not None:
            await self.versus.on_screen(other=other)
        if self.terminal.ask_line is None:
            return None
        async with self._asking:
            typed = self.session.tools.typed_result(name, tool_input)  # for the other side, a moment ago
            if typed is not None:
                return typed
            call = call_line(name, tool_input, 200).partition(" ")[2]
            self.screen.note(f"  {name} has no fixture for {call}.", "yellow")
            self.screen.note('  Type its result as JSON or text, "error: …", or Enter for "not found". Ctrl-C stops.')
            try:
                return parse_result(await self.terminal.ask("  result> "))
            except (KeyboardInterrupt, EOFError):
                self.terminal.interrupts.stop()
                await asyncio.Event().wait()  # until the turn's cancellation arrives here
                return None

    async def go_on_from(self, start: StartingPoint) -> None:
        """Take up a loaded conversation, up to before a reply; the first turns of a case are played."""
        session, screen = self.session, self.screen
        session.begin_with(start.opening, start.exchanges, start.origin)
        session.case = start.case
        if start.fixtures is not None:
            session.tools.use(start.fixtures)
        session.tools.replay(start.calls)
        screen.note(f"{start.origin}: {start.what}")
        for exchange in session.exchanges:
            self.show_exchange(exchange)
        for message in start.first:
            screen.say(f"you> {message}")
            await self.send(message)
            if session.last.answer.turn.failure is not None:
                break
        if start.left_out:
            screen.note(f"  the recorded reply, left out: {shorten_middle(one_line(start.left_out), SHOWN)}")
        for reason in start.reasons:
            screen.note(f"  why it failed: {one_line(reason)}", "yellow")
        self.prefill = self.waiting = start.waiting
        if not screen.one_shot:
            screen.note("  the last message waits on the line: Enter or /retry gets a new reply")

    def show_exchange(self, exchange: Exchange) -> None:
        """Print an exchange that was held before."""
        screen, turn = self.screen, exchange.answer.turn
        screen.say(f"you> {exchange.user}")
        for call in turn.tool_calls:
            show_call(screen, call.name, call.input)
            show_result(screen, call)
        if turn.reply:
            screen.speaker(speaker_of(exchange.answer.prompt))
            screen.reply(turn.reply)
            screen.end_reply()
