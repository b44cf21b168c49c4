"""One chat without its terminal: the conversation, its alternatives, the prompt, the tools, the record.

Everything the terminal shows it learns from here; everything that is sent goes through the engine. Must not print.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from evalkit.content import UserContent, kept_of, sent_messages, text_of
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
from evalkit.engine.memory import notes_in
from evalkit.errors import UsageError
from evalkit.records import Failure, JsonObject, PromptVersion, Request, ToolCall, Turn
from evalkit.repl.record import CASE, ChatRecord, SessionRecord
from evalkit.repl.setting import Setting
from evalkit.repl.sources import CaseSteps, ChatTools, Connection
from evalkit.suites.fixtures import Staged

INTERRUPTED = "interrupted"
"""The kind of failure of a reply that a person stopped."""

PATIENCE_S = 24 * 3600.0  # a person may have to type a tool's result


@dataclass(frozen=True)
class Answer:
    """One reply to a message: its turn, where the conversation stands after it, and who was asked."""

    turn: Turn
    after: Conversation
    prompt: PromptVersion


@dataclass(frozen=True)
class Exchange:
    """One message of the person with every reply it ever got; the last one counts.

    `said` is the message as it was sent, `before` where the conversation stood, so that it can be taken back or asked
    again.
    """

    said: UserContent
    before: Conversation
    answers: tuple[Answer, ...]

    @property
    def user(self) -> str:
        """The text of the message."""
        return text_of(self.said)

    @property
    def answer(self) -> Answer:
        """The answer that counts."""
        return self.answers[-1]


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
        self.case = CaseSteps()
        self.taken_back = ""
        self.origin = ""
        self.staged: Staged = setting
        self._case_id = case_id
        self._recorded: SessionRecord | None = None

    @property
    def conversation(self) -> Conversation:
        """Where the conversation stands."""
        return self.exchanges[-1].answer.after if self.exchanges else Conversation(messages=sent_messages(self.opening))

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

    @property
    def spent(self) -> bool:
        """Whether replies cost money here."""
        return self.connection.source.kind == "live"

    def turns(self) -> tuple[Turn, ...]:
        """Return the turns that count, numbered from 1."""
        return tuple(replace(each.answer.turn, n=n) for n, each in enumerate(self.exchanges, 1))

    async def send(self, user: UserContent) -> AsyncGenerator[EngineEvent]:
        """Play one turn; when the caller stops it, what has arrived is kept."""

        def keep(before: Conversation, answer: Answer) -> None:
            self.exchanges.append(Exchange(user, before, (answer,)))

        async with aclosing(self._play(self.conversation, user, 1, keep)) as events:
            async for event in events:
                yield event

    async def retry(self) -> AsyncGenerator[EngineEvent]:
        """Ask for another reply to the last message; the ones it had are kept."""
        last = self.last
        self.end()
        self._rewind(self.exchanges[:-1])

        def keep(before: Conversation, answer: Answer) -> None:
            self.exchanges[-1] = replace(last, before=before, answers=(*last.answers, answer))

        # the API says why the cache missed when it may compare with the reply before
        before = replace(last.before, message_id=last.answer.after.message_id or last.before.message_id)
        async with aclosing(self._play(before, last.said, len(last.answers) + 1, keep)) as events:
            async for event in events:
                yield event

    def undo(self, count: int = 1) -> UserContent:
        """Take back exchanges and return the message of the earliest; UsageError when there are fewer."""
        if not 1 <= count <= len(self.exchanges):
            raise UsageError(f"can't take back {count}; there are {len(self.exchanges)} exchanges.")
        taken_back = self.exchanges[-count].said
        self.taken_back = text_of(taken_back)
        del self.exchanges[-count:]
        self.end()
        self._rewind(self.exchanges)
        return taken_back

    def begin_with(
        self,
        opening: Sequence[JsonObject] = (),
        exchanges: Sequence[Exchange] = (),
        origin: str = "",
        staged: Staged | None = None,
    ) -> None:
        """Take up a conversation that was held before, or begin a new one; `staged` says how tools answer in it."""
        self.end()
        self.opening = tuple(opening)
        self.exchanges = list(exchanges)
        self.origin = origin
        self.case = CaseSteps()
        self.tools.replay(())
        self._restage(staged or self.setting)

    def change(self, setting: Setting) -> None:
        """Go on with another prompt version or model, keeping the conversation."""
        self.end()
        before, self.setting = self.setting, setting
        if setting.suites != before.suites:
            self._restage(setting)

    def end(self) -> None:
        """End the stretch that is being recorded; the record itself stays open."""
        if self._recorded is not None:
            self._recorded.end()
            self._recorded = None

    def _restage(self, staged: Staged) -> None:
        """Let tools answer in another way, and stand where the conversation stands."""
        self.staged = staged
        self.tools.use(staged)
        self._rewind(self.exchanges)

    def _rewind(self, exchanges: Sequence[Exchange]) -> None:
        """Let the tools stand where these exchanges leave them."""
        self.tools.rewind(call for each in exchanges for call in each.answer.turn.tool_calls)

    async def _play(
        self, before: Conversation, user: UserContent, trial: int, keep: Callable[[Conversation, Answer], None]
    ) -> AsyncGenerator[EngineEvent]:
        """Play a turn from a place in the conversation, record it, and keep its answer, whole or stopped."""
        replies = _NotedReplies(await self.connection.replies(self.setting, trial, self.case))
        prompt = self.setting.prompt
        if self._recorded is None:
            before = replace(before, turns=0, requests=0)  # a session of the record counts from 1
            self._recorded = self.record.begin(prompt, before.messages, self.setting.rules, self._case_id)
        recorded, number = self._recorded, before.turns + 1
        recorded.turn(number, user)
        bot = Chatbot(prompt, replies, self.tools, tool_timeout_s=PATIENCE_S)
        going = _TurnSoFar(before, user)
        try:
            async with aclosing(bot.send(before, user)) as events:
                async for event in events:
                    going.take(event)
                    recorded.take(event, number)
                    if isinstance(event, TurnFinished):
                        keep(before, Answer(event.turn, event.conversation, prompt))
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            if replies.noted is not None and not going.over:
                known = len(going.requests)
                turn, after = going.stopped(replies.noted)
                for request in turn.requests[known:]:
                    recorded.take(RequestFinished(request), number)
                recorded.turns.append(turn)
                keep(before, Answer(turn, after, prompt))
                self._rewind(self.exchanges)  # calls that nobody heard of are not made
            raise


class _NotedReplies:
    """Passes asks on and notes the last one: what was sent must be known when the reply is stopped half-way."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self.noted: Ask | None = None

    async def ask(self, ask: Ask) -> AsyncGenerator[RequestEvent]:
        self.noted = ask
        async with aclosing(self._replies.ask(ask)) as events:
            async for event in events:
                yield event


