"""Sending one response over ASGI, healthy or broken: carries out the steps that a fault asks for.

Knows ASGI and the raw transport below it; knows nothing of what the bytes mean.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from evalkit.standin.exchange import Settings
from evalkit.standin.faults import Drop, Reset, Send, Stall, Step, Wait

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
SendMessage = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
_CLOSE_LIMIT_S = 1.0


class Line:
    """One request's connection: read the body, send steps, break the line."""

    def __init__(self, receive: Receive, send: SendMessage, transport: asyncio.Transport) -> None:
        self._receive = receive
        self._send = send
        self._transport = transport

    async def read_body(self, limit: int) -> bytes | None:
        """Return the request body; None if it is longer than `limit` bytes."""
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("the client left before its request was complete")
            body += message.get("body", b"")
            if len(body) > limit:
                return None
            if not message.get("more_body"):
                return bytes(body)

    async def send_whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete response with its length."""
        sized = [*headers, (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": status, "headers": sized})
        await self._send({"type": "http.response.body", "body": body})

    async def send_steps(
        self, headers: Headers, steps: Sequence[Step], begin: Callable[[], None], settings: Settings
    ) -> None:
        """Carry steps out one after the other; `begin` is called just before the headers go out."""
        if len(steps) == 1 and isinstance(steps[0], Send):
            begin()
            await self.send_whole(200, headers, steps[0].data)
            return
        started = False
        for number, step in enumerate(steps):
            if self._transport.is_closing():  # uvicorn drops what is sent after that in silence
                await self._close()
                return
            if isinstance(step, Send) and not started:
                started = True
                begin()
                await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            if not await self._carry_out(step, settings):
                return
            if settings.event_s and isinstance(step, Send) and number + 1 < len(steps):
                await self.pause(settings.event_s)
        if not started:
            begin()
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": b""})

    async def _carry_out(self, step: Step, settings: Settings) -> bool:
        """Do one step; False if the response ends with it."""
        match step:
            case Send(data):
                await self._send({"type": "http.response.body", "body": data, "more_body": True})
            case Wait(share):
                await self.pause(share * settings.slow_s)
            case Stall():
                await self.pause(settings.stall_s)
                await self._close()
            case Drop(promised):
                self._transport.write(b"%x\r\n" % len(promised) + promised[: len(promised) // 2])
                await self._close()
            case Reset():
                raw: socket.socket = self._transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # with RST, not FIN
                self._transport.abort()
                await self.pause(_CLOSE_LIMIT_S)
        return isinstance(step, Send | Wait)

    async def _close(self) -> None:
        """Close once everything written has left, or at once if the client does not take it."""
        self._transport.close()
        await self.pause(_CLOSE_LIMIT_S)
        self._transport.abort()
        await self.pause(_CLOSE_LIMIT_S)

    async def pause(self, limit_s: float) -> None:
        """Wait, but no longer than the client stays."""
        if limit_s <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(limit_s):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return
