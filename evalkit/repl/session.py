"""One chat without its terminal: the conversation, its alternatives, the prompt, the tools, the record.

Everything the terminal shows it learns from here; everything that is sent goes through the engine. Must not print.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from evalkit.engine import (
    Ask,
    Chatbot,
    Conversation,
    EngineEvent,
    Replies,
    RequestEvent,
    RequestFinished,
    TextArrived,
    ToolFinished,
    TurnFinished,
)
from evalkit.engine.history import without_thinking
from evalkit.errors import UsageError
from evalkit.records import Failure, JsonObject, Request, ToolCall, Transcript, Turn
from evalkit.repl.connection import Connection, Script
from evalkit.repl.exchange import INTERRUPTED, Answer, Exchange, fresh
from evalkit.repl.record import CASE, ChatRecord, RecordedSession
from evalkit.repl.setting import Setting
from evalkit.repl.tools import ChatTools

PATIENCE_S = 24 * 3600.0  # a person may have to type a tool's result


class _Noted:
    """Passes asks on and remembers the last one: what was sent must be known when the reply is stopped half-way."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self.ask_made: Ask | None = None

    async def ask(self, ask: Ask) -> AsyncGenerator[RequestEvent]:
        self.ask_made = ask
        async with aclosing(self._replies.ask(ask)) as events:
            async for event in events:
                yield event


@dataclass
class _Going:
    """What a turn that is being played has told so far."""

    before: Conversation
    user: str
    noted: _Noted
    requests: list[Request] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    text: str = ""
    over: bool = False

    def take(self, event: EngineEvent) -> None:
        """Gather what the event tells."""
        match event:
            case TextArrived():
                self.text += event.text
            case RequestFinished():
                self.requests.append(event.request)
                self.text = ""
            case ToolFinished():
                self.calls.append(event.call)
            case TurnFinished():
                self.over = True
            case _:
                pass