@dataclass
class _TurnSoFar:
    """A turn that is being played, as far as its events tell it."""

    before: Conversation
    user: UserContent
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

    def stopped(self, ask: Ask) -> tuple[Turn, Conversation]:
        """Return the turn of a reply that was stopped, and where it leaves the conversation.

        There the words that arrived are kept, and calls that nobody answered are not.
        """
        if not self.requests or self.requests[-1].n != ask.n:
            partial = ({"type": "text", "text": self.text},) if self.text else ()
            failure = Failure(INTERRUPTED, "stopped by the person", mid_stream=bool(partial))
            self.requests.append(
                Request(ask.n, ask.turn, ask.body, failure=failure, partial=partial, purpose=ask.purpose)
            )
        last, before = self.requests[-1], self.before
        messages = tuple(ask.body.get("messages", ()))
        words = [
            block
            for block in last.partial or last.content
            if block.get("type") == "text" and str(block.get("text", "")).strip()
        ]
        if words:
            messages = (*messages, {"role": "assistant", "content": words})
        text, content = kept_of(self.user)
        turn = Turn(before.turns + 1, text, tuple(self.requests), tuple(self.calls), content)
        requests = before.requests + len(self.requests)
        message_id = last.message_id or before.message_id
        after = Conversation(messages, turn.n, requests, message_id, notes=notes_in(ask.body))
        return turn, replace(after, prompt_sha=before.prompt_sha)
