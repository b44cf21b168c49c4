"""Message batches: kept in memory, worked off when they are asked about, results as JSON lines.

A batch stays in progress until its `polls`-th retrieval and ends there, so that clients see both states and no
clock is needed. Knows nothing of how one request is answered: `run_item` does that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import orjson

from evalkit.standin.errors import ApiError, ErrorAnswer, bad_request, not_found
from evalkit.standin.protocol.shapes import BatchBody, check_shape
from evalkit.standin.reply import JsonObject

MAX_REQUESTS = 100_000
_ITEMS_AT_ONCE = 20
RunItem = Callable[[JsonObject], JsonObject]
"""An item of the batch (`custom_id`, `params`) -> its `result` object."""


@dataclass
class _Batch:
    id: str
    items: list[JsonObject]
    run_item: RunItem
    created: datetime
    polls_left: int
    status: str = "in_progress"
    canceled_at: datetime | None = None
    ended_at: datetime | None = None
    is_worked_off: bool = False
    results: list[JsonObject] = field(default_factory=list)


class Batches:
    """Create, list, end, cancel and delete batches; `wall_clock` returns seconds since 1970."""

    def __init__(self, polls: int, wall_clock: Callable[[], float]) -> None:
        self._polls = polls
        self._wall_clock = wall_clock
        self._batches: dict[str, _Batch] = {}
        self._numbers = count(1)

    def create(self, body: JsonObject, run_item: RunItem, origin: str) -> JsonObject:
        """Accept a batch; only its outer shape is checked, as on the API. Raises its 400."""
        check_shape(body, BatchBody)
        items: list[JsonObject] = body["requests"]
        if len(items) > MAX_REQUESTS:
            raise ApiError(ErrorAnswer(413, f"requests: at most {MAX_REQUESTS} requests per batch, found {len(items)}"))
        seen: set[str] = set()
        for index, item in enumerate(items):
            if item["custom_id"] in seen:
                raise bad_request(f"requests.{index}.custom_id: duplicate custom_id: {item['custom_id']}")
            seen.add(item["custom_id"])
        batch = _Batch(f"msgbatch_standin_{next(self._numbers):06d}", items, run_item, self._now(), self._polls)
        self._batches[batch.id] = batch
        return self._describe(batch, origin)

    async def retrieve(self, batch_id: str, origin: str) -> JsonObject:
        """Return a batch, ending it if this is the retrieval at which it ends."""
        batch = self._find(batch_id)
        if batch.status != "ended" and not batch.is_worked_off:
            batch.polls_left -= 1
            if batch.polls_left <= 0 or batch.status == "canceling":
                await self._end(batch)
        return self._describe(batch, origin)

    def newest_first(self, origin: str) -> list[JsonObject]:
        """Return all batches."""
        return [self._describe(batch, origin) for batch in reversed(self._batches.values())]

    def cancel(self, batch_id: str, origin: str) -> JsonObject:
        """Begin to cancel a batch; its requests end as canceled at the next retrieval."""
        batch = self._find(batch_id)
        if batch.status == "ended":
            raise bad_request(f"Batch {batch_id} cannot be canceled because it has already ended.")
        batch.status = "canceling"
        batch.canceled_at = batch.canceled_at or self._now()
        return self._describe(batch, origin)

    def delete(self, batch_id: str) -> JsonObject:
        """Forget an ended batch."""
        if self._find(batch_id).status != "ended":
            raise bad_request(f"Batch {batch_id} cannot be deleted while it is processing. Cancel it first.")
        del self._batches[batch_id]
        return {"id": batch_id, "type": "message_batch_deleted"}

    def results(self, batch_id: str) -> bytes:
        """Return the results as JSON lines; raises the API's 400 until the batch has ended."""
        batch = self._find(batch_id)
        if batch.status != "ended":
            raise bad_request(f"Batch {batch_id} has no available results: it is still processing.")
        return b"".join(orjson.dumps(line) + b"\n" for line in batch.results)

    async def _end(self, batch: _Batch) -> None:
        """Work the items off, letting other requests in between; cancelling still works for what is left."""
        batch.is_worked_off = True
        for number, item in enumerate(batch.items):
            if number % _ITEMS_AT_ONCE == 0:  # the server has one thread: other requests get their turn here
                await asyncio.sleep(0)
            result = {"type": "canceled"} if batch.status == "canceling" else batch.run_item(item)
            batch.results.append({"custom_id": item["custom_id"], "result": result})
        batch.status = "ended"
        batch.ended_at = self._now()

    def _describe(self, batch: _Batch, origin: str) -> JsonObject:
        ended = batch.status == "ended"
        kinds = [line["result"]["type"] for line in batch.results] if ended else []
        counts: dict[str, Any] = {kind: kinds.count(kind) for kind in ("succeeded", "errored", "canceled", "expired")}
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": batch.status,
            "request_counts": {"processing": 0 if ended else len(batch.items), **counts},
            "created_at": _timestamp(batch.created),
            "expires_at": _timestamp(batch.created + timedelta(hours=24)),
            "ended_at": _timestamp(batch.ended_at),
            "cancel_initiated_at": _timestamp(batch.canceled_at),
            "archived_at": None,
            "results_url": f"{origin}/v1/messages/batches/{batch.id}/results" if ended else None,
        }

    def _find(self, batch_id: str) -> _Batch:
        batch = self._batches.get(batch_id)
        if batch is None:
            raise not_found(f"Batch {batch_id} not found.")
        return batch

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_clock(), UTC)


def _timestamp(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
