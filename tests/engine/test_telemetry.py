"""Spans: one trace a session, each span under the right one, no texts on them, and nothing at all without an SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from evalkit.engine import RetryPolicy
from evalkit.engine.functions import Toolset, tools_from
from evalkit.engine.tools import ToolFailed
from evalkit.library import Options, open_chatbot
from evalkit.records import PromptVersion
from tests.engine.streams import byte_server, end, http, sse, start, text_block, tool_block

PROMPT = PromptVersion(
    "a" * 64, "bot@v3", "", "claude-sonnet-5-5", {"max_tokens": 99}, ({"type": "text", "text": "Be kind."},), ()
)
HELLO = http(sse(start(cache_read_input_tokens=90), *text_block(0, "Hello"), *end()))
OVERLOADED = http(
    json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}).encode(),
    "529 Overloaded",
    "application/json",
)


class Recorded:
    """A provider that keeps its spans, and shorthands to look at them."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """All finished spans."""
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of one name."""
        return [span for span in self.spans if span.name == name]

    def parent(self, span: ReadableSpan) -> str | None:
        """The name of a span's parent."""
        inner = span.parent
        if inner is None:
            return None
        return next(
            each.name for each in self.spans if each.context is not None and each.context.span_id == inner.span_id
        )


def play(
    recorded: Recorded | None,
    monkeypatch: pytest.MonkeyPatch,
    responses: Sequence[bytes],
    users: Sequence[str] = ("Hi",),
    tools: Toolset | tuple[()] = (),
) -> None:
    """Play turns in one session against scripted responses."""

    async def go() -> None:
        async with byte_server(responses) as (url, _):
            monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
            monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
            options = Options(
                retry=RetryPolicy(retries=1, first_s=0.001),
                tracer_provider=recorded.provider if recorded else None,
            )
            service = open_chatbot(PROMPT, tools=tools, options=options)
            async with service.session("anna") as session:
                for user in users:
                    async for _ in session.send(user):
                        pass
            await service.close()

    asyncio.run(go())


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    """Return a span's attributes."""
    return span.attributes or {}


def calling(*calls: tuple[str, str]) -> bytes:
    """Make a reply that calls tools."""
    blocks = [event for index, (name, text) in enumerate(calls) for event in tool_block(index, name, text)]
    return http(sse(start(), *blocks, *end("tool_use")))