class Session:
    """A conversation with one prompt version that can be changed, gone back in and asked again."""

    def __init__(
        self, setting: Setting, connection: Connection, tools: ChatTools, record: ChatRecord, case_id: str = CASE
    ) -> None:
        self.setting = setting
        self.tools = tools
        self.connection = connection
        self.record = record
        self.exchanges: list[Exchange] = []
        self.opening: tuple[JsonObject, ...] = ()
        self.script = Script()
        self.taken_back = ""
        self.origin = ""
        self._case_id = case_id
        self._recorded: RecordedSession | None = None

    @property
    def conversation(self) -> Conversation:
        """Where the conversation stands."""
        return self.exchanges[-1].answer.after if self.exchanges else Conversation(messages=self.opening)

    @property
    def session_id(self) -> str:
        """The name of the current stretch in the record, empty before the first message."""
        return self._recorded.session_id if self._recorded else ""

    @property
    def last(self) -> Exchange:
        """The last exchange; UsageError when nothing was said."""
        if not self.exchanges:
            raise UsageError("nothing was said yet.")
        return self.exchanges[-1]

    def turns(self) -> tuple[Turn, ...]:
        """Return the turns that count, numbered from 1."""
        return tuple(replace(each.answer.turn, n=n) for n, each in enumerate(self.exchanges, 1))

    def transcript(self) -> Transcript:
        """Return the conversation as graders take it."""
        prompt = self.setting.prompt
        return Transcript(self.session_id, prompt.sha, self.turns(), self.opening, prompt.text)

    async def send(self, user: str) -> AsyncGenerator[EngineEvent]:
        """Play one turn; when the caller stops it, what has arrived is kept."""

        def keep(before: Conversation, answer: Answer) -> None:
            self.exchanges.append(Exchange(user, before, (answer,)))

        async with aclosing(self._play(self.conversation, user, 1, keep)) as events:
            async for event in events:
                yield event

    async def retry(self) -> AsyncGenerator[EngineEvent]:
        """Ask for another reply to the last message; the ones it had are kept."""
        last = self.last
        self._leave_stretch()
        self.tools.rewind(call for each in self.exchanges[:-1] for call in each.answer.turn.tool_calls)

        def keep(before: Conversation, answer: Answer) -> None:
            self.exchanges[-1] = replace(last, before=before).with_answer(answer)

        # the API says why the cache missed when it may compare with the reply before
        before = replace(last.before, message_id=last.answer.after.message_id or last.before.message_id)
        async with aclosing(self._play(before, last.user, len(last.answers) + 1, keep)) as events:
            async for event in events:
                yield event

    def undo(self, count: int = 1) -> str:
        """Take back exchanges and return the message of the earliest; UsageError when there are fewer."""
        if not 1 <= count <= len(self.exchanges):
            raise UsageError(f"can't take back {count}; there are {len(self.exchanges)} exchanges.")
        taken = self.exchanges[-count:]
        del self.exchanges[-count:]
        self._leave_stretch()
        self.tools.rewind(call for each in self.exchanges for call in each.answer.turn.tool_calls)
        self.taken_back = taken[0].user
        return taken[0].user

    def clear(self) -> None:
        """Begin a new conversation with the same prompt."""
        self._leave_stretch()
        self.exchanges.clear()
        self.opening = ()
        self.script = Script()
        self.origin = ""
        self.tools.use(self.setting.fixtures)
        self.tools.replay(())

    def begin_with(self, opening: Sequence[JsonObject], exchanges: Sequence[Exchange], origin: str) -> None:
        """Take up a conversation that was held before."""
        self.clear()
        self.opening = tuple(opening)
        self.exchanges = list(exchanges)
        self.origin = origin

    def change(self, setting: Setting) -> None:
        """Go on with another prompt version or model, keeping the conversation."""
        self._leave_stretch()
        other_suites = setting.suites != self.setting.suites
        if setting.prompt.model != self.setting.prompt.model and self.exchanges:
            self._forget_thinking()
        self.setting = setting
        if other_suites:
            self.tools.use(setting.fixtures)

    def end(self) -> None:
        """End what is recorded; the record itself stays open."""
        self._leave_stretch()

    async def _play(
        self, before: Conversation, user: str, trial: int, keep: Callable[[Conversation, Answer], None]
    ) -> AsyncGenerator[EngineEvent]:
        """Play a turn from a place in the conversation, record it, and keep its answer, whole or stopped."""
        replies = _Noted(await self.connection.replies(trial, self.script))
        if self._recorded is None:
            before = fresh(before)
            prompt, rules = self.setting.prompt, self.setting.rules
            self._recorded = self.record.begin(prompt, before.messages, rules, self._case_id)
        recorded, number = self._recorded, before.turns + 1
        recorded.turn(number, user)
        bot = Chatbot(self.setting.prompt, replies, self.tools, tool_timeout_s=PATIENCE_S)
        going = _Going(before, user, replies)
        try:
            async with aclosing(bot.send(before, user)) as events:
                async for event in events:
                    going.take(event)
                    recorded.take(event, number)
                    if isinstance(event, TurnFinished):
                        keep(before, self._answer(event))
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            stopped = self._stopped(going, recorded)
            if stopped is not None:
                keep(before, stopped)
            raise

    def _stopped(self, going: _Going, recorded: RecordedSession) -> Answer | None:
        """Make an answer of what has arrived of a stopped reply, and record it; None when it had come to its end."""
        ask = going.noted.ask_made
        if ask is None or going.over:
            return None
        number = going.before.turns + 1
        if not going.requests or going.requests[-1].n != ask.n:
            partial = ({"type": "text", "text": going.text},) if going.text else ()
            failure = Failure(INTERRUPTED, "stopped by the person", mid_stream=bool(partial))
            stopped = Request(ask.n, ask.turn, ask.body, failure=failure, partial=partial, purpose=ask.purpose)
            going.requests.append(stopped)
            recorded.take(RequestFinished(stopped), number)
        turn = Turn(number, going.user, tuple(going.requests), tuple(going.calls))
        recorded.turns.append(turn)
        return Answer(turn, _conversation_after(going, ask), self.setting.prompt)

    def _answer(self, event: TurnFinished) -> Answer:
        return Answer(event.turn, event.conversation, self.setting.prompt)

    def _forget_thinking(self) -> None:
        """Leave thinking out of what is sent from now on: another model refuses it."""
        last = self.exchanges[-1]
        after = replace(last.answer.after, messages=without_thinking(last.answer.after.messages))
        self.exchanges[-1] = replace(last, answers=(*last.answers[:-1], replace(last.answer, after=after)))

    def _leave_stretch(self) -> None:
        if self._recorded is not None:
            self._recorded.end()
            self._recorded = None


def _conversation_after(going: _Going, ask: Ask) -> Conversation:
    """Return where a stopped turn leaves the conversation: with the words that arrived, without unanswered calls."""
    last = going.requests[-1]
    said = last.partial or tuple(block for block in last.content if block.get("type") == "text" and block.get("text"))
    words = [block for block in said if str(block.get("text", "")).strip()]
    messages = tuple(ask.body.get("messages", ()))
    if words:
        messages = (*messages, {"role": "assistant", "content": words})
    turns, requests = going.before.turns + 1, going.before.requests + len(going.requests)
    return Conversation(messages, turns, requests, last.message_id or going.before.message_id)
