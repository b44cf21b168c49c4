"""Runs the tool call of a reply: input validated against the schema, in bounded time, every failure a result.

What a tool says by `ToolFailed`, and what is wrong with the call, the model reads as it is. What breaks inside a tool
concerns the product only: the model reads a neutral sentence, the traceback goes to the logger `evalkit` and into the
record.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Thread
from typing import Any, Protocol, TypeVar

import orjson

from evalkit.engine.fold import INVALID_JSON
from evalkit.records import JsonObject, ToolCall

TIMEOUT_S = 60.0
LONGEST = 500  # characters of an explanation: it quotes the model's own input, which may be long
LONGEST_TRACE = 8_000
"""Characters of a traceback in the record; what is cut off is its beginning."""
INVALID_INPUT = "invalid input"
"""Where the result of a call came from that did not fit the tool's schema: no tool has seen it."""

_log = logging.getLogger("evalkit")


@dataclass(frozen=True)
class ToolOutcome:
    """What a tool answered: text for the model, whether it is an error, and, for people, where it came from.

    `trace` is the traceback of a tool that broke.
    """

    output: str
    is_error: bool = False
    origin: str = ""
    trace: str = ""


class ToolFailed(Exception):
    """Raised by a tool to fail with a message for the model: what went wrong, and what it can do about it."""


class ToolSource(Protocol):
    """Answers tool calls: fixtures in a suite, functions in production."""

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call whose input fits the tool's schema."""
        ...


class NamedTools(ToolSource, Protocol):
    """Answers the calls of the tools that it has."""

    def __contains__(self, name: object) -> bool:
        """Tell whether it has a tool of this name."""
        ...


async def run_tool(
    block: JsonObject,
    request_n: int,
    tools: Sequence[JsonObject],
    source: ToolSource,
    *,
    timeout_s: float = TIMEOUT_S,
) -> ToolCall:
    """Run the call that a `tool_use` block asks for.

    Only a cancellation from outside is raised, and what is meant for the whole program: KeyboardInterrupt, SystemExit.
    """
    began = time.perf_counter()
    name, tool_input = str(block["name"]), block.get("input", {})
    if not isinstance(tool_input, Mapping):
        tool_input = {INVALID_JSON: orjson.dumps(tool_input).decode()}
    problem = _problem(name, tool_input, tools)
    outcome = ToolOutcome(problem, is_error=True, origin=INVALID_INPUT) if problem else None
    if outcome is None:
        outcome = await _answer(name, tool_input, source, timeout_s)
    ms = round((time.perf_counter() - began) * 1000, 3)
    return ToolCall(
        str(block["id"]),
        name,
        tool_input,
        outcome.output,
        outcome.is_error,
        ms,
        request_n,
        outcome.origin,
        outcome.trace,
    )


def not_available(name: str, origin: str, trace: str = "") -> ToolOutcome:
    """Return what the model reads of a tool that can't answer, for whatever reason."""
    return ToolOutcome(f"{name} is not available at the moment.", is_error=True, origin=origin, trace=trace)


def result_block(call: ToolCall) -> JsonObject:
    """Return the `tool_result` block that answers a call."""
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call.id, "content": call.output}
    return {**block, "is_error": True} if call.is_error else block


async def _answer(name: str, tool_input: JsonObject, source: ToolSource, timeout_s: float) -> ToolOutcome:
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            outcome = await source.call(name, tool_input)
        outcome.output.encode()  # a text that is no Unicode can't be sent
    except ToolFailed as exc:
        return ToolOutcome(str(exc) or f"{name} failed.", is_error=True, origin="tool failed")
    except asyncio.CancelledError as exc:
        if _is_cancelled():
            raise
        return _broken(name, exc)  # the tool gave up something of its own, nobody gave up the call
    except Exception as exc:  # noqa: BLE001 - a tool is foreign code; whatever it raises, the chat must go on
        if limit.expired() and isinstance(exc, TimeoutError):
            _log.error("the tool %s did not answer within %g seconds", name, timeout_s)
            said = f"{name} did not answer in time; whether it has done something is not known."
            return ToolOutcome(said, is_error=True, origin="timeout")
        return _broken(name, exc)
    return outcome


def _broken(name: str, exc: BaseException) -> ToolOutcome:
    """Tell people what broke in a tool, and the model that it can't be had: what an exception says is not for it."""
    _log.error("the tool %s raised %s", name, type(exc).__name__, exc_info=exc)
    return not_available(name, "exception", "".join(traceback.format_exception(exc))[-LONGEST_TRACE:])


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _problem(name: str, tool_input: JsonObject, tools: Sequence[JsonObject]) -> str:
    """Return what is wrong with a call, in words the model can act on; empty when nothing is."""
    if INVALID_JSON in tool_input:
        return orjson.dumps({INVALID_JSON: tool_input[INVALID_JSON]}).decode()
    tool = next((tool for tool in tools if tool.get("name") == name), None)
    if tool is None:
        names = ", ".join(str(tool.get("name")) for tool in tools) or "none"
        return f"There is no tool named {name!r}. The tools are: {names}."
    if "input_schema" not in tool:  # a tool that the API defines by its type; what runs it knows its input
        return ""
    error = next(iter(_validator(orjson.dumps(tool["input_schema"])).iter_errors(tool_input)), None)
    if error is None:
        return ""
    where = ".".join(str(step) for step in error.absolute_path)
    return f"The input of {name} is not valid{f' at {where!r}' if where else ''}: {error.message[:LONGEST]}."


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(orjson.loads(schema))


class NoTools:
    """A source without tools."""

    async def call(self, name: str, tool_input: Mapping[str, Any]) -> ToolOutcome:
        """Say that there is none."""
        return not_available(name, "no tools")


T = TypeVar("T")


async def run_in_thread(work: Callable[[], T]) -> T:
    """Return what `work` returns or raise what it raises; when the wait is cancelled the thread is left to itself."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(result)  # type: ignore[arg-type]
        elif isinstance(error, StopIteration):  # a future refuses to carry one
            refused = RuntimeError("a tool raised StopIteration")
            refused.__cause__ = error
            outcome.set_exception(refused)
        else:
            outcome.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = context.run(work)
        except BaseException as exc:  # noqa: BLE001 - it is raised where the call is awaited
            error = exc
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    Thread(target=run, name="evalkit-tool", daemon=True).start()
    return await outcome
