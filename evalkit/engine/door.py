"""What the engine asks of the outside: open one streamed reply. `claude.py` does it with the SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from evalkit.records import Failure, JsonObject


@dataclass(frozen=True)
class OpenReply:
    """A reply whose headers are here and whose body streams in `chunks`."""

    request_id: str | None
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class DoorError(Exception):
    """A reply could not be opened, or broke while it was read.

    `retry_after_s` is the server's wish, if it had one; `final` is set when the server said that trying again is
    pointless, False when it asked for another try, None when it said nothing. `headers` are those of an error answer.
    """

    def __init__(
        self,
        failure: Failure,
        *,
        retry_after_s: float | None = None,
        final: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.retry_after_s = retry_after_s
        self.final = final
        self.headers: Mapping[str, str] = headers or {}


class Door(Protocol):
    """Opens one streamed reply at a time; many at once."""

    def stream(self, body: JsonObject, headers: Mapping[str, str]) -> AbstractAsyncContextManager[OpenReply]:
        """Send a request body of POST /v1/messages and give its reply; DoorError when there is none."""
        ...
