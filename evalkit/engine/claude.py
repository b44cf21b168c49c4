"""The one door to the Anthropic SDK: opens a streamed reply and turns every way of failing into a DoorError.

Uses the SDK's own transport (authentication, headers, connection pool, aiohttp back end) but none of its retries, which
obey `retry-after` without a cap, and none of its stream accumulation, which re-parses tool input on every delta.
Facts about the SDK were read in and tried with anthropic 2.12.0.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import httpx2

from evalkit.engine.door import DoorError, OpenReply
from evalkit.records import Failure, JsonObject

CONNECT_S = 10.0
READ_S = 120.0  # a bound below the engine's own limits is not wanted; this one only frees a dead socket
STAND_IN_KEY = "stand-in"
# Errors with these codes are spending limits: no waiting helps. Source: platform.claude.com errors page, 2026-09-26.
_SPENT = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})


class ClaudeDoor:
    """Streams replies through one SDK client; close it when done.

    `base_url` None means what the environment says (`ANTHROPIC_BASE_URL` or Anthropic's own endpoint).
    """

    def __init__(self, base_url: str | None = None, api_key: str | None = None) -> None:
        timeout = httpx2.Timeout(READ_S, connect=CONNECT_S)
        # Loopback must not go through a proxy, and the default client would send it there when HTTP_PROXY is set.
        local = base_url is not None
        transport = anthropic.DefaultAioHttpClient(timeout=timeout, trust_env=not local)
        self._client = anthropic.AsyncAnthropic(
            base_url=base_url, api_key=api_key, max_retries=0, timeout=timeout, http_client=transport
        )

    @asynccontextmanager
    async def stream(self, body: JsonObject, headers: Mapping[str, str]) -> AsyncIterator[OpenReply]:
        """Send the body and give the open reply; DoorError when none came or it broke while being read."""
        try:
            async with self._client.messages.with_streaming_response.create(
                **_arguments(body), extra_headers=dict(headers)
            ) as response:
                if "text/event-stream" not in response.headers.get("content-type", ""):
                    raise DoorError(await _no_stream(response))
                yield OpenReply(response.request_id, response.headers, response.iter_bytes())
        except anthropic.APIStatusError as exc:
            raise _refused(exc) from exc
        except anthropic.APIConnectionError as exc:
            kind = "timeout_error" if isinstance(exc, anthropic.APITimeoutError) else "connection_error"
            raise DoorError(Failure(kind, str(exc.__cause__ or exc))) from exc
        except httpx2.TransportError as exc:
            failure = Failure("connection_error", f"{type(exc).__name__}: {exc}", mid_stream=True)
            raise DoorError(failure) from exc

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


_SIGNATURE_FIELDS = frozenset(
    {
        "model",
        "max_tokens",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "stop_sequences",
        "metadata",
        "service_tier",
        "cache_control",
        "diagnostics",
        "stream",
    }
)


def _arguments(body: JsonObject) -> dict[str, Any]:
    """Split a body into the method's arguments and the rest, which travels as `extra_body`."""
    known = {key: value for key, value in body.items() if key in _SIGNATURE_FIELDS}
    rest = {key: value for key, value in body.items() if key not in _SIGNATURE_FIELDS}
    return {**known, "extra_body": rest} if rest else known


async def _no_stream(response: Any) -> Failure:
    """Say what came instead of an event stream."""
    text = (await response.read())[:200].decode("utf-8", "replace")
    kind = response.headers.get("content-type") or "no content type"
    message = f"expected an event stream, got {kind}: {text!r}"
    return Failure("malformed_stream", message, response.status_code, request_id=response.request_id)


def _refused(exc: anthropic.APIStatusError) -> DoorError:
    wish = exc.response.headers.get("x-should-retry")
    final = {"true": False, "false": True}.get(wish or "")
    if exc.error_code in _SPENT:
        final = True
    kind = exc.type or _kind_of_status(exc.status_code)
    message = exc.api_message or str(exc)
    failure = Failure(kind, message, exc.status_code, request_id=exc.request_id)
    return DoorError(failure, retry_after_s=_retry_after(exc.response.headers), final=final)


def _kind_of_status(status: int) -> str:
    return "api_error" if status >= 500 else f"http_{status}"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `retry-after-ms` or `retry-after` in seconds; a date or nonsense counts as none."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        if seconds > 0:
            return seconds
    return None
