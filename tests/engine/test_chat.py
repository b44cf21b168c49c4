"""The chatbot over the real SDK and real sockets, against scripted bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from evalkit.engine import ApiReplies, Apology, Chatbot, Conversation, EngineEvent, Limits, RetryPolicy, ToolOutcome
from evalkit.engine.chat import APOLOGY
from evalkit.engine.claude import ClaudeDoor
from evalkit.engine.events import (
    ReplyCutOff,
    ReplyInvalid,
    ReplyRefused,
    Retrying,
    TextArrived,
    ToolStarted,
    TurnFinished,
)
from evalkit.records import JsonObject, PromptVersion, Turn, Usage
from evalkit.structured import Output, Value, ending_of, value_of
from tests.engine.streams import byte_server, end, http, sse, start, text_block, tool_block

LOOKUP = {
    "name": "lookup",
    "description": "Look up.",
    "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
}
PROMPT = PromptVersion(
    sha="0" * 64,
    ref="p@v1",
    description="",
    model="claude-sonnet-5-5",
    params={"max_tokens": 100, "cache_control": {"type": "ephemeral"}},
    system=({"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}},),
    tools=(LOOKUP,),
)
HELLO = http(sse(start(), *text_block(0, "Hel", "lo"), *end()))


class Echo:
    """Answers every call with its input; raises for the id `boom`."""

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer."""
        if tool_input["id"] == "boom":
            raise RuntimeError("no luck")
        return ToolOutcome(f"{name}:{tool_input['id']}")


async def play(
    responses: Sequence[bytes],
    users: Sequence[str] = ("Hi",),
    *,
    limits: Limits | None = None,
    retries: int = 2,
    hold: bool = False,
    prompt: PromptVersion = PROMPT,
    output: Output | None = None,
) -> tuple[list[EngineEvent], list[dict[str, Any]]]:
    """Play a conversation against scripted responses; give all events and the bodies that were sent."""
    events: list[EngineEvent] = []
    async with byte_server(responses, hold=hold) as (url, seen):
        door = ClaudeDoor(url, "key")
        policy = RetryPolicy(retries=retries, first_s=0.001, longest_s=1)
        replies = ApiReplies(
            door, lambda _, usage: usage.output_tokens / 1e6, policy=policy, limits=limits, random=Random(1)
        )
        bot, conversation = Chatbot(prompt, replies, Echo()), Conversation()
        for user in users:
            async for event in bot.send(conversation, user, output):
                events.append(event)
                if isinstance(event, TurnFinished):
                    conversation = event.conversation
        await door.close()
    return events, seen


def run(*args: Any, **kwargs: Any) -> tuple[list[EngineEvent], list[dict[str, Any]], Turn]:
    """Play and give events, bodies and the last turn."""
    events, seen = asyncio.run(play(*args, **kwargs))
    last = events[-1]
    assert isinstance(last, TurnFinished)
    return events, seen, last.turn


def test_text_streams_piece_by_piece_and_the_turn_carries_it_whole() -> None:
    """Streaming first: pieces come as events, the last event has the finished turn."""
    events, seen, turn = run([HELLO])

    assert [event.text for event in events if isinstance(event, TextArrived)] == ["Hel", "lo"]
    assert (turn.reply, turn.failure, turn.requests[0].request_id) == ("Hello", None, "req_1")
    assert turn.requests[0].usage == Usage(input_tokens=10, output_tokens=7)
    assert turn.requests[0].cost_usd == 7e-6
    assert seen[0]["stream"] is True


def test_the_body_says_what_the_prompt_says() -> None:
    """Tools and system go out as the prompt has them, with cache markers and the diagnostics request."""
    _, seen, _ = run([HELLO], ["Hi", "Again"])

    expected = {"model": PROMPT.model, **PROMPT.params, "tools": list(PROMPT.tools), "system": list(PROMPT.system)}
    asked = {"previous_message_id": None}
    assert seen[0] == {
        **expected,
        "messages": [{"role": "user", "content": "Hi"}],
        "diagnostics": asked,
        "stream": True,
    }
    assert seen[1]["diagnostics"] == {"previous_message_id": "msg_1"}
    assert seen[1]["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
        {"role": "user", "content": "Again"},
    ]


