"""One request of a turn: send, fold the stream, try again when that can help, and tell it as events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from evalkit.engine.door import Door, DoorError, OpenReply
from evalkit.engine.events import ReplyBegan, RequestEvent, RequestFinished, Retrying, TextArrived
from evalkit.engine.fold import Message, fold, usage_of
from evalkit.engine.retry import RetryPolicy, wait_before_retry
from evalkit.engine.sse import EventDecoder, MalformedStream
from evalkit.records import Attempt, Failure, JsonObject, Request, Usage

Price = Callable[[str, Usage], float | None]
"""Model and usage to US dollars; None when the model's price is unknown."""


@dataclass(frozen=True)
class Ask:
    """A request to make: the body, its place in the session, what it is for, and headers that its body needs."""

    n: int
    turn: int
    body: JsonObject
    purpose: str = "reply"
    headers: Mapping[str, str] = field(default_factory=dict)


class Replies(Protocol):
    """Where replies come from: the API, or what is stored."""

    def ask(self, ask: Ask) -> AsyncGenerator[RequestEvent]:
        """Make one request; the last event is RequestFinished."""
        ...


@dataclass(frozen=True)
class Limits:
    """How long a reply may take, in seconds: silence between two pieces, and the whole of one try."""

    idle_s: float = 60.0
    whole_s: float = 600.0


@dataclass
class _Try:
    """What one try has received so far; a failed one keeps it, because abandoned streams cost money too."""

    began: float
    request_id: str | None = None
    message: Message = field(default_factory=Message)
    first_token: float | None = None


class ApiReplies:
    """Replies from the API through a door."""

    def __init__(
        self,
        door: Door,
        price: Price,
        *,
        headers: Mapping[str, str] | None = None,
        policy: RetryPolicy | None = None,
        limits: Limits | None = None,
        random: Random | None = None,
    ) -> None:
        self._door = door
        self._price = price
        self._headers = dict(headers or {})
        self._policy = policy or RetryPolicy()
        self._limits = limits or Limits()
        self._random = random or Random()  # noqa: S311 - jitter, not cryptography

    async def ask(self, ask: Ask) -> AsyncGenerator[RequestEvent]:
        """Make one request, with as many tries as the policy allows."""
        attempts: list[Attempt] = []
        while True:
            attempt = _Try(began=time.perf_counter())
            try:
                async with aclosing(self._try(ask, attempt, len(attempts))) as events:
                    async for event in events:
                        yield event
            except DoorError as error:
                wait_s = wait_before_retry(error, len(attempts) + 1, self._policy, self._random)
                if wait_s is None:
                    yield RequestFinished(self._failed(ask, attempt, error.failure, attempts))
                    return
                attempts.append(self._attempt(ask, attempt, error.failure, wait_s))
                yield Retrying(error.failure, wait_s)
                await asyncio.sleep(wait_s)
            else:
                yield RequestFinished(self._complete(ask, attempt, attempts))
                return

    async def _try(self, ask: Ask, attempt: _Try, tried: int) -> AsyncGenerator[RequestEvent]:
        """Send once and fold what comes; DoorError when no complete reply came."""
        own = {**self._headers, "x-evalkit-attempt": str(tried)} if self._headers else {}
        headers = {**ask.headers, **own}
        deadline = _clock() + self._limits.whole_s
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout_at(self._next_deadline(deadline)):
                    reply = await stack.enter_async_context(self._door.stream(ask.body, headers))
                attempt.request_id = reply.request_id
                async for event in self._events(ask, reply, attempt, deadline):
                    yield event
        except TimeoutError as exc:
            kind = "stalled_stream" if attempt.request_id else "timeout_error"
            raise DoorError(_failure(attempt, kind, "no more data came in time")) from exc
        except MalformedStream as exc:
            raise DoorError(_failure(attempt, "malformed_stream", str(exc))) from exc
        if not attempt.message.finished:
            raise DoorError(_failure(attempt, "truncated_stream", "the reply ended before its message_stop event"))

    async def _events(self, ask: Ask, reply: OpenReply, attempt: _Try, deadline: float) -> AsyncGenerator[RequestEvent]:
        decoder = EventDecoder()
        while (chunk := await self._next_chunk(reply.chunks, deadline)) is not None:
            for event in decoder.feed(chunk):
                kind = event.get("type")
                if kind == "error" and not attempt.message.finished:
                    raise DoorError(_stream_error(event, attempt))
                attempt.message = fold(attempt.message, event)
                if kind == "content_block_delta":
                    if attempt.first_token is None:
                        attempt.first_token = time.perf_counter()
                    text = event["delta"].get("text")
                    if text:
                        yield TextArrived(text)
                elif kind == "message_start":
                    yield ReplyBegan(ask.n)

    async def _next_chunk(self, chunks: AsyncIterator[bytes], deadline: float) -> bytes | None:
        """Return the next bytes, None at the end. The time limit never spans a yield: it would hit the consumer."""
        async with asyncio.timeout_at(self._next_deadline(deadline)):
            return await anext(chunks, None)

    def _next_deadline(self, deadline: float) -> float:
        return min(deadline, _clock() + self._limits.idle_s)

    def _complete(self, ask: Ask, attempt: _Try, attempts: list[Attempt]) -> Request:
        message = attempt.message
        return Request(
            content=message.content(),
            stop_reason=message.stop_reason,
            stop_details=message.stop_details,
            message_id=message.id,
            cache_miss_reason=message.cache_miss_reason,
            first_token_ms=None if attempt.first_token is None else _ms(attempt.first_token - attempt.began),
            total_ms=_ms(time.perf_counter() - attempt.began),
            **self._common(ask, attempt, attempts),
        )

    def _failed(self, ask: Ask, attempt: _Try, failure: Failure, attempts: list[Attempt]) -> Request:
        return Request(failure=failure, partial=attempt.message.content(), **self._common(ask, attempt, attempts))

    def _common(self, ask: Ask, attempt: _Try, attempts: list[Attempt]) -> dict[str, Any]:
        usage = usage_of(attempt.message.usage)
        return {
            "n": ask.n,
            "turn": ask.turn,
            "body": ask.body,
            "purpose": ask.purpose,
            "usage": usage,
            "request_id": attempt.request_id,
            "cost_usd": self._cost(ask, attempt.message, usage),
            "waited_ms": round(sum(item.waited_ms for item in attempts), 3),
            "attempts": tuple(attempts),
        }

    def _attempt(self, ask: Ask, attempt: _Try, failure: Failure, wait_s: float) -> Attempt:
        usage = usage_of(attempt.message.usage)
        return Attempt(failure, _ms(wait_s), usage, self._cost(ask, attempt.message, usage))

    def _cost(self, ask: Ask, message: Message, usage: Usage | None) -> float | None:
        """Return dollars; a try that never got usage was not charged for tokens."""
        return 0.0 if usage is None else self._price(message.model or str(ask.body["model"]), usage)


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _failure(attempt: _Try, kind: str, message: str) -> Failure:
    return Failure(kind, message, 200 if attempt.request_id else None, bool(attempt.message.blocks), attempt.request_id)


def _stream_error(event: Mapping[str, Any], attempt: _Try) -> Failure:
    error = event.get("error") or {}
    return _failure(attempt, error.get("type") or "api_error", error.get("message") or "error without a message")
