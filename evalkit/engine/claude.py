"""The one door to the Anthropic SDK: opens a streamed reply and turns every way of failing into a DoorError.

Uses the SDK's own transport (authentication, headers, connection pool, aiohttp back end) but none of its retries, which
obey `retry-after` without a cap, and none of its stream accumulation, which re-parses tool input on every delta.
Facts about the SDK were read in and tried with anthropic 2.13.0.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import anthropic
import httpx2
from anthropic.lib.tools import BetaAbstractMemoryTool, ToolError
from anthropic.tools.memory import BetaLocalFilesystemMemoryTool
from anthropic.types.beta import (
    BetaMemoryTool20250818CreateCommand,
    BetaMemoryTool20250818DeleteCommand,
    BetaMemoryTool20250818InsertCommand,
    BetaMemoryTool20250818RenameCommand,
    BetaMemoryTool20250818StrReplaceCommand,
    BetaMemoryTool20250818ViewCommand,
)
from pydantic import Field, TypeAdapter, ValidationError

from evalkit.engine.door import DoorError, OpenReply
from evalkit.engine.fold import CONTENT_TYPE as AWS_FRAMES
from evalkit.engine.fold import events_from_frames
from evalkit.engine.platforms import ANTHROPIC, find_platform
from evalkit.engine.tools import ToolFailed
from evalkit.errors import UsageError
from evalkit.prompts.fitting import SAMPLING
from evalkit.records import Failure, JsonObject

CONNECT_S = 10.0
READ_S = 120.0  # a bound below the engine's own limits is not wanted; this one only frees a dead socket
STAND_IN_KEY = "stand-in"
OLDER_VERSION = {"anthropic-version": "2023-06-01"}
# Errors with these codes are spending limits: no waiting helps. Source: platform.claude.com errors page, 2026-09-26.
_SPENT = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})
# What the API calls an error of a status; the clouds' own error bodies don't say. Source: as above.
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_REQUEST_IDS = ("request-id", "x-amzn-requestid", "apim-request-id", "x-request-id")
# What the SDK's clients call the endpoint and what they sign in with.
_ACCOUNT = (
    *("base_url", "api_key", "auth_token", "workspace_id", "aws_profile", "aws_access_key"),
    *("aws_region", "region", "project_id"),
)
_RAW = {"X-Stainless-Raw-Response": "stream"}  # what the SDK's `with_streaming_response` sets
# The names under which the SDK's tracing knows a call of `messages.create`.
_SPAN = {"span_name": "anthropic.messages.create", "span_route": "/v1/messages"}


class ClaudeDoor:
    """Streams replies through one SDK client; close it when done.

    `base_url` None means what the environment says (`ANTHROPIC_BASE_URL` or the platform's own endpoint). UsageError
    when the platform's client can't be made from what is installed and set. The SDK's spans go to `tracer_provider`, or
    to the global one.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        platform: str = ANTHROPIC,
        tracer_provider: Any = None,
    ) -> None:
        timeout = httpx2.Timeout(READ_S, connect=CONNECT_S)
        # A server that was opened here must not be reached through a proxy, where HTTP_PROXY would send it.
        # Nor is a conversation, with the key, sent on to whatever address a server answers with.
        transport = anthropic.DefaultAioHttpClient(
            timeout=timeout, trust_env=not _is_loopback(base_url), follow_redirects=False
        )
        spans = {"tracer_provider": tracer_provider} if tracer_provider is not None else None
        given: dict[str, Any] = {"base_url": base_url, "api_key": api_key, "open_telemetry": spans}
        options = {name: value for name, value in given.items() if value is not None}
        self._platform = find_platform(platform)
        make_client: Any = getattr(anthropic, self._platform.client)
        try:
            self._client = make_client(max_retries=0, timeout=timeout, http_client=transport, **options)
        except (ValueError, anthropic.AnthropicError) as exc:
            raise UsageError(f"platform {platform!r}: {_one_line(exc)}") from exc

    @property
    def account(self) -> str:
        """A hash of what the server keeps rate limits by, as far as it is known here: the endpoint and its key."""
        known = [str(getattr(self._client, name, None)) for name in _ACCOUNT]
        return sha256("\0".join(known).encode()).hexdigest()

    @asynccontextmanager
    async def stream(self, body: JsonObject, headers: Mapping[str, str]) -> AsyncIterator[OpenReply]:
        """Send the body as it is and give the open reply; DoorError when none came or it broke while being read.

        `headers` are added to the SDK's own: `anthropic-beta` for what the body needs, for example.
        """
        response = await self._open(*self._in_version(body, headers))
        try:
            kind = response.headers.get("content-type", "")
            request_id = _request_id(response.headers)
            if AWS_FRAMES in kind:
                yield OpenReply(request_id, response.headers, events_from_frames(response.iter_bytes()))
            elif "text/event-stream" in kind:
                yield OpenReply(request_id, response.headers, response.iter_bytes())
            else:
                raise DoorError(await _no_stream(response))
        except httpx2.TransportError as exc:
            failure = Failure("connection_error", f"{type(exc).__name__}: {exc}", mid_stream=True)
            raise DoorError(failure) from exc
        finally:
            await response.close()

    def _in_version(self, body: JsonObject, headers: Mapping[str, str]) -> tuple[JsonObject, Mapping[str, str]]:
        """Return body and headers for the version of the API that takes this body.

        Sampling parameters are known to the older one only: since 2026-10-21 they are a 400 on every model. Source:
        platform.claude.com, API versions, read November 2026.
        """
        if not any(key in body for key in SAMPLING):
            return body, headers
        version = self._platform.older_version
        return {**body, "anthropic_version": version} if version else body, {**headers, **OLDER_VERSION}

    async def _open(self, body: JsonObject, headers: Mapping[str, str]) -> Any:
        """Return the SDK's raw response once its headers are here; DoorError when it is none or an error."""
        try:
            return await self._client.post(
                "/v1/messages",
                body=body,
                cast_to=anthropic.types.Message,
                options={"headers": {**headers, **_RAW}, **_SPAN},
                stream=True,
                stream_cls=anthropic.AsyncStream[anthropic.types.RawMessageStreamEvent],
            )
        except anthropic.APIStatusError as exc:
            raise _refused(exc) from exc
        except anthropic.APIConnectionError as exc:
            kind = "timeout_error" if isinstance(exc, anthropic.APITimeoutError) else "connection_error"
            raise DoorError(Failure(kind, str(exc.__cause__ or exc))) from exc
        except httpx2.TransportError as exc:
            raise DoorError(Failure("connection_error", f"{type(exc).__name__}: {exc}")) from exc
        except Exception as exc:  # credentials come from libraries of AWS, Google and Azure, with errors of their own
            raise DoorError(Failure("client_error", f"{type(exc).__name__}: {_one_line(exc)}"), final=True) from exc

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _is_loopback(url: str | None) -> bool:
    host = httpx2.URL(url).host if url else ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__


