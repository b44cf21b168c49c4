"""evalkit inside a product: a prompt, its tools, a connection, logs and traces put together as one chatbot.

Knows how the parts fit; the conversation itself is the engine's. The same engine plays the suites, so what was measured
is what answers here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from opentelemetry.trace import TracerProvider

from evalkit.content import UserContent
from evalkit.engine import (
    ApiReplies,
    Chatbot,
    Conversation,
    EngineEvent,
    Limits,
    NoTools,
    Price,
    RetryPolicy,
    ToolSource,
    TurnFinished,
)
from evalkit.engine.chat import APOLOGY
from evalkit.engine.functions import JoinedTools, ToolFunction, Toolset, toolset_of
from evalkit.engine.platforms import ANTHROPIC, check_platform
from evalkit.engine.recorder import ProductionLog
from evalkit.engine.telemetry import SessionTrace, open_tracer
from evalkit.engine.tools import TIMEOUT_S
from evalkit.engine.typed_output import output_of
from evalkit.errors import EvalkitError, UsageError
from evalkit.pricing import price_with
from evalkit.prompts.session_versions import SessionVersions
from evalkit.records import PromptVersion, Usage
from evalkit.source import LIVE, open_door
from evalkit.standin.script import load_script
from evalkit.structured import NoValue, Value

T = TypeVar("T")
RETRY = RetryPolicy()
LIMITS = Limits(turn_s=300.0)  # a person is waiting


@dataclass(frozen=True)
class Options:
    """What a chatbot can be told beside its prompt, tools and log.

    `root` is the folder that holds `prompts/`. `apology` is what people read instead of an error. `via="stand-in"`
    answers without a key, from the embedded server. Spans go to `tracer_provider`, or to the global one.
    """

    root: Path = Path()
    via: Literal["live", "stand-in"] = "live"
    platform: str = ANTHROPIC
    apology: str = APOLOGY
    tool_timeout_s: float = TIMEOUT_S
    retry: RetryPolicy = RETRY
    limits: Limits = LIMITS
    price: Price | None = None
    tracer_provider: TracerProvider | None = None


class NoAnswer(EvalkitError):
    """A turn brought no value. The message says why, for a log; a person is better told the apology."""


class Service:
    """A chatbot that serves many sessions over one pool of connections, in one event loop; close it when done."""

    def __init__(
        self, versions: SessionVersions, tools: ToolSource, log: ProductionLog | None, options: Options
    ) -> None:
        self.versions = versions
        self.options = options
        self.tools = tools
        self.log = log
        self.price = options.price or price_with()
        self.price(versions.model, Usage())  # loads the price table now: a first customer should not wait for it
        self.tracer = open_tracer(options.tracer_provider)
        if options.via == LIVE:
            check_platform(options.platform)
        script = load_script(options.root, versions.name) if options.via != LIVE else None
        scripts = {"": script} if script else {}  # one server for one prompt: its script plays for every request
        self.connection = open_door(options.via, options.platform, options.tracer_provider, scripts)

    @property
    def prompt(self) -> PromptVersion:
        """The prompt version of a session without inputs of its own; UsageError when there can be none."""
        return self.versions.rendered({})

    def session(
        self,
        session_id: str,
        conversation: Conversation | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        deps: object | None = None,
    ) -> Session:
        """Return a session; with the conversation it ended with last time, it goes on from there.

        `inputs` are the prompt's for this session, over those of the chatbot. `deps` is what its tools receive as
        `Context.deps`. UsageError when an input is missing, unknown or of the wrong kind, or `deps` is not what the
        tools need.
        """
        return Session(self, session_id, conversation or Conversation(), inputs or {}, deps)

    async def close(self) -> None:
        """Close connections and log."""
        await self.connection.close()
        if self.log is not None:
            self.log.close()


class Session:
    """One person's conversation. `conversation` is where it stands: keep it, and any process can go on with it.

    `prompt` is the prompt version it is held with now. One message at a time; use `async with`, or close it, so that
    its trace ends.
    """

    def __init__(
        self,
        service: Service,
        session_id: str,
        conversation: Conversation,
        inputs: Mapping[str, Any],
        deps: object | None,
    ) -> None:
        self.conversation = conversation
        self.prompt = service.versions.rendered(inputs)
        self._service = service
        self._id = session_id
        self._inputs = dict(inputs)
        self._trace = SessionTrace(service.tracer, session_id, self.prompt)
        self._tools = self._trace.tools(_tools_in_session(service.tools, deps, session_id))
        opened, options = service.connection, service.options
        self._replies = ApiReplies(
            opened.door, service.price, policy=options.retry, limits=options.limits, limiter=opened.limiter
        )
        self._ask_with(self.prompt)

    async def send(
        self, user: UserContent, *, inputs: Mapping[str, Any] | None = None, output: type[Any] | None = None
    ) -> AsyncGenerator[EngineEvent]:
        """Play one turn and yield its events; the last is TurnFinished. Each is in the log before it is yielded.

        `user` is a text, or content blocks of the Messages API: text, pictures, documents. `inputs` change the prompt's
        inputs from this turn on, such as what was looked up for it; UsageError when one can't be used.

        With `output`, a pydantic model or another type that pydantic reads, `TurnFinished.value` is such a value, or
        None where none came. The API is held to the prompt's own `output` schema where it has one, which is what its
        suites have measured; else to that of the type. TypeError for a type that the API can't be held to.
        """
        wanted = output_of(output) if output is not None else None
        if inputs:
            prompt = self._service.versions.rendered({**self._inputs, **inputs})
            self._inputs |= inputs
            if prompt.sha != self.prompt.sha:
                self._ask_with(prompt)
        number = self.conversation.turns + 1
        if self._log is not None:
            self._log.turn(self.conversation, user)
        async with aclosing(self._trace.turn(number, self._bot.send(self.conversation, user, wanted))) as events:
            async for event in events:
                if self._log is not None:
                    self._log.take(event, number)
                if isinstance(event, TurnFinished):
                    self.conversation = event.conversation
                yield event

    async def ask(self, user: UserContent, output: type[T], *, inputs: Mapping[str, Any] | None = None) -> T:
        """Play one turn and return its reply as a value of a type, such as a pydantic model; see `send`.

        Raises NoAnswer when no value came: the request failed, the model refused, the reply was cut off, or it was
        not what was asked for after one more try.
        """
        read: Value | NoValue | None = None
        async with aclosing(self.send(user, inputs=inputs, output=output)) as events:
            async for event in events:
                read = event.read if isinstance(event, TurnFinished) else None
        if isinstance(read, Value):
            value: T = read.value
            return value
        raise NoAnswer(read.reason if read else "the turn did not come to its end")

    def close(self) -> None:
        """End the trace; the conversation can go on in another session of the same id."""
        self._trace.end()

    def _ask_with(self, prompt: PromptVersion) -> None:
        """Hold the conversation with this prompt version from here on, in the log and in the trace too."""
        service, options = self._service, self._service.options
        self.prompt = prompt
        self._trace.use(prompt)
        self._log = service.log.session(self._id, prompt, service.connection.source) if service.log else None
        self._bot = Chatbot(
            prompt, self._replies, self._tools, apology=options.apology, tool_timeout_s=options.tool_timeout_s
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_chatbot(
    prompt: str | PromptVersion,
    *,
    tools: Iterable[ToolFunction | Toolset] | Toolset = (),
    inputs: Mapping[str, Any] | None = None,
    log: ProductionLog | None = None,
    options: Options | None = None,
) -> Service:
    """Return a chatbot for a prompt (`support@v4`, or one that is loaded) whose tools are these functions.

    `inputs` hold for every session that does not say otherwise; a prompt that is loaded has its inputs already.

    A tool that the prompt declares keeps the definition that its suites measured; a function that it does not declare
    is added. Toolsets, such as that of `memory_tool`, may stand among the functions. UsageError when a declared tool
    has no function, when an input can't be used, or when platform or key are not set up; FileProblems with what is
    wrong in the prompt's files; TypeError when something in `tools` can't be a tool.
    """
    options, toolset = options or Options(), toolset_of(tools)
    versions = SessionVersions.of(prompt, inputs or {}, options.root, toolset.definitions)
    return Service(versions, toolset.source if toolset.definitions else NoTools(), log, options)


def _tools_in_session(tools: ToolSource, deps: object | None, session_id: str) -> ToolSource:
    if not isinstance(tools, JoinedTools):
        return tools
    try:
        return tools.in_session(deps, session_id)
    except TypeError as exc:
        raise UsageError(f"{exc} Pass it as deps=… to session().") from exc