def test_a_session_is_one_trace_of_turns_requests_and_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every span of a session shares its trace; requests (the SDK's own) and tools hang below their turn."""
    recorded = Recorded()
    seen: list[str | None] = []

    async def lookup(number: str) -> str:
        """Look up an order."""
        with trace.get_tracer("product", tracer_provider=recorded.provider).start_as_current_span("query " + number):
            seen.append(number)
        return "sent"

    responses = [calling(("lookup", '{"number": "1"}'), ("lookup", '{"number": "2"}')), HELLO]
    play(recorded, monkeypatch, responses, ("Where are 1 and 2?", "Thanks"), tools_from([lookup]))

    assert sorted(span.name for span in recorded.spans) == [
        "anthropic.messages.create",
        "anthropic.messages.create",
        "anthropic.messages.create",
        "evalkit.session",
        "execute_tool lookup",
        "execute_tool lookup",
        "invoke_agent bot",
        "invoke_agent bot",
        "query 1",
        "query 2",
    ]
    assert len({span.context.trace_id for span in recorded.spans if span.context}) == 1
    parents = {(span.name, recorded.parent(span)) for span in recorded.spans}
    assert parents == {
        ("evalkit.session", None),
        ("invoke_agent bot", "evalkit.session"),
        ("anthropic.messages.create", "invoke_agent bot"),
        ("execute_tool lookup", "invoke_agent bot"),
        ("query 1", "execute_tool lookup"),
        ("query 2", "execute_tool lookup"),
    }


def test_spans_follow_the_genai_conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn names conversation, agent and tokens (cached ones included); a tool its name and the call's id."""

    def lookup(number: str) -> str:
        """Look up an order."""
        return number

    recorded = Recorded()
    play(recorded, monkeypatch, [calling(("lookup", '{"number": "1"}')), HELLO], tools=tools_from([lookup]))

    [turn], [tool] = recorded.named("invoke_agent bot"), recorded.named("execute_tool lookup")
    assert attributes(turn)["gen_ai.operation.name"] == "invoke_agent"
    assert attributes(turn)["gen_ai.conversation.id"] == "anna"
    assert attributes(turn)["gen_ai.agent.version"] == "v3"
    assert attributes(turn)["gen_ai.usage.input_tokens"] == 10 + 10 + 90
    assert attributes(turn)["gen_ai.usage.output_tokens"] == 14
    assert attributes(turn)["evalkit.requests"] == 2
    assert attributes(turn)["evalkit.cost_usd"] > 0
    assert attributes(tool)["gen_ai.tool.name"] == "lookup"
    assert attributes(tool)["gen_ai.tool.call.id"] == "toolu_0"


def test_the_sdks_own_span_knows_model_and_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the stream raw does not take the SDK's span away: it ends with the reply and names the request."""
    recorded = Recorded()
    play(recorded, monkeypatch, [HELLO])

    [call] = recorded.named("anthropic.messages.create")
    assert attributes(call)["gen_ai.operation.name"] == "chat"
    assert attributes(call)["gen_ai.request.model"] == "claude-sonnet-5-5"
    assert attributes(call)["anthropic.request.id"] == "req_1"
    assert call.end_time is not None


def test_a_retry_is_a_second_request_in_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed try has a span with its error; the turn counts the retry and is no error itself."""
    recorded = Recorded()
    play(recorded, monkeypatch, [OVERLOADED, HELLO])

    calls, [turn] = recorded.named("anthropic.messages.create"), recorded.named("invoke_agent bot")
    assert [attributes(call).get("error.type") for call in calls] == ["overloaded_error", None]
    assert attributes(turn)["evalkit.retries"] == 1
    assert turn.status.status_code is not StatusCode.ERROR


def test_a_failed_turn_is_an_error_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """When no try succeeds the turn's span carries the kind of failure."""
    recorded = Recorded()
    play(recorded, monkeypatch, [OVERLOADED])

    [turn] = recorded.named("invoke_agent bot")
    assert turn.status.status_code is StatusCode.ERROR
    assert attributes(turn)["error.type"] == "overloaded_error"


def test_failing_and_misused_tools_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that fails, one whose input is invalid and one that does not exist each have a span that says so."""

    def fail(number: str) -> str:
        """Fail."""
        raise ToolFailed("no")

    recorded = Recorded()
    responses = [calling(("fail", '{"number": "1"}'), ("fail", '{"other": 1}'), ("nothing", "{}")), HELLO]
    play(recorded, monkeypatch, responses, tools=tools_from([fail]))

    spans = [span for span in recorded.spans if span.name.startswith("execute_tool")]
    assert len(spans) == 3
    assert all(span.status.status_code is StatusCode.ERROR for span in spans)


def test_spans_hold_no_text_of_the_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    """What people and models say stays in the log, where it can be hashed."""

    def lookup(number: str) -> str:
        """Look up an order."""
        return "secret result"

    recorded = Recorded()
    responses = [calling(("lookup", '{"number": "secret input"}')), HELLO]
    play(recorded, monkeypatch, responses, ("secret question",), tools_from([lookup]))

    assert "secret" not in "".join(span.to_json() for span in recorded.spans)


def test_a_session_belongs_to_the_trace_of_the_web_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a server's span the session's spans hang below it."""
    recorded = Recorded()
    with trace.get_tracer("server", tracer_provider=recorded.provider).start_as_current_span("POST /chat"):
        play(recorded, monkeypatch, [HELLO])

    assert recorded.parent(recorded.named("evalkit.session")[0]) == "POST /chat"


def test_a_consumer_that_leaves_ends_the_turns_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the customer closes the tab in the middle of a reply, no span stays open."""
    recorded = Recorded()

    async def go() -> None:
        async with byte_server([HELLO]) as (url, _):
            monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
            monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
            service = open_chatbot(PROMPT, options=Options(tracer_provider=recorded.provider))
            async with service.session("anna") as session:
                events = session.send("Hi")
                await anext(events)
                await events.aclose()
            await service.close()

    asyncio.run(go())
    assert {span.name for span in recorded.spans} == {
        "anthropic.messages.create",
        "invoke_agent bot",
        "evalkit.session",
    }


def test_between_two_events_the_context_is_the_consumers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The span of the turn is never current in the code that consumes the events."""
    recorded = Recorded()
    current: set[int] = set()

    async def go() -> None:
        async with byte_server([HELLO]) as (url, _):
            monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
            monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
            service = open_chatbot(PROMPT, options=Options(tracer_provider=recorded.provider))
            async with service.session("anna") as session:
                async for _ in session.send("Hi"):
                    current.add(trace.get_current_span().get_span_context().span_id)
            await service.close()

    asyncio.run(go())
    assert current == {0}


def test_without_a_provider_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A product without an OpenTelemetry SDK works as before."""
    play(None, monkeypatch, [HELLO])

    assert not trace.get_current_span().is_recording()