def _request_id(headers: Mapping[str, str]) -> str | None:
    """Return the id that support will ask for; each platform has its own header for it."""
    return next((headers[name] for name in _REQUEST_IDS if name in headers), None)


async def _no_stream(response: Any) -> Failure:
    """Say what came instead of an event stream."""
    text = (await response.read())[:200].decode("utf-8", "replace")
    kind = response.headers.get("content-type") or "no content type"
    message = f"expected an event stream, got {kind}: {text!r}"
    return Failure("malformed_stream", message, response.status_code, request_id=_request_id(response.headers))


def _refused(exc: anthropic.APIStatusError) -> DoorError:
    wish = exc.response.headers.get("x-should-retry")
    final = {"true": False, "false": True}.get(wish or "")
    if exc.error_code in _SPENT:
        final = True
    status = exc.status_code
    if 300 <= status < 400:
        where = exc.response.headers.get("location", "an address that it does not name")
        message = f"the server sends requests on to {where}; set ANTHROPIC_BASE_URL to the address that is meant"
        return DoorError(Failure("redirect", message, status, request_id=_request_id(exc.response.headers)), final=True)
    kind = exc.type or _KINDS.get(status) or ("api_error" if status >= 500 else f"http_{status}")
    message = exc.api_message or str(exc)
    failure = Failure(kind, message, status, request_id=_request_id(exc.response.headers))
    return DoorError(
        failure, retry_after_s=_retry_after(exc.response.headers), final=final, headers=exc.response.headers
    )


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


class _MemoryFiles(BetaLocalFilesystemMemoryTool):
    """The SDK's memory tool, whose files stand in the folder itself and not in a folder `memories` below it."""

    def __init__(self, root: Path) -> None:
        BetaAbstractMemoryTool.__init__(self)
        self.memory_root = root


MemoryCommand = Annotated[
    BetaMemoryTool20250818ViewCommand
    | BetaMemoryTool20250818CreateCommand
    | BetaMemoryTool20250818StrReplaceCommand
    | BetaMemoryTool20250818InsertCommand
    | BetaMemoryTool20250818DeleteCommand
    | BetaMemoryTool20250818RenameCommand,
    Field(discriminator="command"),
]


@cache
def _memory_commands() -> TypeAdapter[Any]:
    return TypeAdapter(MemoryCommand)


def answer_memory_command(root: Path, command: JsonObject) -> str:
    """Do one command of the memory tool on the files below `root`; ToolFailed says what was wrong with it."""
    try:
        # Models may leave out a `new_str` that is empty.
        read = _memory_commands().validate_python({"new_str": "", **command})
        return str(_MemoryFiles(root).execute(read))
    except ValidationError as exc:
        msg = f"The input of memory is not valid: {exc.errors(include_url=False)[0]['msg']}."
        raise ToolFailed(msg) from exc
    except ToolError as exc:
        raise ToolFailed(str(exc)) from exc
