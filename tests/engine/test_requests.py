"""One request with its tries: fresh folds, recorded waits, counted money, deadlines. In virtual time, no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from evalkit.engine import (
    ApiReplies,
    Ask,
    Chatbot,
    Conversation,
    DoorError,
    Limits,
    OpenReply,
    RateLimiter,
    ReplyBegan,
    RequestEvent,
    RequestFinished,
    RetryPolicy,
    TextArrived,
    ToolOutcome,
    TurnFinished,
)
from evalkit.engine.attempt import Watchdog
from evalkit.records import Failure, JsonObject, Request, Usage
from tests.engine.streams import end, sse, start, text_block, tool_block
from tests.engine.test_chat import PROMPT
from tests.engine.virtual_time import run_virtually

HELLO = [sse(start(), *text_block(0, "Hel", "lo"), *end())]
BODY = {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "Hi"}]}
Piece = bytes | float | Failure
"""What a scripted reply does next: send bytes, be silent for seconds, or fail."""


class ScriptedDoor:
    """Plays one script a request, the last one again and again; keeps what it was asked with."""

    def __init__(self, *scripts: Sequence[Piece]) -> None:
        self._scripts = scripts
        self.headers: list[dict[str, str]] = []
        self.open = 0

    @asynccontextmanager
    async def stream(self, body: JsonObject, headers: Mapping[str, str]) -> AsyncIterator[OpenReply]:
        """Open the next script; a failure or a silence at its beginning comes before the headers."""
        script = self._scripts[min(len(self.headers), len(self._scripts) - 1)]
        self.headers.append(dict(headers))
        self.open += 1
        try:
            first = 0
            while not isinstance(script[first], bytes):
                await _play(script[first])
                first += 1
            yield OpenReply("req_1", {}, _chunks(script[first:]))
        finally:
            self.open -= 1


async def _play(piece: Piece) -> None:
    if isinstance(piece, float):
        await asyncio.sleep(piece)
    elif isinstance(piece, Failure):
        raise DoorError(piece)


async def _chunks(script: Sequence[Piece]) -> AsyncIterator[bytes]:
    for piece in script:
        await _play(piece)
        if isinstance(piece, bytes):
            yield piece


async def asked(replies: ApiReplies, n: int = 1, turn: int = 1) -> tuple[list[RequestEvent], Request]:
    """Make one request and give its events and the request."""
    events = [event async for event in replies.ask(Ask(n, turn, BODY))]
    last = events[-1]
    assert isinstance(last, RequestFinished)
    return events, last.request


def replies_of(door: ScriptedDoor, limits: Limits | None = None, **policy: Any) -> ApiReplies:
    """Return replies at a price of one dollar a token, from a door."""
    price = float(1)
    return ApiReplies(
        door,
        lambda _model, usage: price * (usage.prompt_tokens + usage.output_tokens),
        policy=RetryPolicy(**policy),
        limits=limits,
        random=Random(1),
    )


def ask_once(door: ScriptedDoor, limits: Limits | None = None, **policy: Any) -> tuple[list[RequestEvent], Request]:
    """Make one request in virtual time."""

    async def main() -> tuple[list[RequestEvent], Request]:
        return await asked(replies_of(door, limits, **policy))

    return run_virtually(main())


BROKEN = sse(start(), *text_block(0, "Goo", "d d"))
OVERLOADED = Failure("overloaded_error", "Overloaded", 529)


def test_every_try_is_in_the_record_with_its_wait_and_its_money() -> None:
    """Abandoned streams keep usage and cost; the waits add up; latency is that of the last try alone."""
    door = ScriptedDoor([1.0, OVERLOADED], [2.0, BROKEN], [3.0, *HELLO])

    _, request = ask_once(door, first_s=4.0)

    assert [attempt.failure.kind for attempt in request.attempts] == ["overloaded_error", "truncated_stream"]
    assert [attempt.usage for attempt in request.attempts] == [None, Usage(input_tokens=10, output_tokens=1)]
    assert [attempt.cost_usd for attempt in request.attempts] == [0.0, 11.0]
    assert request.cost_usd == 17.0
    assert request.waited_ms == pytest.approx(sum(attempt.waited_ms for attempt in request.attempts))
    assert all(attempt.waited_ms > 0 for attempt in request.attempts)
    assert (request.first_token_ms, request.total_ms) == (3000.0, 3000.0)


def test_a_lasting_failure_keeps_the_money_of_its_last_try_apart() -> None:
    """The try that ended the request is the request's own; those before it are its attempts."""
    _, request = ask_once(ScriptedDoor([BROKEN]), retries=2)

    assert request.failure is not None
    assert (len(request.attempts), request.cost_usd, request.total_ms) == (2, 11.0, None)
    assert request.partial == ({"type": "text", "text": "Good d"},)
    assert request.content == ()


