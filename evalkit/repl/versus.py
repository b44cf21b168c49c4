"""Two versions side by side: every message goes to both, each keeps its own conversation.

Knows how both are shown one after the other or in columns, and asks what a person prefers; the sessions do the talking.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from random import Random

from evalkit.engine import EngineEvent, TextArrived, ToolFinished, ToolStarted, TurnFinished
from evalkit.repl.record import LabelledReply, append_preference
from evalkit.repl.screen import Columns
from evalkit.repl.session import Session
from evalkit.repl.setting import judge_voice
from evalkit.repl.turn_view import (
    Terminal,
    TurnView,
    call_line,
    footer,
    friendly,
    money,
    result_line,
    sum_up,
    voice_words,
)
from evalkit.wording import plural

WIDE = 140
"""Columns of the terminal from which on the two replies stand beside each other."""


@dataclass
class _Side:
    """One of the two in one turn: its letter, its session, and what is heard of its turn; None is the end of it."""

    letter: str
    session: Session
    events: AsyncGenerator[EngineEvent]
    heard: asyncio.Queue[EngineEvent | None] = field(default_factory=asyncio.Queue)

    @property
    def ref(self) -> str:
        """The prompt version's name."""
        return self.session.setting.prompt.ref

    async def run(self) -> None:
        """Play the turn into the queue."""
        try:
            async with aclosing(self.events):
                async for event in self.events:
                    self.heard.put_nowait(event)
        finally:
            self.heard.put_nowait(None)


class Versus:
    """A chat's own session and a second version. `blind` hides and shuffles the names until the person has answered."""

    def __init__(
        self, main: Session, other: Session, terminal: Terminal, *, blind: bool = False, random: Random | None = None
    ) -> None:
        self.main = main
        self.other = other
        self.blind = blind
        self._terminal = terminal
        self._random = random or Random()  # noqa: S311 - which side stands first, no secret
        self._on_screen: dict[bool, asyncio.Event] = {}

    async def send(self, user: str) -> None:
        """Send a message to both."""
        await self._both(lambda session: session.send(user))

    async def retry(self) -> None:
        """Ask both for another reply."""
        await self._both(lambda session: session.retry())

    async def on_screen(self, *, other: bool) -> None:
        """Wait until a side's turn is being shown: a question of its tools must not stand in the other's reply."""
        if other in self._on_screen:
            await self._on_screen[other].wait()

    async def _both(self, play: Callable[[Session], AsyncGenerator[EngineEvent]]) -> None:
        sessions = [self.main, self.other]
        if self.blind and self._random.random() < 0.5:
            sessions.reverse()
        before = [_count_answers(session) for session in sessions]
        self._on_screen = {True: asyncio.Event(), False: asyncio.Event()}
        sides = [_Side(letter, session, play(session)) for letter, session in zip("AB", sessions, strict=True)]
        screen = self._terminal.screen
        if not await self._terminal.interrupts.run(self._show(sides)):
            screen.note("  stopped; what came is kept. /undo takes the message back on both sides", "yellow")
            grew = [_count_answers(session) > old for session, old in zip(sessions, before, strict=True)]
            if any(grew) and not all(grew):  # only one side has got the message: drop it, so that both talk of the same
                sessions[grew.index(True)].undo(1)
            return
        screen.note("  " + "   ".join(self._facts(side) for side in sides))
        if self.blind and all(session.exchanges for session in sessions):
            await self._ask_which_is_better(sides)

    async def _show(self, sides: list[_Side]) -> None:
        names = [side.letter if self.blind else f"{side.letter} {side.ref}" for side in sides]
        async with asyncio.TaskGroup() as group:
            for side in sides:
                group.create_task(side.run())
            if self._terminal.screen.columns < WIDE:
                for side, name in zip(sides, names, strict=True):
                    await self._show_one(side, name)
                return
            columns = Columns(self._terminal.screen, names)
            for on_screen in self._on_screen.values():
                on_screen.set()
            await asyncio.gather(*(self._fill(side, columns, index) for index, side in enumerate(sides)))

    async def _show_one(self, side: _Side, name: str) -> None:
        """Show one side from its first word to its last; the other has been talking meanwhile."""
        screen = self._terminal.screen
        screen.note(f"── {name} ──", "bold")
        self._on_screen[side.session is self.other].set()
        view = TurnView(screen, side.session, side.letter, with_footer=not self.blind)
        while (event := await side.heard.get()) is not None:
            view.show(event)

    async def _fill(self, side: _Side, columns: Columns, index: int) -> None:
        """Show one side in its column."""
        session = side.session
        while (event := await side.heard.get()) is not None:
            match event:
                case TextArrived():
                    columns.text(index, event.text)
                case ToolStarted():
                    columns.line(index, f"→ {call_line(event.name, event.input, columns.width - 2)}")
                case ToolFinished():
                    columns.line(index, f"← {result_line(event.call, columns.width - 2)}")
                case TurnFinished() if event.turn.failure is not None:
                    columns.line(index, friendly(event.turn.failure))
                case TurnFinished() if not self.blind:
                    voice = judge_voice(event.turn, session.setting.rules)
                    columns.line(index, "")
                    columns.line(index, footer(event.turn, voice, spent=session.spent))
                case _:
                    pass
        columns.over(index)

    def _facts(self, side: _Side) -> str:
        """Return what is set beside the other side's: words, calls, rules, dollars."""
        session = side.session
        if not session.exchanges:
            return f"{side.letter}: nothing"
        turn = session.last.answer.turn
        voice = judge_voice(turn, session.setting.rules)
        parts = [plural(len(turn.reply.split()), "word"), plural(len(turn.tool_calls), "call")]
        parts += [voice_words(voice, hint="")] if voice else []
        parts += [] if self.blind else [money(sum_up(turn.requests), spent=session.spent)]
        return f"{side.letter}: {', '.join(parts)}"

    async def _ask_which_is_better(self, sides: list[_Side]) -> None:
        """Ask, keep the answer, and only then say who was who."""
        if self._terminal.ask_line is None:
            return
        try:
            typed = await self._terminal.ask("  better? a/b/same (Enter: no answer) > ")
        except (KeyboardInterrupt, EOFError):
            typed = ""
        words = {"a": "a", "b": "b", "same": "same", "s": "same", "=": "same"}
        better, main, kept = words.get(typed.strip().lower(), ""), self.main, ""
        if better:
            replies = {
                side.letter.lower(): LabelledReply(
                    side.session.setting.prompt, side.session.session_id, side.session.last.answer.turn.reply
                )
                for side in sides
            }
            user = sides[0].session.last.user
            kept = f"   kept in {append_preference(main.setting.root, main.record.name, user, replies, better)}"
        who = ", ".join(f"{side.letter} was {side.ref}" for side in sides)
        self._terminal.screen.note(f"  {who}{kept}")


def _count_answers(session: Session) -> int:
    return sum(len(each.answers) for each in session.exchanges)
