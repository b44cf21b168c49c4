"""One request beside a conversation: a judge's question, or what a model that plays the user says next.

It goes through the same replies as every other request - limits, retries, prices - and leaves what a record keeps of
it. Knows nothing of what is asked.
"""

from __future__ import annotations

from contextlib import aclosing
from hashlib import sha256
from typing import Any

import orjson

from evalkit.engine.events import RequestFinished
from evalkit.engine.requests import Ask, Replies
from evalkit.records import JsonObject, Request, SideRequest


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
    return sha256(orjson.dumps(body, default=_plain)).hexdigest()


def _plain(value: Any) -> Any:
    return dict(value)
