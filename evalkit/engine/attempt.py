"""One try of a request: send, fold what comes back, tell it as events. Knows time limits, and nothing of retries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import Any

from evalkit.engine.deadlines import Deadlines, Limits
from evalkit.engine.door import Door, DoorError, OpenReply
from evalkit.engine.events import ReplyBegan, RequestEvent, TextArrived
from evalkit.engine.fold import Message, fold, usage_of
from evalkit.engine.limiter import Ticket
from evalkit.engine.sse import EventDecoder, MalformedStream
from evalkit.engine.watchdog import Watchdog
from evalkit.records import Failure, JsonObject, Usage


class Attempt:
    """What one try has received so far; a failed one keeps it, because abandoned streams cost money too."""

    def __init__(self, request_n: int, ticket: Ticket) -> None:
        self._request_n = request_n
        self._ticket = ticket
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._first_token: float | None = None
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
                async for event in self._read(reply, watchdog):
                    yield event
        except TimeoutError as exc:
            raise DoorError(self._too_late(deadlines)) from exc
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
        self._ticket.finished(self.usage or Usage())

    async def _read(self, reply: OpenReply, watchdog: Watchdog) -> AsyncGenerator[RequestEvent]:
        decoder = EventDecoder()
        while (chunk := await watchdog.wait(anext(reply.chunks, None))) is not None:
            for event in decoder.feed(chunk):
                kind = event.get("type")
                if kind == "error" and not self.message.finished:
                    raise DoorError(self._error(event))
                self.message = fold(self.message, event)
                if kind == "content_block_delta":
                    if self._first_token is None:
                        self._first_token = self._clock()
                    text = event["delta"].get("text")
                    if text:
                        yield TextArrived(text)
                elif kind == "message_start":
                    self._ticket.began(self.usage or Usage())
                    yield ReplyBegan(self._request_n)

    def _failure(self, kind: str, message: str) -> Failure:
        status = 200 if self.request_id else None
        return Failure(kind, message, status, bool(self.message.blocks), self.request_id)

    def _too_late(self, deadlines: Deadlines) -> Failure:
        exceeded = deadlines.exceeded()
        if exceeded:
            return self._failure("deadline_exceeded", exceeded)
        return self._failure("stalled_stream" if self.request_id else "timeout_error", "no more data came in time")

    def _error(self, event: Mapping[str, Any]) -> Failure:
        error = event.get("error") or {}
        return self._failure(error.get("type") or "api_error", error.get("message") or "error without a message")
