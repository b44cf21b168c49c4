"""Every fault of the table as the unmodified SDK meets it, streaming and not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import pytest

from evalkit.standin import FAULTS, StandIn
from tests.standin.conftest import echo

Outcome = tuple[str, Any]
REQUEST: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "hello there, tell me about größe"}],
    "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {"order_id": {"type": "string"}}}}],
}
WHOLE = "Trial 1: hello there, tell me about größe – naïve 🙂."
HALF = WHOLE[: (len(WHOLE) + 1) // 2]


def failed(error: type[BaseException], status: int | None = None, kind: str | None = None) -> Outcome:
    """Return the outcome of a call that raised."""
    return (error.__name__, (status, kind))


def ended(stop_reason: str | None, text: str, tool_input: object = None) -> Outcome:
    """Return the outcome of a call that gave a message."""
    return ("message", (stop_reason, text, tool_input))


OVERLOADED = failed(anthropic.OverloadedError, 529, "overloaded_error")
MID_STREAM = failed(anthropic.APIStatusError, 200, "overloaded_error")
CUT_JSON = failed(json.JSONDecodeError)
NO_CONNECTION = failed(anthropic.APIConnectionError)
BROKEN_OFF = failed(httpx2.RemoteProtocolError)
COMPLETE = ended("end_turn", WHOLE)
CALLED = ended("refusal", WHOLE, {"order_id": "stand-in"})
EMPTY_STREAM = failed(AssertionError)

SAME_FOR_BOTH: dict[str, Outcome] = {
    "overloaded": OVERLOADED,
    "rate_limited": failed(anthropic.RateLimitError, 429, "rate_limit_error"),
    "ramp_limited": failed(anthropic.RampLimitExceededError, 429, "rate_limit_error"),
    "spend_limit": failed(anthropic.EnforcedSpendLimitReachedError, 429, "rate_limit_error"),
    "server_error": failed(anthropic.InternalServerError, 500, "api_error"),
    "unavailable": failed(anthropic.ServiceUnavailableError, 503, "api_error"),
    "timeout_504": failed(anthropic.GatewayTimeoutError, 504, "timeout_error"),
    "bad_request": failed(anthropic.BadRequestError, 400, "invalid_request_error"),
    "unauthorized": failed(anthropic.AuthenticationError, 401, "authentication_error"),
    "billing": failed(anthropic.PaymentRequiredError, 402, "billing_error"),
    "forbidden": failed(anthropic.PermissionDeniedError, 403, "permission_error"),
    "model_not_found": failed(anthropic.NotFoundError, 404, "not_found_error"),
    "conflict": failed(anthropic.ConflictError, 409, "conflict_error"),
    "too_large": failed(anthropic.ContentTooLargeError, 413, "request_too_large"),
    "malformed_json": CUT_JSON,
    "unknown_events": COMPLETE,
    "reset_before_headers": NO_CONNECTION,
    "slow_first_byte": COMPLETE,
    "slow_loris": COMPLETE,
    "split_utf8": COMPLETE,
    "refusal": ended("refusal", HALF),
    "refusal_mid_tool": CALLED,
    "max_tokens_mid_tool": ended("max_tokens", WHOLE, {}),
    "context_exceeded": ended("model_context_window_exceeded", HALF),
    "pause_turn": ended("pause_turn", WHOLE, {"query": "stand-in"}),
    "empty_end_turn": ended("end_turn", ""),
}
STREAMED: dict[str, Outcome] = SAME_FOR_BOTH | {
    "overloaded_mid_stream": MID_STREAM,
    "error_first_event": MID_STREAM,
    "error_after_stop": MID_STREAM,
    "bad_tool_json": failed(ValueError),
    "truncated": ended(None, WHOLE[:15]),
    "dropped": BROKEN_OFF,
    "no_answer": failed(anthropic.APITimeoutError),
    "stall": failed(httpx2.ReadTimeout),
    "html_200": EMPTY_STREAM,
    "empty_200": EMPTY_STREAM,
    "json_200_when_streaming": EMPTY_STREAM,
}
PLAIN: dict[str, Outcome] = SAME_FOR_BOTH | {
    "overloaded_mid_stream": OVERLOADED,
    "error_first_event": OVERLOADED,
    "error_after_stop": OVERLOADED,
    "bad_tool_json": ended("tool_use", WHOLE, {"order_id": "stand-in"}),
    "truncated": CUT_JSON,
    "dropped": NO_CONNECTION,
    "no_answer": failed(anthropic.APITimeoutError),
    "stall": failed(anthropic.APITimeoutError),
    "html_200": ("text", "<html>"),
    "empty_200": CUT_JSON,
    "json_200_when_streaming": COMPLETE,
}
WAITS_FOR_THE_CLIENT = {"no_answer", "stall"}


@pytest.fixture(scope="module")
def impatient(stand_in: StandIn) -> Iterator[Callable[[str], anthropic.Anthropic]]:
    """Return clients that lose patience quickly where the fault is silence, and never retry."""
    with anthropic.Anthropic(api_key="test", base_url=stand_in.base_url, max_retries=0) as sdk:
        yield lambda name: sdk.with_options(timeout=0.2 if name in WAITS_FOR_THE_CLIENT else 20)


def outcome_of(call: Callable[[], Any]) -> Outcome:
    """Run a call and say how it ended."""
    try:
        message = call()
    except Exception as error:  # noqa: BLE001 - whatever escapes is what is measured
        return failed(type(error), getattr(error, "status_code", None), getattr(error, "type", None))
    if isinstance(message, str):
        return ("text", message[:6])
    text = "".join(block.text for block in message.content if block.type == "text")
    tools = [block.input for block in message.content if block.type in {"tool_use", "server_tool_use"}]
    return ended(message.stop_reason, text, tools[0] if tools else None)


@pytest.mark.parametrize("name", FAULTS)
def test_stream_meets_the_fault(name: str, impatient: Callable[[str], anthropic.Anthropic]) -> None:
    """The stream helper ends as the SDK's own behaviour for this fault says."""

    def call() -> Any:
        with impatient(name).messages.stream(**REQUEST, extra_headers={"x-evalkit-fault": name}) as stream:
            return stream.get_final_message()

    assert outcome_of(call) == STREAMED[name]


