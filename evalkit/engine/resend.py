"""Sends a recorded request again: the same body, byte for byte, with the headers that its prompt's memory needs."""

from __future__ import annotations

from contextlib import aclosing

from evalkit.engine.door import Door
from evalkit.engine.events import RequestFinished
from evalkit.engine.memory import memory_named
from evalkit.engine.requests import ApiReplies, Ask, Price
from evalkit.records import JsonObject, Request


async def resend(request: Request, memory: JsonObject, door: Door, price: Price) -> Request:
    """Return the request with today's reply; a failure is in it, not raised. `memory` is that of its prompt version."""
    ask = Ask(request.n, request.turn, request.body, request.purpose, memory_named(memory).headers)
    again = request
    async with aclosing(ApiReplies(door, price).ask(ask)) as events:
        async for event in events:
            if isinstance(event, RequestFinished):
                again = event.request
    return again