def test_parallel_calls_are_answered_in_one_user_message() -> None:
    """All results of a reply go back together, in the order of the calls; failures are results too."""
    calls = [
        *tool_block(0, "lookup", '{"id": "a"}'),
        *tool_block(1, "lookup", '{"id": "boom"}'),
        *tool_block(2, "lookup", '{"id": 5}'),
        *tool_block(3, "nothing", "{}"),
        *tool_block(4, "lookup", '{"id": "cut'),
    ]
    events, seen, turn = run([http(sse(start(), *calls, *end("tool_use"))), HELLO])

    results = seen[1]["messages"][2]["content"]
    assert [item["tool_use_id"] for item in results] == [f"toolu_{n}" for n in range(5)]
    assert results[0] == {"type": "tool_result", "tool_use_id": "toolu_0", "content": "lookup:a"}
    assert [item.get("is_error", False) for item in results] == [False, True, True, True, True]
    assert results[1]["content"] == "lookup is not available at the moment."
    assert "not valid at 'id'" in results[2]["content"]
    assert "There is no tool named 'nothing'. The tools are: lookup." in results[3]["content"]
    assert results[4]["content"] == '{"INVALID_JSON":"{\\"id\\": \\"cut"}'
    assert len([event for event in events if isinstance(event, ToolStarted)]) == len(turn.tool_calls) == 5


