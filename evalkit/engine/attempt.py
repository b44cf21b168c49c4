"""One attempt at a request, and what its failure means: send, fold what comes, give up in time; try again or not.

The table of failures is data, so that a test can hold the engine to every row of it. Sources: platform.claude.com,
errors and rate limits pages, read 2026-09-26; what broken streams look like was tried with anthropic 2.13.0. Who tries
again, and how often, is `requests.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from math import inf
from random import Random
from typing import TypeVar
from urllib.parse import unquote

from evalkit.engine.door import Door, DoorError, OpenReply
from evalkit.engine.events import ReplyBegan, RequestEvent, TextArrived
from evalkit.engine.fold import EventDecoder, MalformedStream, Message, fold, usage_of
from evalkit.engine.limiter import Ticket
from evalkit.records import Failure, JsonObject, Usage


@dataclass(frozen=True)
class FailureRule:
    """One row: how a failure shows, and whether another try follows.

    A failure fits by its HTTP status or by its kind (`Failure.kind`). `wait` says in words how long the next try waits.
    """

    name: str
    shows: str
    retried: bool
    wait: str = "back-off"
    statuses: Collection[int] = ()
    kinds: Collection[str] = ()

    def fits(self, failure: Failure) -> bool:
        """Tell whether the failure is of this row; a status other than 200 says more than a kind does."""
        if failure.status not in {None, 200}:
            return failure.status in self.statuses
        return failure.kind in self.kinds

    @property
    def becomes(self) -> str:
        """What becomes of the trial, in words."""
        return "goes on; not measured when the tries are used up" if self.retried else "not measured"


_OTHER_5XX = frozenset(range(500, 600)) - {504, 529}
RULES = (
    FailureRule(
        "rate limit",
        "429",
        True,
        "as long as `retry-after` says, the whole model class with it; else back-off",
        (429,),
        ("rate_limit_error",),
    ),
    FailureRule(
        "overloaded", "529, or an `error` event in a stream", True, statuses=(529,), kinds=("overloaded_error",)
    ),
    FailureRule("server error", "other 5xx, or an `error` event", True, statuses=_OTHER_5XX, kinds=("api_error",)),
    FailureRule("timeout", "408, 504, or no headers in time", True, statuses=(408, 504), kinds=("timeout_error",)),
    FailureRule("conflict", "409", True, statuses=(409,), kinds=("conflict_error",)),
    FailureRule("connection", "refused, reset or dropped, also in a stream", True, kinds=("connection_error",)),
    FailureRule("stall", "no bytes for the idle limit, or the try's limit is over", True, kinds=("stalled_stream",)),
    FailureRule("truncated", "a clean end before `message_stop`", True, kinds=("truncated_stream",)),
    FailureRule("malformed", "broken JSON, or a 200 that is no event stream", True, kinds=("malformed_stream",)),
    FailureRule("deadline", "the turn's or the trial's time is over", False, "-", kinds=("deadline_exceeded",)),
)
FINAL = FailureRule("final", "any other 4xx or error type: the request itself, the key, the money", False, "-")
"""What no row fits: the same request would fail again."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently; times in seconds.

    `longest_s` caps the back-off; a server's `retry-after` above `longest_asked_s` ends the tries.
    """

    retries: int = 4
    first_s: float = 0.5
    longest_s: float = 30.0
    longest_asked_s: float = 120.0


def rule_for(failure: Failure) -> FailureRule:
    """Return the row of the table that a failure fits."""
    return next((rule for rule in RULES if rule.fits(failure)), FINAL)


def wait_before_retry(error: DoorError, tried: int, policy: RetryPolicy, random: Random) -> float | None:
    """Return the seconds to wait before try number `tried + 1`, or None when the failure is final.

    Exponential back-off with full jitter under a cap; what the server asked for is the least that is waited. The
    server's own word (`x-should-retry`, a spent limit) stands above the table.
    """
    retried = rule_for(error.failure).retried if error.final is None else not error.final
    if tried > policy.retries or not retried:
        return None
    jittered = random.uniform(0, min(policy.longest_s, policy.first_s * 2 ** (tried - 1)))
    if error.retry_after_s is None:
        return jittered
    if error.retry_after_s > policy.longest_asked_s:
        return None
    return max(error.retry_after_s, jittered)


NO_SCRIPT = "x-evalkit-no-script"
"""The header by which the stand-in marks a placeholder, and says why it is one (`standin/directions.py`)."""
NO_DATA = "no more data came in time"


@dataclass(frozen=True)
class Limits:
    """Time limits in seconds: silence between two pieces, one try of a request, a turn, the conversation (a trial).

    None means no limit. Turns and conversations are limited only where one source of replies serves one conversation.
    """

    idle_s: float = 60.0
    whole_s: float = 600.0
    turn_s: float | None = None
    trial_s: float | None = None


class Deadlines:
    """The clock of one conversation: when its turn and itself must be over.

    Time that our own rate limiter held a request back is excused: a busy run must not fail its trials.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._turn = 0
        self._turn_ends = self._trial_ends = inf

    def begin(self, turn: int) -> None:
        """Start the clock of a turn at its first request, and that of the conversation at its first turn."""
        if self._turn == 0 and self._limits.trial_s is not None:
            self._trial_ends = self._clock() + self._limits.trial_s
        if turn != self._turn:
            self._turn = turn
            self._turn_ends = inf if self._limits.turn_s is None else self._clock() + self._limits.turn_s

    def excuse(self, seconds: float) -> None:
        """Move the deadlines by time that does not count."""
        self._turn_ends += seconds
        self._trial_ends += seconds

    def left_s(self) -> float:
        """Return the seconds until the nearest deadline; infinite when there is none."""
        return min(self._turn_ends, self._trial_ends) - self._clock()

    def exceeded(self) -> str | None:
        """Say which deadline has passed, None when none has."""
        now = self._clock()
        if self._trial_ends <= now:
            return f"the whole conversation took longer than {self._limits.trial_s:g} seconds"
        if self._turn_ends <= now:
            return f"the turn took longer than {self._limits.turn_s:g} seconds"
        return None


