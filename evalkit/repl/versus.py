"""Two versions side by side: every message goes to both, each keeps its own conversation.

Knows how both are shown one after the other or in columns, and what a person preferred; the sessions do the talking.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from evalkit.engine import EngineEvent, TextArrived, ToolFinished, ToolStarted, TurnFinished
from evalkit.records import Turn
from evalkit.repl.columns import Columns
from evalkit.repl.labels import append_preference
from evalkit.repl.session import Session
from evalkit.repl.streaming import TurnView, call_line, result_line
from evalkit.repl.voice import judge_voice
from evalkit.repl.wording import footer, friendly, money, sum_up, voice_words
from evalkit.wording import plural

if TYPE_CHECKING:
    from evalkit.repl.chat import Chat

WIDE = 140
"""Columns of the terminal from which on the two replies stand beside each other."""
_END = object()


@dataclass
class _Side:
    """One of the two in one turn: its letter, its session, and what it has told."""

    letter: str
    session: Session
    events: AsyncGenerator[EngineEvent]
    told: asyncio.Queue[EngineEvent | object] = field(default_factory=asyncio.Queue)

    @property
    def ref(self) -> str:
        """The prompt version's name."""
        return self.session.setting.prompt.ref

    async def run(self) -> None:
        """Play the turn into the queue."""
        try:
            async with aclosing(self.events):
                async for event in self.events:
                    self.told.put_nowait(event)
        finally:
            self.told.put_nowait(_END)


class Versus:
    """The second version of a chat. `blind` hides and shuffles the names until the person has answered."""

    def __init__(self, other: Session, *, blind: bool = False, random: Random | None = None) -> None:
        self.other = other
        self.blind = blind
        self._random = random or Random()  # noqa: S311 - which side stands first, no secret
        self._on_screen: dict[bool, asyncio.Event] = {}

    async def send(self, chat: Chat, user: str) -> None:
        """Send a message to both."""
        await self._both(chat, lambda session: session.send(user))

    async def on_screen(self, *, other: bool) -> None:
        """Wait until a side's turn is being shown: a question of its tools must not stand in the other's reply."""
        if other in self._on_screen:
            await self._on_screen[other].wait()

    async def retry(self, chat: Chat) -> None:
        """Ask both for another reply."""
        await self._both(chat, lambda session: session.retry())

    async def _both(self, chat: Chat, play: Callable[[Session], AsyncGenerator[EngineEvent]]) -> None:
        sessions = [chat.session, self.other]
        if self.blind and self._random.random() < 0.5:
            sessions.reverse()
        before = [_answers(session) for session in sessions]
        self._on_screen = {True: asyncio.Event(), False: asyncio.Event()}
        sides = [_Side(letter, session, play(session)) for letter, session in zip("AB", sessions, strict=True)]
        wide = chat.screen.columns >= WIDE
        done = await chat.interrupts.run(self._show(chat, sides, wide=wide))
        if not done:
            chat.screen.note("  stopped; what came is kept. /undo takes the message back on both sides", "yellow")
            await self._even_out(sides, before)
            return
        chat.screen.note("  " + difference(chat, sides, hidden=self.blind))
        if self.blind:
            await self._ask(chat, sides)

    async def _even_out(self, sides: list[_Side], before: list[int]) -> None:
        """Drop a stopped message where only one side has got it, so that both talk about the same."""
        grew = [_answers(side.session) > old for side, old in zip(sides, before, strict=True)]
        if any(grew) and not all(grew):
            for side, has in zip(sides, grew, strict=True):
                if has:
                    side.session.undo(1)

    async def _show(self, chat: Chat, sides: list[_Side], *, wide: bool) -> None:
        async with asyncio.TaskGroup() as group:
            for side in sides:
                group.create_task(side.run())
            if wide:
                await self._in_columns(chat, sides)
            else:
                for side in sides:
                    await self._one(chat, side)

    async def _one(self, chat: Chat, side: _Side) -> None:
        """Show one side from its first word to its last; the other has been talking meanwhile."""
        session = side.session
        name = side.letter if self.blind else f"{side.letter} {side.ref}"
        chat.screen.note(f"── {name} ──", "bold")
        self._on_screen[session is self.other].set()
        view = TurnView(chat.screen, side.letter, session.setting.rules, spent=chat.spent, with_footer=not self.blind)
        while (event := await side.told.get()) is not _END:
            view.show(event)  # type: ignore[arg-type]

    async def _in_columns(self, chat: Chat, sides: list[_Side]) -> None:
        names = [side.letter if self.blind else f"{side.letter} {side.ref}" for side in sides]
        columns = Columns(chat.screen, names)
        for on_screen in self._on_screen.values():
            on_screen.set()
        await asyncio.gather(*(self._fill(chat, side, columns, index) for index, side in enumerate(sides)))
        columns.finish()

    async def _fill(self, chat: Chat, side: _Side, columns: Columns, index: int) -> None:
        while (event := await side.told.get()) is not _END:
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
                    voice = judge_voice(event.turn, side.session.setting.rules)
                    columns.line(index, "")
                    columns.line(index, footer(event.turn, voice, spent=chat.spent))
                case _:
                    pass
        columns.over(index)

    async def _ask(self, chat: Chat, sides: list[_Side]) -> None:
        """Ask which reply is better, keep the answer, and only then say who was who."""
        if chat.ask_line is None or not all(side.session.exchanges for side in sides):
            return
        try:
            better = _choice(await chat.ask_line("  better? a/b/same (Enter: no answer) > "))
        except (KeyboardInterrupt, EOFError):
            better = ""
        chat.interrupts.arm()
        who = ", ".join(f"{side.letter} was {side.ref}" for side in sides)
        kept = ""
        if better:
            file = append_preference(chat.root, chat.session.record.name, [side.session for side in sides], better)
            kept = f"   kept in {file}"
        chat.screen.note(f"  {who}{kept}")


def difference(chat: Chat, sides: list[_Side], *, hidden: bool) -> str:
    """Return one line that sets the two replies beside each other: words, calls, rules, dollars."""
    return "   ".join(_facts(chat, side, hidden=hidden) for side in sides)


def _facts(chat: Chat, side: _Side, *, hidden: bool) -> str:
    if not side.session.exchanges:
        return f"{side.letter}: nothing"
    turn: Turn = side.session.last.answer.turn
    voice = judge_voice(turn, side.session.setting.rules)
    calls = len(turn.tool_calls)
    parts = [plural(len(turn.reply.split()), "word"), plural(calls, "call")]
    parts += [voice_words(voice).removesuffix(" (/why)")] if voice else []
    parts += [] if hidden else [money(sum_up(turn.requests), spent=chat.spent)]
    return f"{side.letter}: {', '.join(parts)}"


def _answers(session: Session) -> int:
    return sum(len(each.answers) for each in session.exchanges)


def _choice(text: str) -> str:
    word = text.strip().lower()
    return {"a": "a", "b": "b", "same": "same", "s": "same", "=": "same"}.get(word, "")
