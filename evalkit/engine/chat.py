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
    ReplyCutOff,
    ReplyInvalid,
    ReplyRefused,
    RequestFinished,
    TextArrived,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from evalkit.engine.memory import (
    Fold,
    Gauge,
    WholeMemory,
    echoable,
    gauge_of,
    memory_named,
    notes_blocks,
    remembered,
    summary_of,
    without_thinking,
)
from evalkit.engine.requests import Ask, Replies
from evalkit.engine.tools import TIMEOUT_S, ToolSource, result_block, run_tool
from evalkit.records import ANSWERS, JsonObject, PromptVersion, Request, ToolCall, Turn
from evalkit.structured import CUT_OFF, REPAIR_OPENING, NoValue, Output, Value, read_structured

MOST_REQUESTS = 25
"""Requests in one turn after which the loop ends: a model that never stops calling tools must not run for ever."""

NUDGE = "Please continue."
"""Sent once after a reply without content: the same messages again would only get the same silence.

Source: platform.claude.com, handling stop reasons, read November 2026.
"""

REPAIR = REPAIR_OPENING + " {reason}. Say the same again as nothing but JSON that fits the schema."
"""Sent once after a reply that is not the JSON that was asked for; `{reason}` tells the model what is wrong with it."""

APOLOGY = "Sorry, something went wrong on our side and I can't answer just now. Please try again in a moment."


def build_body(
    prompt: PromptVersion,
    messages: Sequence[JsonObject],
    previous_message_id: str | None,
    fields: JsonObject | None = None,
    notes: str = "",
) -> dict[str, Any]:
    """Return the JSON body of one streamed request; the same arguments give the same bytes.

    `diagnostics` asks the API why a cached prefix was missed, compared with the previous reply of the conversation.
    `fields` are further fields of the request, over the prompt's own. `notes` stand behind the system prompt, and leave
    the part of it that the cache keeps as it is.
    """
    body: dict[str, Any] = {"model": prompt.model, **prompt.params, **(fields or {})}
    if prompt.tools:
        body["tools"] = list(prompt.tools)
    if system := [*prompt.system, *notes_blocks(notes)]:
        body["system"] = system
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
    params: JsonObject
    output: Output | None
    notes: str
    requests: list[Request] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    nudged: bool = False
    repaired: bool = False
    read: Value | NoValue | None = None

    @property
    def next_n(self) -> int:
        """The number of the next request in the session."""
        return self.before + len(self.requests) + 1

    @property
    def replied(self) -> bool:
        """Whether the model has answered in this turn before."""
        return any(request.purpose in ANSWERS for request in self.requests)


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

    async def send(
        self, conversation: Conversation, user: UserContent, output: Output | None = None
    ) -> AsyncGenerator[EngineEvent]:
        """Play one turn; the last event is TurnFinished. Nothing but a cancellation is raised.

        `user` is a text, or content blocks: text, pictures, documents (`evalkit.content.make_block`). `output` makes
        the reply a value. Where the prompt has a schema of its own, that is what is sent and `output` only makes the
        value of it: what suites have measured is what answers.
        """
        gauge = self._gauge.beside(conversation.notes)
        if conversation.characters_per_token is not None:
            gauge = replace(gauge, per_token=conversation.characters_per_token)
        state = _TurnState(
            n=conversation.turns + 1,
            user=user,
            messages=[*self._said_before(conversation), {"role": "user", "content": sendable(user)}],
            message_id=conversation.message_id,
            gauge=gauge,
            before=conversation.requests,
            params=_held_to(output, self._prompt),
            output=_output_of(output, self._prompt),
            notes=conversation.notes,
        )
        async with aclosing(self._remember(state)) as memory_events:
            async for event in memory_events:
                yield event
        purpose = "reply"
        while purpose:
            async with aclosing(self._request(state, purpose)) as events:
                async for event in events:
                    yield event
            calls = _calls_to_run(state)
            state.messages.extend(_echo(state.requests[-1], with_calls=bool(calls)))
            async with aclosing(self._run_tools(calls, state)) as tool_events:
                async for event in tool_events:
                    yield event
            purpose = "reply" if calls or _must_resume(state) or _nudge(state) else ""
            if not purpose and (invalid := _read(state)) is not None:
                purpose = "repair" if invalid.is_asked_again else ""
                yield invalid
        finished = self._finished(state)
        if (ended := _ended_early(state.requests[-1])) is not None:
            yield ended
        if finished.turn.failure or not finished.turn.reply.strip() or isinstance(state.read, NoValue):
            yield Apology(self._apology)
        yield finished

    def _said_before(self, conversation: Conversation) -> Sequence[JsonObject]:
        """Return what was said, without the thinking behind it when the prompt is another one now.

        Models that bind thinking to its prefix refuse it once system, tools or model are not what they were.
        """
        same = conversation.prompt_sha == self._prompt.sha
        return conversation.messages if same else without_thinking(conversation.messages)

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
        if not summary:
            state.messages = list(plan.otherwise)
            return
        state.notes, kept = remembered(summary, plan)
        state.messages = list(kept)
        yield MemoryFolded(summary)

    def _ask(
        self, state: _TurnState, messages: Sequence[JsonObject], purpose: str, fields: JsonObject | None = None
    ) -> Ask:
        params = state.params
        if purpose not in ANSWERS:
            params = _params_aside(params)
        elif state.replied:
            params = _params_unforced(params)
        prompt = replace(self._prompt, params=params)
        body = build_body(prompt, messages, state.message_id, {**self._memory.fields, **(fields or {})}, state.notes)
        return Ask(state.next_n, state.n, body, purpose, self._memory.headers)

    async def _request(self, state: _TurnState, purpose: str) -> AsyncGenerator[EngineEvent]:
        """Make the next request of the turn."""
        async with aclosing(self._replies.ask(self._ask(state, state.messages, purpose))) as events:
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
            notes=state.notes,
            prompt_sha=self._prompt.sha,
        )
        return TurnFinished(turn, after, state.read)


