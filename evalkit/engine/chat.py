"""The chatbot: one user message in, events out, until the assistant waits for the user. The only tool loop there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.content import UserContent, kept_of, sendable
from evalkit.engine.events import (
    Apology,
    Conversation,
    EngineEvent,
    MemoryFolded,
    RequestFinished,
    TextArrived,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from evalkit.engine.memory import Fold, Gauge, WholeMemory, echoable, gauge_of, memory_named, remembered, summary_of
from evalkit.engine.requests import Ask, Replies
from evalkit.engine.tools import TIMEOUT_S, ToolSource, result_block, run_tool
from evalkit.records import JsonObject, PromptVersion, Request, ToolCall, Turn

MOST_REQUESTS = 25
"""Requests in one turn after which the loop ends: a model that never stops calling tools must not run for ever."""

NUDGE = "Please continue."
"""Sent once after a reply without content: the same messages again would only get the same silence.

Source: platform.claude.com, handling stop reasons, read November 2026.
"""

APOLOGY = "Sorry, something went wrong on our side and I can't answer just now. Please try again in a moment."


def build_body(
    prompt: PromptVersion,
    messages: Sequence[JsonObject],
    previous_message_id: str | None,
    fields: JsonObject | None = None,
) -> dict[str, Any]:
    """Return the JSON body of one streamed request; the same arguments give the same bytes.

    `diagnostics` asks the API why a cached prefix was missed, compared with the previous reply of the conversation.
    `fields` are further fields of the request, over the prompt's own.
    """
    body: dict[str, Any] = {"model": prompt.model, **prompt.params, **(fields or {})}
    if prompt.tools:
        body["tools"] = list(prompt.tools)
    if prompt.system:
        body["system"] = list(prompt.system)
    body["messages"] = list(messages)
    body["diagnostics"] = {"previous_message_id": previous_message_id}
    body["stream"] = True
    return body


@dataclass
class _TurnState:
    """What one turn has gathered so far."""

    n: int
    user: UserContent
    messages: list[JsonObject]
    message_id: str | None
    gauge: Gauge
    before: int
    requests: list[Request] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    nudged: bool = False

    @property
    def next_n(self) -> int:
        """The number of the next request in the session."""
        return self.before + len(self.requests) + 1

    @property
    def replied(self) -> bool:
        """Whether the model has answered in this turn before."""
        return any(request.purpose == "reply" for request in self.requests)


class Chatbot:
    """A prompt version talking through a source of replies, with tools answered by a tool source.

    `apology` is what a person is shown instead of an error; `tool_timeout_s` bounds every tool call.
    """

    def __init__(
        self,
        prompt: PromptVersion,
        replies: Replies,
        tools: ToolSource,
        *,
        apology: str = APOLOGY,
        tool_timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._prompt = prompt
        self._replies = replies
        self._tools = tools
        self._apology = apology
        self._tool_timeout_s = tool_timeout_s
        self._memory = memory_named(prompt.memory)
        self._gauge = gauge_of(prompt)

    async def send(self, conversation: Conversation, user: UserContent) -> AsyncGenerator[EngineEvent]:
        """Play one turn; the last event is TurnFinished. Nothing but a cancellation is raised.

        `user` is a text, or content blocks: text, pictures, documents (`evalkit.content.make_block`).
        """
        gauge = self._gauge
        if conversation.characters_per_token is not None:
            gauge = replace(gauge, per_token=conversation.characters_per_token)
        state = _TurnState(
            n=conversation.turns + 1,
            user=user,
            messages=[*conversation.messages, {"role": "user", "content": sendable(user)}],
            message_id=conversation.message_id,
            gauge=gauge,
            before=conversation.requests,
        )
        async with aclosing(self._remember(state)) as memory_events:
            async for event in memory_events:
                yield event
        going_on = True
        while going_on:
            async with aclosing(self._request(state)) as events:
                async for event in events:
                    yield event
            calls = _calls_to_run(state)
            state.messages.extend(_echo(state.requests[-1], with_calls=bool(calls)))
            async with aclosing(self._run_tools(calls, state)) as tool_events:
                async for event in tool_events:
                    yield event
            going_on = bool(calls) or _must_resume(state) or _nudge(state)
        finished = self._finished(state)
        if finished.turn.failure or not finished.turn.reply.strip():
            yield Apology(self._apology)
        yield finished

    async def _remember(self, state: _TurnState) -> AsyncGenerator[EngineEvent]:
        """Shorten the conversation as the prompt's memory strategy says, with a request of its own if it needs one."""
        plan = self._memory.plan(state.messages, state.gauge)
        if not isinstance(plan, Fold):
            state.messages = list(plan)
            return
        room = int(self._prompt.params.get("max_tokens", 0)) + plan.reply_tokens
        ask = self._ask(state, plan.ask, "summary", {"max_tokens": room})
        async with aclosing(self._replies.ask(ask)) as events:
            async for event in events:
                if isinstance(event, RequestFinished):
                    state.requests.append(event.request)
                if not isinstance(event, TextArrived):  # nobody is meant to read it
                    yield event
        summary = summary_of(state.requests[-1])
        state.messages = list(remembered(summary, plan.kept) if summary else plan.otherwise)
        if summary:
            yield MemoryFolded(summary)

    def _ask(
        self, state: _TurnState, messages: Sequence[JsonObject], purpose: str, fields: JsonObject | None = None
    ) -> Ask:
        if purpose != "reply":
            prompt = replace(self._prompt, params=_params_aside(self._prompt.params))
        elif state.replied:
            prompt = replace(self._prompt, params=_params_unforced(self._prompt.params))
        else:
            prompt = self._prompt
        body = build_body(prompt, messages, state.message_id, {**self._memory.fields, **(fields or {})})
        return Ask(state.next_n, state.n, body, purpose, self._memory.headers)

    async def _request(self, state: _TurnState) -> AsyncGenerator[EngineEvent]:
        """Make the next request of the turn."""
        async with aclosing(self._replies.ask(self._ask(state, state.messages, "reply"))) as events:
            async for event in events:
                if isinstance(event, RequestFinished):
                    state.requests.append(event.request)
                yield event
        state.message_id = state.requests[-1].message_id or state.message_id

    async def _run_tools(self, blocks: tuple[JsonObject, ...], state: _TurnState) -> AsyncGenerator[EngineEvent]:
        """Run calls side by side and answer them in one user message, in the order in which they were asked."""
        if not blocks:
            return
        for block in blocks:
            yield ToolStarted(str(block["id"]), str(block["name"]), block.get("input", {}))
        request_n = state.requests[-1].n
        tools, timeout_s = self._prompt.tools, self._tool_timeout_s
        runs = [
            asyncio.ensure_future(run_tool(block, request_n, tools, self._tools, timeout_s=timeout_s))
            for block in blocks
        ]
        try:
            calls = await asyncio.gather(*runs)
        finally:
            for run in runs:
                run.cancel()
        state.calls.extend(calls)
        state.messages.append({"role": "user", "content": [result_block(call) for call in calls]})
        for call in calls:
            yield ToolFinished(call)

    def _finished(self, state: _TurnState) -> TurnFinished:
        text, content = kept_of(state.user)
        turn = Turn(state.n, text, tuple(state.requests), tuple(state.calls), content)
        measured = None if isinstance(self._memory, WholeMemory) else state.gauge.after(turn.replies[-1]).per_token
        after = Conversation(
            messages=tuple(state.messages),
            turns=state.n,
            requests=state.before + len(state.requests),
            message_id=state.message_id,
            characters_per_token=measured,
        )
        return TurnFinished(turn, after)


