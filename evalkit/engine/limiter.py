"""Holds requests back before the server has to: one queue per model class, first come first served.

A RateLimiter learns the limits from response headers, keeps its own account of what is under way, and lets the head of
a queue go when all of its limits allow. It waits in timers, never in loops, and a wait belongs to one request: nobody
else's is longer for it than the server's limits make it. The server counts by key, whatever number of chatbots use it:
a SharedLimiter is one limiter for all of them in this process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from math import inf
from threading import Lock
from typing import Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

from evalkit.engine.ratelimits import (
    INPUT,
    OUTPUT,
    REQUESTS,
    ROUNDING,
    Bucket,
    CongestionWindow,
    Estimates,
    ReportedLimit,
    model_class,
    read_limits,
)
from evalkit.records import Usage


class Ticket:
    """A request's leave to be sent. Tell it what comes back, and close it when the request is over."""

    def __init__(self, queue: _Queue, size: int) -> None:
        self._queue = queue
        self.size = size
        self.need: dict[str, float] = {}
        self.waited_s = 0.0
        self.sent_at = 0.0
        self.counted = False  # the server's numbers include this request
        self.charged: frozenset[str] = frozenset()  # dimensions in which it is booked
        self._clean = False

    def answered(self, headers: Mapping[str, str]) -> None:
        """Learn from the headers of a reply or an error."""
        self.counted = True
        self._queue.believe(read_limits(headers))

    def began(self, usage: Usage) -> None:
        """Replace the estimate of the input by what the reply's first event says."""
        self._queue.correct_input(self, usage.input_tokens + usage.cache_creation_input_tokens)

    def finished(self, usage: Usage) -> None:
        """Take note of a complete reply."""
        self._clean = True
        self._queue.correct_output(self, usage.output_tokens)

    def refused(self, headers: Mapping[str, str], retry_after_s: float | None) -> None:
        """Take note of a 429: the whole class waits as long as the server asks, and fewer go at once."""
        self.answered(headers)
        self._queue.refused(self, retry_after_s)

    def close(self) -> None:
        """Make room for the next request; closing twice is fine."""
        self._queue.leave(self, clean=self._clean)


