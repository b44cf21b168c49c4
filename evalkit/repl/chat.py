"""The chat at the terminal, with one version of a prompt or with two: plays messages and shows what comes.

`Chat` is what the commands work on. `Versus` sends every message to a second version too, shows both one after the
other or in columns, and asks which is better. Must not know keys (keyboard) or files (loading, saving).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from evalkit.content import UserContent, files_in, readable, text_of
from evalkit.engine import EngineEvent, TextArrived, ToolFinished, ToolOutcome, ToolStarted, TurnFinished
from evalkit.records import JsonObject
from evalkit.repl.attachments import blocks_with_files, with_files
from evalkit.repl.loading import StartingPoint
from evalkit.repl.record import LabelledReply, append_preference
from evalkit.repl.screen import Columns, Screen
from evalkit.repl.session import Exchange, Session
from evalkit.repl.setting import PromptFiles, judge_voice
from evalkit.repl.sources import parse_result
from evalkit.repl.turn_view import (
    Terminal,
    TurnView,
    call_line,
    footer,
    friendly,
    money,
    result_line,
    show_call,
    show_result,
    speaker_of,
    sum_up,
    voice_words,
)
from evalkit.reporting.safe_text import one_line, shorten_middle
from evalkit.wording import plural

SHOWN = 600  # characters of a reply that was left out


@dataclass
class Chat:
    """What the commands work on.

    `prefill` is on the line the next time something can be typed. `waiting` is the message of a loaded conversation
    that has no reply yet, `attached` are the blocks of pictures and documents that go with the next message. `files`
    tell when the prompt is edited.
    """

    session: Session
    terminal: Terminal
    files: PromptFiles
    versus: Versus | None = None
    prefill: str = ""
    waiting: UserContent = ""
    attached: list[JsonObject] = field(default_factory=list)
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

    def composed(self, text: str) -> UserContent:
        """Return a typed message with the files that go with it."""
        return with_files(text, self.attached, self.waiting)

    async def send(self, user: UserContent) -> None:
        """Send a message and show what comes."""
        self.waiting = ""
        attached, self.attached = self.attached, []
        if files := files_in(user):
            self.screen.note(f"  {', '.join(f'[{file}]' for file in files)}")
        self.session.taken_back = ""
        if self.versus is not None:
            await self.versus.play(lambda session: session.send(user))
            return
        before = len(self.session.exchanges)
        await self.terminal.play(self.session.send(user), TurnView(self.screen, self.session))
        if len(self.session.exchanges) == before:  # stopped before it was sent
            self.prefill, self.attached = text_of(user), attached

    async def retry(self) -> None:
        """Ask again for the last reply and say which one it is."""
        if self.versus is not None:
            await self.versus.play(Session.retry)
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

    def end_versus(self) -> Session | None:
        """Talk to one version again; return the session of the other, None when there was none."""
        if self.versus is None:
            return None
        other, self.versus = self.versus.other, None
        other.end()
        return other

    async def go_on_from(self, start: StartingPoint) -> None:
        """Take up a loaded conversation, up to before a reply; the first turns of a case are played."""
        session, screen, given = self.session, self.screen, self.attached
        held = {name: value for name, value in start.inputs.items() if name in session.setting.prompt.inputs}
        if any(session.setting.prompt.inputs[name] != value for name, value in held.items()):
            session.change(session.setting.with_inputs(held))
        session.begin_with(start.opening, start.exchanges, start.origin, start.staged)
        session.case = start.case
        session.tools.replay(start.calls)
        screen.note(f"{start.origin}: {start.what}")
        for exchange in session.exchanges:
            self.show_exchange(exchange)
        for message in start.first:
            screen.say(f"you> {text_of(message)}")
            await self.send(message)
            if session.last.answer.turn.failure is not None:
                break
        if start.left_out:
            screen.note(f"  the recorded reply, left out: {shorten_middle(one_line(start.left_out), SHOWN)}")
        for reason in start.reasons:
            screen.note(f"  why it failed: {one_line(reason)}", "yellow")
        self.waiting, self.prefill = start.waiting, text_of(start.waiting)
        self.attached = [*blocks_with_files(start.waiting), *given]
        if not screen.one_shot:
            screen.note("  the last message waits on the line: Enter or /retry gets a new reply")

    def show_exchange(self, exchange: Exchange) -> None:
        """Print an exchange that was held before."""
        screen, turn = self.screen, exchange.answer.turn
        screen.say(f"you> {readable(exchange.said)}")
        for call in turn.tool_calls:
            show_call(screen, call.name, call.input)
            show_result(screen, call)
        if turn.reply:
            screen.speaker(speaker_of(exchange.answer.prompt))
            screen.reply(turn.reply)
            screen.end_reply()


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

    async def on_screen(self, *, other: bool) -> None:
        """Wait until a side's turn is being shown: a question of its tools must not stand in the other's reply."""
        if other in self._on_screen:
            await self._on_screen[other].wait()

    async def play(self, turn: Callable[[Session], AsyncGenerator[EngineEvent]]) -> None:
        """Play a turn of both, show them, and where names are hidden ask which is better."""
        sessions = [self.main, self.other]
        if self.blind and self._random.random() < 0.5:
            sessions.reverse()

        def count_answers() -> list[int]:
            return [sum(len(each.answers) for each in session.exchanges) for session in sessions]

        before = count_answers()
        self._on_screen = {True: asyncio.Event(), False: asyncio.Event()}
        sides = [_Side(letter, session, turn(session)) for letter, session in zip("AB", sessions, strict=True)]
        screen = self._terminal.screen
        if not await self._terminal.interrupts.run(self._show(sides)):
            screen.note("  stopped; what came is kept. /undo takes the message back on both sides", "yellow")
            grew = [now > old for now, old in zip(count_answers(), before, strict=True)]
            if any(grew) and not all(grew):  # only one side has got the message: drop it, so that both talk of the same
                sessions[grew.index(True)].undo(1)
            return
        screen.note("  " + "   ".join(self._facts(side) for side in sides))
        if self.blind and all(session.exchanges for session in sessions):
            await self._ask_which_is_better(sides)

    async def _show(self, sides: list[_Side]) -> None:
        screen = self._terminal.screen
        names = [side.letter if self.blind else f"{side.letter} {side.ref}" for side in sides]
        async with asyncio.TaskGroup() as group:
            for side in sides:
                group.create_task(side.run())
            if screen.columns < WIDE:  # one from its first word to its last; the other has been talking meanwhile
                for side, name in zip(sides, names, strict=True):
                    screen.note(f"── {name} ──", "bold")
                    self._on_screen[side.session is self.other].set()
                    view = TurnView(screen, side.session, side.letter, with_footer=not self.blind)
                    while (event := await side.heard.get()) is not None:
                        view.show(event)
                return
            columns = Columns(screen, names)
            for on_screen in self._on_screen.values():
                on_screen.set()
            await asyncio.gather(*(self._fill(side, columns, index) for index, side in enumerate(sides)))

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
                    columns.line(index, friendly(event.turn.failure, event.turn))
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
            user = readable(sides[0].session.last.said)
            kept = f"   kept in {append_preference(main.setting.root, main.record.name, user, replies, better)}"
        who = ", ".join(f"{side.letter} was {side.ref}" for side in sides)
        self._terminal.screen.note(f"  {who}{kept}")