def test_a_retry_starts_from_an_empty_reply() -> None:
    """Nothing of a broken stream stays in the reply that follows it."""
    events, request = ask_once(ScriptedDoor([BROKEN], HELLO))

    assert request.content == ({"type": "text", "text": "Hello"},)
    assert [event.text for event in events if isinstance(event, TextArrived)] == ["Goo", "d d", "Hel", "lo"]
    assert len([event for event in events if isinstance(event, ReplyBegan)]) == 2


def test_the_server_is_told_which_try_it_is() -> None:
    """Retries carry the SDK's retry count, first tries don't."""
    door = ScriptedDoor([OVERLOADED], [OVERLOADED], HELLO)

    ask_once(door)

    assert [headers.get("x-stainless-retry-count") for headers in door.headers] == [None, "1", "2"]


class Ledger:
    """A tool with a side effect."""

    def __init__(self) -> None:
        self.booked: list[Any] = []

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Book."""
        self.booked.append(tool_input["id"])
        return ToolOutcome("booked")


CALL = tool_block(0, "lookup", '{"id": "a"}')
CUTS = {
    "behind the call": [sse(start(), *CALL)],
    "before message_stop": [sse(start(), *CALL, *end("tool_use")[:1])],
    "in an error": [sse(start(), *CALL), Failure("overloaded_error", "", 200, mid_stream=True)],
    "in silence": [sse(start(), *CALL), 1000.0],
}


@pytest.mark.parametrize("name", CUTS)
def test_a_tool_runs_once_however_its_reply_breaks(name: str) -> None:
    """Tools wait for the whole reply, so that a retry never follows a side effect of the broken one."""
    ledger = Ledger()
    whole = [sse(start(), *CALL, *end("tool_use"))]

    async def main() -> None:
        bot = Chatbot(PROMPT, replies_of(ScriptedDoor(CUTS[name], CUTS[name], whole, HELLO)), ledger)
        events = [event async for event in bot.send(Conversation(), "Book it")]
        assert isinstance(events[-1], TurnFinished)
        assert events[-1].turn.reply == "Hello"

    run_virtually(main())
    assert ledger.booked == ["a"]


def test_silence_before_the_headers_is_a_timeout() -> None:
    """A server that accepts and says nothing is left after the idle limit."""
    _, request = ask_once(ScriptedDoor([1000.0, *HELLO]), Limits(idle_s=5.0), retries=0)

    assert request.failure == Failure("timeout_error", "no more data came in time", None, mid_stream=False)


def test_a_trickle_is_no_silence_but_ends_with_the_trys_limit() -> None:
    """Pieces keep a reply alive only as long as one try may take."""
    trickle = [part for event in HELLO[0].split(b"\n\n") for part in (event + b"\n\n", 4.0)]
    door = ScriptedDoor(trickle)

    assert ask_once(door, Limits(idle_s=5.0, whole_s=100.0), retries=0)[1].failure is None
    failure = ask_once(door, Limits(idle_s=5.0, whole_s=10.0), retries=0)[1].failure
    assert failure is not None
    assert (failure.kind, failure.mid_stream) == ("stalled_stream", True)
    assert door.open == 0


def test_a_turn_ends_at_its_deadline_without_another_try() -> None:
    """The turn's time covers all its tries and is named in the reason."""
    door = ScriptedDoor([4.0, OVERLOADED], [1000.0, *HELLO])

    _, request = ask_once(door, Limits(turn_s=10.0), first_s=0.001)

    assert request.failure is not None
    assert (request.failure.kind, len(door.headers)) == ("deadline_exceeded", 2)
    assert request.failure.message == "the turn took longer than 10 seconds"