@pytest.mark.parametrize("name", FAULTS)
def test_plain_request_meets_the_fault(name: str, impatient: Callable[[str], anthropic.Anthropic]) -> None:
    """A request without streaming ends as the SDK's own behaviour for this fault says."""

    def call() -> Any:
        return impatient(name).messages.create(**REQUEST, extra_headers={"x-evalkit-fault": name})

    assert outcome_of(call) == PLAIN[name]


@pytest.mark.parametrize("name", ["overloaded", "rate_limited", "reset_before_headers", "server_error"])
def test_sdk_retries_get_through(name: str, stand_in: StandIn) -> None:
    """A fault of the first attempt only is overcome by the SDK's own retry."""
    with anthropic.Anthropic(api_key="test", base_url=stand_in.base_url, max_retries=1) as sdk:
        message = sdk.messages.create(**REQUEST, extra_headers={"x-evalkit-fault": f"{name};times=1"})
    assert message.stop_reason == "end_turn"


@pytest.mark.parametrize(("name", "header"), [("rate_limited", "0.01"), ("spend_limit", None)])
def test_retry_after_only_where_waiting_helps(name: str, header: str | None, client: anthropic.Anthropic) -> None:
    """A rate limit says when to come back; a spend limit does not."""
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**REQUEST, extra_headers={"x-evalkit-fault": name})
    assert caught.value.response.headers.get("retry-after") == header


def test_paused_turn_can_be_resumed(client: anthropic.Anthropic) -> None:
    """A pause_turn reply sent back unchanged is answered, the result of the server tool first."""
    paused = client.messages.create(**REQUEST, extra_headers={"x-evalkit-fault": "pause_turn"})
    history = [*REQUEST["messages"], {"role": "assistant", "content": paused.content}]
    resumed = client.messages.create(**{**REQUEST, "messages": history})
    assert resumed.content[0].type == "web_search_tool_result"
    assert resumed.content[0].tool_use_id == paused.content[-1].id
    assert resumed.stop_reason == "end_turn"


def test_unknown_fault_is_refused_with_a_suggestion(client: anthropic.Anthropic) -> None:
    """A misspelt fault is a 400 that names the nearest one."""
    with pytest.raises(anthropic.BadRequestError, match="did you mean 'overloaded'"):
        client.messages.create(**REQUEST, extra_headers={"x-evalkit-fault": "overloadd"})


def test_stopping_does_not_wait_for_stalled_responses() -> None:
    """A server with a response that stalls for an hour stops at once, and the client notices."""
    server = StandIn(echo, stall_s=3600)
    with (
        anthropic.Anthropic(api_key="test", base_url=server.start(), max_retries=0) as sdk,
        sdk.messages.stream(**REQUEST, extra_headers={"x-evalkit-fault": "stall"}) as stream,
    ):
        next(iter(stream))
        server.stop()
        with pytest.raises(httpx2.TransportError):
            stream.until_done()