SCHEMA = {
    "type": "object",
    "properties": {"urgency": {"enum": ["Now", "Today"]}},
    "required": ["urgency"],
    "additionalProperties": False,
}
TRIAGE = replace(
    PROMPT,
    tools=(),
    params={**PROMPT.params, "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}},
)


def said(text: str, stop_reason: str = "end_turn") -> bytes:
    """Make the response with a text."""
    return http(sse(start(), *text_block(0, text), *end(stop_reason)))


def value(events: list[EngineEvent]) -> Any:
    """Return the value of the turn."""
    last = events[-1]
    assert isinstance(last, TurnFinished)
    return last.value


def test_a_reply_that_is_json_of_the_schema_is_a_value() -> None:
    """It is read as the schema spells it, and derived from the turn again by whoever has the transcript."""
    events, seen, turn = run([said('{"urgency": "now"}')], prompt=TRIAGE)

    assert value(events) == {"urgency": "Now"}
    assert value_of(turn) == Value({"urgency": "Now"})
    assert seen[0]["output_config"]["format"]["schema"] == SCHEMA
    assert not any(isinstance(event, ReplyInvalid | Apology) for event in events)


def test_a_reply_that_does_not_fit_is_asked_for_once_more() -> None:
    """The model is told what is wrong; its second reply takes the place of the first, and both are paid for."""
    events, seen, turn = run([said("Sure: today."), said('{"urgency": "Today"}')], prompt=TRIAGE)

    (told,) = [event for event in events if isinstance(event, ReplyInvalid)]
    assert told.is_asked_again
    assert value(events) == {"urgency": "Today"}
    assert turn.reply == '{"urgency": "Today"}'
    assert [request.purpose for request in turn.requests] == ["reply", "repair"]
    assert [len(turn.replies), len(turn.spoken)] == [2, 1]
    assert sum(request.cost_usd or 0 for request in turn.requests) == 14e-6
    assert [message["role"] for message in seen[1]["messages"]] == ["user", "assistant", "user"]
    assert "Sure: today." in seen[1]["messages"][2]["content"]
    assert seen[1]["output_config"] == seen[0]["output_config"]


def test_a_second_reply_that_does_not_fit_is_apologised_for() -> None:
    """There is one repair and no more; the person reads the apology, the transcript keeps what was said."""
    events, seen, turn = run([said("Today."), said('{"urgency": "soon"}')], prompt=TRIAGE)

    assert [event.is_asked_again for event in events if isinstance(event, ReplyInvalid)] == [True, False]
    assert any(isinstance(event, Apology) for event in events)
    assert (value(events), len(seen), ending_of(turn)) == (None, 2, "invalid_output")
    assert turn.failure is None


@pytest.mark.parametrize(
    ("stop_reason", "told"),
    [
        ("max_tokens", ReplyCutOff("max_tokens")),
        ("model_context_window_exceeded", ReplyCutOff("model_context_window_exceeded")),
        ("refusal", ReplyRefused("", "")),
    ],
)
def test_a_cut_or_refused_reply_is_told_as_what_it_is(stop_reason: str, told: EngineEvent) -> None:
    """It is no invalid output: nothing is asked again. As text it is shown, as half of a value it is apologised for."""
    structured, seen, turn = run([said('{"urgency"', stop_reason)], prompt=TRIAGE)
    text, _, _ = run([said("It will", stop_reason)])

    assert told in structured
    assert told in text
    assert len(seen) == 1
    assert not any(isinstance(event, ReplyInvalid) for event in structured)
    assert [any(isinstance(event, Apology) for event in events) for events in (structured, text)] == [True, False]
    assert ending_of(turn) == stop_reason


def test_whoever_sends_a_message_may_ask_for_a_value() -> None:
    """The caller's schema goes out beside the prompt's effort; what its `make` refuses is mended like any misfit."""

    def even(number: int) -> int:
        if number % 2:
            raise ValueError("an even number was expected")
        return number

    prompt = replace(PROMPT, params={**PROMPT.params, "output_config": {"effort": "low"}})
    events, seen, _ = run([said("3"), said("4")], prompt=prompt, output=Output({"type": "integer"}, even))

    form = {"type": "json_schema", "schema": {"type": "integer"}}
    assert seen[0]["output_config"] == {"effort": "low", "format": form}
    assert "an even number was expected" in seen[1]["messages"][-1]["content"]
    assert value(events) == 4


def test_the_schema_that_suites_have_measured_goes_before_the_callers() -> None:
    """With a schema of the prompt's own the caller only makes the value."""
    output = Output({"type": "integer"}, lambda found: found["urgency"])
    events, seen, _ = run([said('{"urgency": "Now"}')], prompt=TRIAGE, output=output)

    assert seen[0]["output_config"]["format"]["schema"] == SCHEMA
    assert value(events) == "Now"


def test_a_tool_is_forced_in_the_first_request_of_a_turn_only() -> None:
    """Once it has called a tool the model may answer; the next turn begins with the force again."""
    choice = {"type": "tool", "name": "lookup", "disable_parallel_tool_use": True}
    prompt = replace(PROMPT, params={**PROMPT.params, "tool_choice": choice})
    call = http(sse(start(), *tool_block(0, "lookup", '{"id": "a"}'), *end("tool_use")))

    _, seen, _ = run([call, HELLO, call, HELLO], ["Hi", "Again"], prompt=prompt)

    free = {"type": "auto", "disable_parallel_tool_use": True}
    assert [body["tool_choice"] for body in seen] == [choice, free, choice, free]


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal", "end_turn", "model_context_window_exceeded"])
def test_a_call_in_a_reply_that_does_not_wait_for_it_is_not_run(stop_reason: str) -> None:
    """A cut-off or refused reply never runs tools, and its dangling call is not sent again."""
    reply = http(sse(start(), *text_block(0, "Let me"), *tool_block(1, "lookup", '{"id": "a"}'), *end(stop_reason)))

    _, seen, turn = run([reply, HELLO], ["Hi", "And?"])

    assert turn.tool_calls == ()
    assert seen[1]["messages"][1]["content"] == [{"type": "text", "text": "Let me"}]


def test_a_paused_turn_is_resumed_with_its_own_words() -> None:
    """pause_turn sends the reply back unchanged, without a user message."""
    _, seen, turn = run([http(sse(start(), *text_block(0, "Searching"), *end("pause_turn"))), HELLO])

    assert [message["role"] for message in seen[1]["messages"]] == ["user", "assistant"]
    assert turn.reply == "Searching\n\nHello"


def test_an_empty_end_turn_is_asked_once_to_go_on() -> None:
    """A reply without content is followed by one nudge in a user's message; the same request is not sent again."""
    _, seen, turn = run([http(sse(start(), *end())), HELLO])

    assert seen[1]["messages"] == [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Please continue."}]
    assert (turn.reply, turn.failure, len(seen)) == ("Hello", None, 2)


def test_a_model_that_stays_silent_ends_the_turn() -> None:
    """After one nudge an empty reply is a complete reply, nothing empty is repeated, and the person hears of it."""
    events, seen, turn = run([http(sse(start(), *end()))])

    assert (turn.failure, turn.reply, len(seen)) == (None, "", 2)
    assert [event for event in events if isinstance(event, Apology)] == [Apology(APOLOGY)]


def test_empty_text_and_thinking_at_the_end_are_not_repeated() -> None:
    """Neither is taken back by the API: the next request leaves them out."""
    thinking = [
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "thinking", "thinking": "", "signature": "s"},
        },
        {"type": "content_block_stop", "index": 2},
    ]
    reply = http(sse(start(), *text_block(0), *text_block(1, "Hm."), *thinking, *end()))

    _, seen, _ = run([reply, HELLO], ["Hi", "Well?"])

    assert seen[1]["messages"][1] == {"role": "assistant", "content": [{"type": "text", "text": "Hm."}]}


