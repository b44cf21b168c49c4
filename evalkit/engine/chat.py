"""The chatbot: one user message in, events out, until the assistant waits for the user. The only tool loop there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from evalkit.engine.events import Conversation, EngineEvent, RequestFinished, ToolFinished, ToolStarted, TurnFinished
from evalkit.engine.payload import build_body
from evalkit.engine.requests import Ask, Replies
from evalkit.engine.tools import ToolSource, result_block, run_tool
from evalkit.records import JsonObject, PromptVersion, Request, ToolCall, Turn

MOST_REQUESTS = 25
"""Requests in one turn after which the loop ends: a model that never stops calling tools must not run for ever."""


@dataclass
class _TurnState:
    """What one turn has gathered so far."""

    n: int
    user: str
    messages: list[JsonObject]
    message_id: str | None
    requests: list[Request] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)


class Chatbot:
    """A prompt version talking through a source of replies, with tools answered by a tool source."""

    def __init__(self, prompt: PromptVersion, replies: Replies, tools: ToolSource) -> None:
        self._prompt = prompt
        self._replies = replies
        self._tools = tools

    async def send(self, conversation: Conversation, user: str) -> AsyncGenerator[EngineEvent]:
        """Play one turn; the last event is TurnFinished. Nothing but a cancellation is raised."""
        messages = [*conversation.messages, {"role": "user", "content": user}]
        state = _TurnState(conversation.turns + 1, user, messages, conversation.message_id)
        going_on = True
        while going_on:
            n = conversation.requests + len(state.requests) + 1
            ask = Ask(n, state.n, build_body(self._prompt, state.messages, state.message_id))
            async with aclosing(self._replies.ask(ask)) as events:
                async for event in events:
                    if isinstance(event, RequestFinished):
                        state.requests.append(event.request)
                    yield event
            request = state.requests[-1]
            state.message_id = request.message_id or state.message_id
            calls = _calls_to_run(request) if len(state.requests) < MOST_REQUESTS else ()
            state.messages.extend(_echo(request, with_calls=bool(calls)))
            async with aclosing(self._run_tools(calls, state)) as tool_events:
                async for tool_event in tool_events:
                    yield tool_event
            going_on = bool(calls) or _must_resume(request, state)
        yield self._finished(conversation, state)

    async def _run_tools(self, blocks: tuple[JsonObject, ...], state: _TurnState) -> AsyncGenerator[EngineEvent]:
        """Run calls side by side and answer them in one user message, in the order in which they were asked."""
        if not blocks:
            return
        for block in blocks:
            yield ToolStarted(str(block["id"]), str(block["name"]), block.get("input", {}))
        request_n = state.requests[-1].n
        runs = [asyncio.ensure_future(run_tool(block, request_n, self._prompt.tools, self._tools)) for block in blocks]
        try:
            calls = await asyncio.gather(*runs)
        finally:
            for run in runs:
                run.cancel()
        state.calls.extend(calls)
        state.messages.append({"role": "user", "content": [result_block(call) for call in calls]})
        for call in calls:
            yield ToolFinished(call)

    def _finished(self, before: Conversation, state: _TurnState) -> TurnFinished:
        turn = Turn(state.n, state.user, tuple(state.requests), tuple(state.calls))
        after = Conversation(
            messages=tuple(state.messages),
            turns=state.n,
            requests=before.requests + len(state.requests),
            message_id=state.message_id,
        )
        return TurnFinished(turn, after)


def _calls_to_run(request: Request) -> tuple[JsonObject, ...]:
    """Return the tool calls of a whole reply that waits for them; a refused or cut-off reply never runs tools."""
    if request.stop_reason != "tool_use":
        return ()
    return tuple(block for block in request.content if block.get("type") == "tool_use")


def _must_resume(request: Request, state: _TurnState) -> bool:
    """Tell whether the API paused a long turn and wants its own words back to go on."""
    return request.stop_reason == "pause_turn" and bool(request.content) and len(state.requests) < MOST_REQUESTS


def _echo(request: Request, *, with_calls: bool) -> list[JsonObject]:
    """Return the assistant's message as later requests must repeat it: verbatim, but without calls nobody answers."""
    content: list[Any] = [block for block in request.content if with_calls or block.get("type") != "tool_use"]
    return [{"role": "assistant", "content": content}] if content else []