class _Queue:
    """The requests of one model class: those under way, those that wait, and what is believed of the limits."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Ticket, asyncio.Future[None]]] = deque()
        self._under_way: set[Ticket] = set()
        self._buckets: dict[str, Bucket] = {}
        self._window = CongestionWindow()
        self._estimates = Estimates()
        self._paused_until = -inf
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, size: int, *, first: bool) -> Ticket:
        """Return a ticket as soon as the limits allow; `first` goes before those that were never sent."""
        ticket = Ticket(self, size)
        if not self._waiting and self._wait_s(ticket, self._loop.time()) == 0:
            self._go(ticket)
            return ticket
        began = self._loop.time()
        place = (ticket, self._loop.create_future())
        (self._waiting.appendleft if first else self._waiting.append)(place)
        self._pump()
        try:
            await place[1]
        except asyncio.CancelledError:
            self._give_up(place)
            raise
        ticket.waited_s = self._loop.time() - began
        return ticket

    def believe(self, seen: list[ReportedLimit]) -> None:
        """Take over what headers say."""
        now = self._loop.time()
        for limit in seen:
            # what is booked for requests under way that the server's numbers may not hold yet
            unseen = sum(
                ticket.need[limit.dimension]
                for ticket in self._under_way
                if limit.dimension == OUTPUT or not ticket.counted
            )
            bucket = self._buckets.get(limit.dimension)
            if bucket is None or bucket.limit != limit.limit:
                bucket = Bucket.seen(limit.limit, limit.remaining, unseen, now)
                self._buckets[limit.dimension] = bucket
                for ticket in self._under_way:  # the new bucket holds the reserves of all of them
                    ticket.charged |= {limit.dimension}
            bucket.believe(limit.remaining, unseen, ROUNDING[limit.dimension], now)
            if limit.full_in_s is not None:
                bucket.slow_down(limit.full_in_s, limit.remaining)
        self._pump()

    def correct_input(self, ticket: Ticket, tokens: int) -> None:
        """Book what the input really counted."""
        self._estimates.learn_input(ticket.size, tokens)
        self._correct(ticket, INPUT, tokens)

    def correct_output(self, ticket: Ticket, tokens: int) -> None:
        """Book what the output really counted."""
        self._estimates.learn_output(tokens)
        self._correct(ticket, OUTPUT, tokens)

    def refused(self, ticket: Ticket, retry_after_s: float | None) -> None:
        """Pause after a 429 and let fewer go at once."""
        now = self._loop.time()
        self._window.refused(ticket.sent_at, now)
        if retry_after_s is None:
            return
        self._paused_until = max(self._paused_until, now + retry_after_s)
        if self._buckets:
            tightest = min(self._buckets, key=lambda name: self._buckets[name].level / self._buckets[name].limit)
            self._buckets[tightest].refused(ticket.need[tightest], retry_after_s, now)

    def leave(self, ticket: Ticket, *, clean: bool) -> None:
        """Take a finished request out."""
        if ticket not in self._under_way:
            return
        full = len(self._under_way) >= int(self._window.size)
        self._under_way.remove(ticket)
        if clean and full:
            self._window.clean()
        self._pump()

    def _go(self, ticket: Ticket) -> None:
        """Book a request and count it as under way."""
        now = self._loop.time()
        ticket.need = self._need(ticket)
        ticket.charged = frozenset(self._buckets)
        for dimension, bucket in self._buckets.items():
            bucket.take(ticket.need[dimension], now)
        ticket.sent_at = now
        self._under_way.add(ticket)

    def _need(self, ticket: Ticket) -> dict[str, float]:
        return {
            REQUESTS: 1.0,
            INPUT: self._estimates.input_tokens(ticket.size),
            OUTPUT: self._estimates.output_tokens(),
        }

    def _wait_s(self, ticket: Ticket, now: float) -> float:
        """Return how long a request must wait; infinite when it waits for another one to end."""
        if len(self._under_way) >= int(self._window.size):
            return inf
        need = self._need(ticket)
        waits = [bucket.wait_s(need[dimension], now) for dimension, bucket in self._buckets.items()]
        return max(self._paused_until - now, 0.0, *waits)

    def _pump(self) -> None:
        """Let go whoever may, in order; set one timer for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            ticket, future = self._waiting[0]
            now = self._loop.time()
            wait_s = self._wait_s(ticket, now)
            if wait_s > 0:
                if wait_s < inf:
                    self._timer = self._loop.call_at(now + wait_s, self._pump)
                return
            self._waiting.popleft()
            if not future.cancelled():
                self._go(ticket)
                future.set_result(None)

    def _give_up(self, place: tuple[Ticket, asyncio.Future[None]]) -> None:
        """Take out a request that was cancelled while it waited, or just after its turn had come."""
        if place in self._waiting:
            self._waiting.remove(place)
            self._pump()
        self.leave(place[0], clean=False)

    def _correct(self, ticket: Ticket, dimension: str, tokens: int) -> None:
        bucket = self._buckets.get(dimension)
        if bucket is not None and dimension in ticket.charged:
            bucket.correct(ticket.need[dimension], tokens, self._loop.time())
            ticket.need[dimension] = tokens
            self._pump()


class Limiter(Protocol):
    """Gives each request leave to be sent."""

    async def admit(self, model: str, size: int, *, again: bool = False) -> Ticket:
        """Wait until a request with a body of `size` bytes may be sent; `again` for another try of the same request."""
        ...


class RateLimiter:
    """The limiter of one event loop."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}

    async def admit(self, model: str, size: int, *, again: bool = False) -> Ticket:
        """Wait until a request with a body of `size` bytes may be sent; `again` for another try of the same request."""
        name = model_class(model)
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = _Queue()
        return await queue.enter(size, first=again)


_LIMITERS: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, RateLimiter]] = WeakKeyDictionary()
_LIMITERS_LOCK = Lock()  # event loops may run in several threads


class SharedLimiter:
    """The limiter of all who use the same `account` in this process, which is a hash of an endpoint and its key.

    In each event loop it is another one, since queues belong to a loop. What is known of an account is forgotten when
    nobody who has asked for it is left.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._held: RateLimiter | None = None

    async def admit(self, model: str, size: int, *, again: bool = False) -> Ticket:
        """Wait until a request with a body of `size` bytes may be sent; `again` for another try of the same request."""
        with _LIMITERS_LOCK:
            limiters = _LIMITERS.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
            self._held = limiters.setdefault(self._account, RateLimiter())
        return await self._held.admit(model, size, again=again)
