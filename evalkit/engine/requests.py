"""One request: wait for leave to send, try, try again when that can help, and tell it as events.

What stands beside a conversation goes the same way: a judge's question, what a simulated user says next, a recorded
request that is sent again. Limits, retries and prices are the same for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random
from typing import Protocol

import orjson

from evalkit.content import weigh_files
from evalkit.engine.attempt import Deadlines, Limits, OpenAttempt, RetryPolicy, wait_before_retry
from evalkit.engine.door import Door, DoorError
from evalkit.engine.events import RequestEvent, RequestFinished, Retrying
from evalkit.engine.limiter import Limiter, RateLimiter, Ticket
from evalkit.engine.memory import memory_named
from evalkit.prefix import cache_lifetime
from evalkit.records import Attempt, Failure, JsonObject, Request, SideRequest, Usage

Price = Callable[[str, Usage], float | None]
"""Model and usage to US dollars; None when the model's price is unknown."""


FILE_BYTES_PER_TOKEN = 3.5
"""How many bytes of text a token of a picture or PDF counts as where a request's size tells how much it asks for."""


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


@dataclass
class _Tries:
    """What has happened to one request so far: the waits before its tries, and the failed tries."""

    waits_s: list[float] = field(default_factory=list)
    failed: list[tuple[OpenAttempt, Failure]] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        """Add to the wait before the next try."""
        if len(self.waits_s) == len(self.failed):
            self.waits_s.append(0.0)
        self.waits_s[-1] += seconds


class ApiReplies:
    """Replies from the API through a door, for one conversation; share `limiter` among all that use the same key."""

    def __init__(
        self,
        door: Door,
        price: Price,
        *,
        headers: Mapping[str, str] | None = None,
        policy: RetryPolicy | None = None,
        limits: Limits | None = None,
        limiter: Limiter | None = None,
        random: Random | None = None,
    ) -> None:
        self._door = door
        self._price = price
        self._headers = dict(headers or {})
        self._policy = policy or RetryPolicy()
        self._limits = limits or Limits()
        self._limiter: Limiter = limiter or RateLimiter()
        self._random = random or Random()  # noqa: S311 - jitter, not cryptography
        self._deadlines: Deadlines | None = None

    async def ask(self, ask: Ask) -> AsyncGenerator[RequestEvent]:
        """Make one request, with as many tries as the policy allows."""
        if self._deadlines is None:
            self._deadlines = Deadlines(self._limits, asyncio.get_running_loop().time)
        deadlines = self._deadlines
        deadlines.begin(ask.turn)
        tries = _Tries()
        while True:
            ticket = await self._admit(ask, tries, deadlines)
            attempt = OpenAttempt(ask.n, ticket)
            try:
                headers = self._headers_of(ask, len(tries.failed))
                async with aclosing(attempt.run(self._door, ask.body, headers, self._limits, deadlines)) as events:
                    async for event in events:
                        yield event
            except DoorError as error:
                ticket.close()
                tries.failed.append((attempt, error.failure))
                wait_s = wait_before_retry(error, len(tries.failed), self._policy, self._random)
                if wait_s is None or wait_s >= deadlines.left_s():
                    tries.failed.pop()  # the request's own failure is not among the attempts before it
                    yield RequestFinished(self._finished(ask, attempt, tries, error.failure))
                    return
                yield Retrying(error.failure, wait_s)
                tries.wait(wait_s)
                await asyncio.sleep(wait_s)
            else:
                ticket.close()
                yield RequestFinished(self._finished(ask, attempt, tries))
                return
            finally:
                ticket.close()

    async def _admit(self, ask: Ask, tries: _Tries, deadlines: Deadlines) -> Ticket:
        """Wait for leave to send; the wait is recorded, and counts neither as latency nor against a deadline."""
        files = weigh_files(ask.body.get("messages", ()))
        size = len(orjson.dumps(ask.body)) + files.characters + round(files.tokens * FILE_BYTES_PER_TOKEN)
        ticket = await self._limiter.admit(str(ask.body["model"]), size, again=bool(tries.failed))
        tries.wait(ticket.waited_s)
        deadlines.excuse(ticket.waited_s)
        return ticket

    def _headers_of(self, ask: Ask, tried: int) -> dict[str, str]:
        """Return a request's headers; the SDK's own retry count tells the server that a request is not new."""
        headers = {**ask.headers, **self._headers}
        if self._headers:
            headers["x-evalkit-attempt"] = str(tried)
        if tried:
            headers["x-stainless-retry-count"] = str(tried)
        return headers

    def _finished(self, ask: Ask, attempt: OpenAttempt, tries: _Tries, failure: Failure | None = None) -> Request:
        """Return the request after its last attempt; what came of a failed one is kept as `partial`."""
        message, usage = attempt.message, attempt.usage
        request = Request(
            n=ask.n,
            turn=ask.turn,
            body=ask.body,
            purpose=ask.purpose,
            usage=usage,
            request_id=attempt.request_id,
            cost_usd=self._cost(ask, attempt, usage),
            cost_as_first_usd=self._cost(ask, attempt, usage.as_first(cache_lifetime(ask.body))) if usage else None,
            waited_ms=_ms(sum(tries.waits_s)),
            attempts=tuple(
                Attempt(why, _ms(wait_s), failed.usage, self._cost(ask, failed, failed.usage))
                for (failed, why), wait_s in zip(tries.failed, tries.waits_s[1:], strict=True)
            ),
        )
        if failure is not None:
            return replace(request, failure=failure, partial=message.content())
        return replace(
            request,
            content=message.content(),
            stop_reason=message.stop_reason,
            stop_details=message.stop_details,
            message_id=message.id,
            cache_miss_reason=message.cache_miss_reason,
            first_token_ms=attempt.first_token_ms,
            total_ms=attempt.total_ms,
        )

    def _cost(self, ask: Ask, attempt: OpenAttempt, usage: Usage | None) -> float | None:
        """Return dollars; an attempt that never got usage was not charged for tokens."""
        return 0.0 if usage is None else self._price(attempt.message.model or str(ask.body["model"]), usage)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


async def ask_aside(replies: Replies, ask: Ask) -> Request:
    """Make one request and return it when it is over, with its reply or its failure."""
    async with aclosing(replies.ask(ask)) as events:
        finished = [event.request async for event in events if isinstance(event, RequestFinished)]
    return finished[-1]


def side_request(request: Request) -> SideRequest:
    """Return what is kept of a finished request that is no part of the conversation: everything but its body."""
    return SideRequest(
        model=str(request.body["model"]),
        body_sha=body_sha(request.body),
        reply="".join(str(block.get("text", "")) for block in request.content if block.get("type") == "text"),
        stop_reason=request.stop_reason,
        usage=request.usage,
        cost_usd=request.cost_usd,
        request_id=request.request_id,
        total_ms=request.total_ms,
        attempts=request.attempts,
        failure=request.failure,
        from_cache=request.from_cache,
    )


def body_sha(body: JsonObject) -> str:
    """Return the SHA-256 of a request body as it is sent."""
    return sha256(orjson.dumps(body, default=dict)).hexdigest()


async def resend(request: Request, memory: JsonObject, door: Door, price: Price) -> Request:
    """Return the request with today's reply; a failure is in it, not raised. `memory` is that of its prompt version."""
    ask = Ask(request.n, request.turn, request.body, request.purpose, memory_named(memory).headers)
    return await ask_aside(ApiReplies(door, price), ask)