def _output_of(output: Output | None, prompt: PromptVersion) -> Output | None:
    """Return what a turn's reply must be: the prompt's schema goes before that of who sends the message."""
    if prompt.output_schema is None:
        return output
    return replace(output or Output({}), schema=prompt.output_schema)


def _held_to(output: Output | None, prompt: PromptVersion) -> JsonObject:
    """Return the params of a turn's requests: the prompt's, with the schema of who sends the message if need be."""
    if output is None or prompt.output_schema is not None:
        return prompt.params
    wanted = {"format": {"type": "json_schema", "schema": output.schema}}
    return {**prompt.params, "output_config": {**prompt.params.get("output_config", {}), **wanted}}


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


def _read(state: _TurnState) -> ReplyInvalid | None:
    """Read the value of the turn's last reply, if it must have one; ask once more where the model can mend it."""
    request = state.requests[-1]
    if state.output is None:
        return None
    state.read = read_structured(request, state.output)
    if not isinstance(state.read, NoValue) or not state.read.can_be_mended:
        return None
    again = not state.repaired and len(state.requests) < MOST_REQUESTS
    if again:
        state.repaired = True
        state.messages.append({"role": "user", "content": REPAIR.format(reason=state.read.reason)})
    return ReplyInvalid(state.read.reason, again)


def _ended_early(request: Request) -> ReplyCutOff | ReplyRefused | None:
    """Return why a turn's last reply is not whole, if the model or the API ended it early."""
    if request.stop_reason in CUT_OFF:
        return ReplyCutOff(str(request.stop_reason))
    if request.stop_reason == "refusal":
        details = request.stop_details or {}
        return ReplyRefused(str(details.get("category") or ""), str(details.get("explanation") or ""))
    return None


def _echo(request: Request, *, with_calls: bool) -> list[JsonObject]:
    """Return the assistant's message as later requests must repeat it: verbatim, but without calls nobody answers."""
    content = [block for block in request.content if with_calls or block.get("type") != "tool_use"]
    if request.stop_reason != "pause_turn":
        content = echoable(content)
    return [{"role": "assistant", "content": content}] if content else []