@pytest.mark.parametrize("status", ["400 Bad Request", "529 Overloaded"])
def test_a_person_is_told_something_friendly_and_never_the_error(status: str) -> None:
    """A failed turn ends with an apology for the person; its cause is in the turn, and the turn has no reply."""
    events, _, turn = run([http(ERROR % b"api_error", status, "application/json")], retries=0)

    assert isinstance(events[-2], Apology)
    assert events[-2].text == APOLOGY
    assert turn.failure is not None
    assert turn.reply == ""


def test_a_turn_with_a_reply_needs_no_apology() -> None:
    """Nothing is added to a turn that went well."""
    events, _, _ = run([HELLO])

    assert not any(isinstance(event, Apology) for event in events)


ERROR = b'{"type":"error","error":{"type":"%s","message":"no"},"request_id":"req_9"}'
BEGUN = sse(start(), *text_block(0, "Hel"))
FAULTS = {
    "overloaded": (http(ERROR % b"overloaded_error", "529 Overloaded", "application/json"), "overloaded_error", 529),
    "mid-stream error": (
        http(BEGUN + sse({"type": "error", "error": {"type": "overloaded_error", "message": "no"}})),
        "overloaded_error",
        200,
    ),
    "clean early end": (http(BEGUN), "truncated_stream", 200),
    "broken JSON": (http(BEGUN + b"event: x\ndata: {oops\n\n"), "malformed_stream", 200),
    "a page instead of a stream": (http(b"<html>", kind="text/html"), "malformed_stream", 200),
    "nothing at all": (b"", "connection_error", None),
    "cut mid-body": (
        http(b"fff\r\n" + BEGUN, extra="transfer-encoding: chunked\r\n"),
        "connection_error",
        None,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_passing_fault_is_tried_again_with_a_fresh_reply(name: str) -> None:
    """A transient fault costs a try, not the turn, and nothing of the broken reply stays."""
    response, kind, status = FAULTS[name]

    events, seen, turn = run([response, HELLO])

    request = turn.requests[0]
    assert (turn.reply, turn.failure, len(seen)) == ("Hello", None, 2)
    assert [(item.failure.kind, item.failure.status) for item in request.attempts] == [(kind, status)]
    assert any(isinstance(event, Retrying) for event in events)


@pytest.mark.parametrize("name", FAULTS)
def test_a_lasting_fault_ends_the_turn_with_its_reason(name: str) -> None:
    """When the tries are used up the turn has a failure and no reply; what had come is kept apart."""
    response, kind, _ = FAULTS[name]

    _, seen, turn = run([response])

    assert turn.failure is not None
    assert (turn.failure.kind, turn.reply, len(seen)) == (kind, "", 3)
    assert len(turn.requests[0].attempts) == 2


@pytest.mark.parametrize(
    ("status", "kind", "extra"),
    [
        ("400 Bad Request", "invalid_request_error", ""),
        ("401 Unauthorized", "authentication_error", ""),
        ("529 Overloaded", "overloaded_error", "x-should-retry: false\r\n"),
        ("429 Too Many Requests", "rate_limit_error", "retry-after: 3600\r\n"),
    ],
)
def test_what_no_waiting_helps_is_not_tried_again(status: str, kind: str, extra: str) -> None:
    """The caller's mistakes, the server's own word, and a wait beyond the cap end the request at once."""
    _, seen, turn = run([http(ERROR % kind.encode(), status, "application/json", extra)])

    assert turn.failure is not None
    assert (turn.failure.kind, turn.failure.request_id, len(seen)) == (kind, "req_1", 1)


def test_a_spent_limit_is_final_although_it_is_a_429() -> None:
    """Waiting does not bring money back."""
    body = (
        b'{"type":"error","error":{"type":"rate_limit_error","message":"spent",'
        b'"details":{"error_code":"enforced_spend_limit_reached"}}}'
    )

    _, seen, turn = run([http(body, "429 Too Many Requests", "application/json")])

    assert turn.failure is not None
    assert len(seen) == 1


def test_silence_ends_a_try() -> None:
    """A server that stops talking mid-reply is left after the idle limit."""
    stalled = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: r\r\ncontent-length: 99999\r\n\r\n" + BEGUN
    )

    _, _, turn = run([stalled], limits=Limits(idle_s=0.05), retries=0, hold=True)

    assert turn.failure is not None
    assert (turn.failure.kind, turn.failure.mid_stream) == ("stalled_stream", True)
    assert turn.requests[0].usage == Usage(input_tokens=10, output_tokens=1)  # what had come is paid for