def _params_unforced(params: JsonObject) -> JsonObject:
    """Return a prompt's params as they are once the model has called what `tool_choice` forces it to.

    A choice that went on forcing calls would never let it answer.
    """
    choice: JsonObject = params.get("tool_choice") or {}
    if choice.get("type") not in {"any", "tool"}:
        return params
    return {**params, "tool_choice": {**{key: choice[key] for key in choice if key != "name"}, "type": "auto"}}


def _params_aside(params: JsonObject) -> JsonObject:
    """Return a prompt's params for a request of the engine's own: it wants words, whole, whatever replies must be."""
    kept = {key: value for key, value in _params_unforced(params).items() if key != "stop_sequences"}
    config = {key: value for key, value in kept.pop("output_config", {}).items() if key != "format"}
    return {**kept, "output_config": config} if config else kept


def _calls_to_run(state: _TurnState) -> tuple[JsonObject, ...]:
    """Return the tool calls of a whole reply that waits for them; a refused or cut-off reply never runs tools."""
    request = state.requests[-1]
    if request.stop_reason != "tool_use" or len(state.requests) >= MOST_REQUESTS:
        return ()
    return tuple(block for block in request.content if block.get("type") == "tool_use")


def _must_resume(state: _TurnState) -> bool:
    """Tell whether the API paused a long turn and wants its own words back to go on."""
    echoed = state.messages[-1]["role"] == "assistant"
    return state.requests[-1].stop_reason == "pause_turn" and echoed and len(state.requests) < MOST_REQUESTS


def _nudge(state: _TurnState) -> bool:
    """Ask once more, in a user's message, when the model ended the turn without saying anything."""
    request = state.requests[-1]
    if request.stop_reason != "end_turn" or echoable(request.content) or state.nudged:
        return False
    state.nudged = True
    state.messages.append({"role": "user", "content": NUDGE})
    return True


def _echo(request: Request, *, with_calls: bool) -> list[JsonObject]:
    """Return the assistant's message as later requests must repeat it: verbatim, but without calls nobody answers."""
    content = [block for block in request.content if with_calls or block.get("type") != "tool_use"]
    if request.stop_reason != "pause_turn":
        content = echoable(content)
    return [{"role": "assistant", "content": content}] if content else []