def test_no_try_is_begun_that_would_start_after_the_deadline() -> None:
    """Where the wait alone outlasts the deadline, the failure itself is the reason, at once."""

    async def main() -> tuple[Request, float]:
        _, request = await asked(replies_of(ScriptedDoor([1.0, OVERLOADED]), Limits(turn_s=1.001), first_s=50.0))
        return request, asyncio.get_running_loop().time()

    request, took_s = run_virtually(main())

    assert (request.failure, took_s) == (OVERLOADED, 1.0)


def test_the_trials_deadline_runs_over_all_turns_and_the_turns_anew() -> None:
    """Each turn has its own time; the conversation has one."""
    limits = Limits(turn_s=10.0, trial_s=20.0)

    async def main() -> list[Failure | None]:
        replies = replies_of(ScriptedDoor([8.0, *HELLO]), limits, retries=0)
        return [(await asked(replies, n, turn=n))[1].failure for n in (1, 2, 3)]

    first, second, third = run_virtually(main())

    assert (first, second) == (None, None)
    assert third is not None
    assert third.message == "the whole conversation took longer than 20 seconds"


def test_time_held_back_by_the_limiter_counts_for_no_deadline() -> None:
    """A busy key makes a trial late, not unmeasured."""

    async def main() -> Request:
        limiter = RateLimiter()
        (await limiter.admit(BODY["model"], 1)).refused({}, retry_after_s=50.0)  # type: ignore[arg-type]
        replies = ApiReplies(ScriptedDoor([8.0, *HELLO]), lambda *_: 0.0, limits=Limits(turn_s=10.0), limiter=limiter)
        return (await asked(replies))[1]

    request = run_virtually(main())

    assert (request.failure, request.waited_ms, request.total_ms) == (None, 50_000.0, 8000.0)


def test_what_the_consumer_does_meanwhile_is_not_the_servers_silence() -> None:
    """A slow reader of the events is never cut off."""

    async def main() -> Request:
        last: RequestEvent | None = None
        async for event in replies_of(ScriptedDoor(HELLO), Limits(idle_s=1.0)).ask(Ask(1, 1, BODY)):
            last = event
            await asyncio.sleep(100)
        assert isinstance(last, RequestFinished)
        return last.request

    assert run_virtually(main()).failure is None


def test_a_cancelled_wait_is_a_cancellation_and_no_timeout() -> None:
    """Who cancels from outside gets a cancellation, also when the idle limit is reached in the same moment."""

    async def main() -> list[str]:
        outcomes = []
        for cancel_after_s in (4.0, 5.0):
            watchdog = Watchdog(5.0, float("inf"))
            task = asyncio.ensure_future(watchdog.wait(asyncio.sleep(100)))
            asyncio.get_running_loop().call_later(cancel_after_s, task.cancel)
            await asyncio.wait([task])
            outcomes.append("cancelled" if task.cancelled() else type(task.exception()).__name__)
            watchdog.close()
        return outcomes

    assert run_virtually(main()) == ["cancelled", "cancelled"]


def test_leaving_a_reply_in_the_middle_closes_it_and_frees_its_place() -> None:
    """A consumer that walks away leaves no open reply and no taken place behind."""
    door = ScriptedDoor([sse(start(), *text_block(0, "Hel")), 5.0])

    async def main() -> int:
        limiter = RateLimiter()
        replies = ApiReplies(door, lambda *_: 0.0, limiter=limiter)
        for _ in range(20):  # more than the first window holds
            events = replies.ask(Ask(1, 1, BODY))
            assert isinstance(await anext(events), ReplyBegan)
            await events.aclose()
        return door.open

    assert run_virtually(main()) == 0
