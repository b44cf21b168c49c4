"""A door without a network: an API with the stand-in's rate limits, in the loop's own (virtual) time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate

from evalkit.engine import DoorError, OpenReply
from evalkit.records import Failure, JsonObject
from evalkit.standin.errors import ApiError
from evalkit.standin.protocol.ratelimits import RateLimiter as ServerLimiter
from evalkit.standin.protocol.ratelimits import RateLimits
from tests.engine.streams import end, sse, start, text_block

EPOCH = 1_800_000_000


@dataclass
class MadeUpApi:
    """Answers every request after `latency_s`; `tokens` gives a request's uncached input and its output."""

    limits: RateLimits
    latency_s: float = 0.5
    tokens: Callable[[int], tuple[int, int]] = lambda _n: (100, 50)
    tells_limits: bool = True
    answered: int = 0
    refused: int = 0
    sent_at: list[float] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _server: ServerLimiter | None = None

    @asynccontextmanager
    async def stream(self, body: JsonObject, headers: Mapping[str, str]) -> AsyncIterator[OpenReply]:
        """Answer, or refuse with a 429."""
        loop = asyncio.get_running_loop()
        if self._server is None:
            self._server = ServerLimiter(self.limits, loop.time, lambda: EPOCH + loop.time())
        self.sent_at.append(loop.time())
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield await self._answer(self._server, str(body["model"]))
        finally:
            self._at_once -= 1

    async def _answer(self, server: ServerLimiter, model: str) -> OpenReply:
        input_tokens, output_tokens = self.tokens(len(self.sent_at))
        try:
            server.admit(model, input_tokens)
        except ApiError as error:
            self.refused += 1
            given = dict(error.answer.headers)
            raise DoorError(
                Failure("rate_limit_error", "slow down", 429), retry_after_s=float(given["retry-after"]), headers=given
            ) from error
        await asyncio.sleep(self.latency_s)
        server.spend_output(model, output_tokens)
        self.answered += 1
        events = [start(input_tokens=input_tokens), *text_block(0, "Hello"), *end(output_tokens=output_tokens)]
        return OpenReply("req_1", self._headers(server, model), _whole(sse(*events)))

    def _headers(self, server: ServerLimiter, model: str) -> dict[str, str]:
        if not self.tells_limits:
            return {}
        told = {name.decode(): value.decode() for name, value in server.headers(model)}
        return {**told, "date": formatdate(EPOCH + asyncio.get_running_loop().time(), usegmt=True)}


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data
