"""OpenTelemetry spans of a session, its turns and its tool calls; the SDK adds one for each request, below the turn's.

Knows the engine's events. Uses the API package only, which the Anthropic SDK brings: without a configured OpenTelemetry
SDK no span is recorded and events pass through untouched. Names follow the GenAI semantic conventions where they have
one (`invoke_agent`, `execute_tool`, `gen_ai.*`); texts are never put on a span.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider

from evalkit.distribution import installed_version
from evalkit.engine.events import EngineEvent, ToolFinished, ToolStarted, TurnFinished
from evalkit.engine.tools import ToolOutcome, ToolSource
from evalkit.records import JsonObject, PromptRef, PromptVersion, Turn

SCOPE = "evalkit"


def open_tracer(provider: TracerProvider | None = None) -> Tracer:
    """Return evalkit's tracer, of the global provider unless another is given."""
    return trace.get_tracer(SCOPE, installed_version(), provider)


class SessionTrace:
    """The spans of one session; end it when the session is over."""

    def __init__(self, tracer: Tracer, session_id: str, prompt: PromptVersion) -> None:
        self._tracer = tracer
        self._id = session_id
        self.use(prompt)
        self._session: Span | None = None
        self._waiting: list[tuple[JsonObject, Span]] = []

    def use(self, prompt: PromptVersion) -> None:
        """Say of the turns from here on that they are held with this prompt version."""
        self._common = {
            "gen_ai.conversation.id": self._id,
            "gen_ai.agent.name": prompt.name,
            "gen_ai.agent.version": PromptRef.read(prompt.ref).version or prompt.sha[:12],
            "evalkit.prompt.sha": prompt.sha,
        }
        self._model = prompt.model

    async def turn(self, number: int, events: AsyncGenerator[EngineEvent]) -> AsyncGenerator[EngineEvent]:
        """Pass the events of a turn on, with the turn's span as the current one while the engine works."""
        span = self._turn_span(number)
        tools: dict[str, Span] = {}
        inside = trace.set_span_in_context(span)
        try:
            async with aclosing(events):
                while True:
                    # Only while the engine works: between two events the context is the consumer's.
                    token = context.attach(inside)
                    try:
                        event = await anext(events, None)
                    finally:
                        context.detach(token)
                    if event is None:
                        return
                    self._hear(event, span, inside, tools)
                    yield event
        finally:
            for left in tools.values():
                left.end()
            self._waiting.clear()
            span.end()

    def tools(self, source: ToolSource) -> ToolSource:
        """Return the source with each call made inside its span."""
        return _TracedTools(source, self._waiting)

    def end(self) -> None:
        """End the session's span."""
        if self._session is not None:
            self._session.end()
            self._session = None

    def _turn_span(self, number: int) -> Span:
        if self._session is None:
            self._session = self._tracer.start_span("evalkit.session", attributes=self._common)
        return self._tracer.start_span(
            f"invoke_agent {self._common['gen_ai.agent.name']}",
            trace.set_span_in_context(self._session),
            kind=SpanKind.INTERNAL,
            attributes={
                **self._common,
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.request.model": self._model,
                "evalkit.turn": number,
            },
        )

    def _hear(self, event: EngineEvent, span: Span, inside: context.Context, tools: dict[str, Span]) -> None:
        match event:
            case ToolStarted():
                tools[event.id] = self._tracer.start_span(
                    f"execute_tool {event.name}",
                    inside,
                    kind=SpanKind.INTERNAL,
                    attributes={
                        "gen_ai.operation.name": "execute_tool",
                        "gen_ai.tool.name": event.name,
                        "gen_ai.tool.call.id": event.id,
                        "gen_ai.tool.type": "function",
                        "gen_ai.conversation.id": self._common["gen_ai.conversation.id"],
                    },
                )
                self._waiting.append((event.input, tools[event.id]))
            case ToolFinished():
                tool = tools.pop(event.call.id)
                if event.call.is_error:
                    tool.set_attribute("error.type", event.call.origin or "tool_error")
                    tool.set_status(Status(StatusCode.ERROR))
                tool.end()
            case TurnFinished():
                _describe(span, event.turn)
            case _:
                pass


class _TracedTools:
    """Makes each call's span current, so that what the function does appears below it."""

    def __init__(self, source: ToolSource, waiting: list[tuple[JsonObject, Span]]) -> None:
        self._source = source
        self._waiting = waiting

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call; the engine passes on the very input object that its event has shown."""
        span = next((span for shown, span in self._waiting if shown is tool_input), None)
        if span is None:
            return await self._source.call(name, tool_input)
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            return await self._source.call(name, tool_input)


def _describe(span: Span, turn: Turn) -> None:
    """Put a turn's sums on its span; input tokens include the cached ones, as the conventions want it."""
    if not span.is_recording():
        return
    attempts = [attempt for request in turn.requests for attempt in request.attempts]
    bills = [(each.usage, each.cost_usd) for each in turn.requests] + [(each.usage, each.cost_usd) for each in attempts]
    usages = [usage for usage, _ in bills if usage is not None]
    costs = [cost for usage, cost in bills if usage is not None]
    span.set_attributes(
        {
            "gen_ai.usage.input_tokens": sum(usage.prompt_tokens for usage in usages),
            "gen_ai.usage.cache_read.input_tokens": sum(usage.cache_read_input_tokens for usage in usages),
            "gen_ai.usage.cache_write.input_tokens": sum(usage.cache_creation_input_tokens for usage in usages),
            "gen_ai.usage.output_tokens": sum(usage.output_tokens for usage in usages),
            "evalkit.requests": len(turn.requests),
            "evalkit.retries": len(attempts),
        }
    )
    known = [cost for cost in costs if cost is not None]
    if len(known) == len(costs):
        span.set_attribute("evalkit.cost_usd", sum(known))
    if turn.failure is not None:
        span.set_attribute("error.type", turn.failure.kind)
        span.set_status(Status(StatusCode.ERROR, turn.failure.kind))