T = TypeVar("T")


class Watchdog:
    """Guards the waits of one try: each ends with TimeoutError after `idle_s` seconds or at `deadline` (loop time).

    Between two waits it never bites: what the consumer of a stream does meanwhile is not the server's silence.
    """

    def __init__(self, idle_s: float, deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle_s = idle_s
        self._deadline = deadline
        self._since = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self._bitten = False
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Await; TimeoutError when it takes too long, CancelledError only when somebody else cancelled."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        cancelled_before = task.cancelling()
        self._since = self._loop.time()
        self._waiting = task
        if self._timer is None:
            self._timer = self._loop.call_at(self._due(), self._look)
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._bitten and task.uncancel() <= cancelled_before:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> float:
        return min(self._deadline, self._since + self._idle_s)

    def _look(self) -> None:
        """Bite when a wait is overdue; else look again when the current one would be."""
        self._timer = None
        if self._waiting is None:
            return  # the next wait sets the timer again
        due = self._due()
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._look)
            return
        self._bitten = True
        self._waiting.cancel()


class OpenAttempt:
    """What one try has received so far; a failed one keeps it, because abandoned streams cost money too."""

    def __init__(self, request_n: int, ticket: Ticket) -> None:
        self._request_n = request_n
        self._ticket = ticket
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._first_token: float | None = None
        self._no_script = ""
        self.request_id: str | None = None
        self.message = Message()

    @property
    def usage(self) -> Usage | None:
        """Tokens that the server has reported so far."""
        return usage_of(self.message.usage)

    @property
    def first_token_ms(self) -> float | None:
        """Milliseconds from sending to the first delta."""
        return None if self._first_token is None else round((self._first_token - self._began) * 1000, 3)

    @property
    def total_ms(self) -> float:
        """Milliseconds from sending until now."""
        return round((self._clock() - self._began) * 1000, 3)

    async def run(
        self, door: Door, body: JsonObject, headers: Mapping[str, str], limits: Limits, deadlines: Deadlines
    ) -> AsyncGenerator[RequestEvent]:
        """Send once and fold what comes; DoorError when no complete reply came."""
        watchdog = Watchdog(limits.idle_s, self._clock() + min(limits.whole_s, deadlines.left_s()))
        try:
            async with AsyncExitStack() as stack:
                reply = await watchdog.wait(stack.enter_async_context(door.stream(body, headers)))
                self.request_id = reply.request_id
                self._ticket.answered(reply.headers)
                self._no_script = _no_script(reply.headers)
                async for event in self._read(reply, watchdog):
                    yield event
        except TimeoutError as exc:
            kind = "stalled_stream" if self.request_id else "timeout_error"
            exceeded = deadlines.exceeded()
            failure = self._failure("deadline_exceeded", exceeded) if exceeded else self._failure(kind, NO_DATA)
            raise DoorError(failure) from exc
        except MalformedStream as exc:
            raise DoorError(self._failure("malformed_stream", str(exc))) from exc
        except DoorError as error:
            if error.failure.status == 429:
                self._ticket.refused(error.headers, error.retry_after_s)
            raise
        finally:
            watchdog.close()
        if not self.message.finished:
            raise DoorError(self._failure("truncated_stream", "the reply ended before its message_stop event"))
        if self._no_script:
            raise DoorError(self._failure("no_script", self._no_script), final=True)
        self._ticket.finished(self.usage or Usage())

    async def _read(self, reply: OpenReply, watchdog: Watchdog) -> AsyncGenerator[RequestEvent]:
        decoder = EventDecoder()
        while (chunk := await watchdog.wait(anext(reply.chunks, None))) is not None:
            for event in decoder.feed(chunk):
                kind = event.get("type")
                if kind == "error" and not self.message.finished:
                    error = event.get("error") or {}
                    message = error.get("message") or "error without a message"
                    raise DoorError(self._failure(error.get("type") or "api_error", message))
                self.message = fold(self.message, event)
                if kind == "content_block_delta":
                    if self._first_token is None:
                        self._first_token = self._clock()
                    text = event["delta"].get("text")
                    if text and not self._no_script:  # a placeholder is nobody's words; the failure's record keeps it
                        yield TextArrived(text)
                elif kind == "message_start":
                    self._ticket.began(self.usage or Usage())
                    yield ReplyBegan(self._request_n)

    def _failure(self, kind: str, message: str) -> Failure:
        status = 200 if self.request_id else None
        return Failure(kind, message, status, bool(self.message.blocks), self.request_id)


def _no_script(headers: Mapping[str, str]) -> str:
    """Return why the stand-in's reply is only a placeholder, and where a rule is to blame; "" for any other reply."""
    reason, _, place = headers.get(NO_SCRIPT, "").partition(";at=")
    why = f"{unquote(reason)} ({unquote(place)})" if place else unquote(reason)
    return f"the stand-in has no script for this: {why}" if reason else ""
