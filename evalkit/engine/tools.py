"""Runs the tool calls of a reply: input validated against the schema, in parallel, every failure a result.

A result never raises: what went wrong becomes an `is_error` text that tells the model what to do differently.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import orjson

from evalkit.engine.fold import INVALID_JSON
from evalkit.records import JsonObject, ToolCall

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class ToolOutcome:
    """What a tool answered: text for the model, whether it is an error, and where it came from (for people)."""

    output: str
    is_error: bool = False
    origin: str = ""


class ToolSource(Protocol):
    """Answers tool calls: fixtures in a suite, functions in production."""

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call whose input fits the tool's schema."""
        ...


async def run_tool(block: JsonObject, request_n: int, tools: Sequence[JsonObject], source: ToolSource) -> ToolCall:
    """Run the call that a `tool_use` block asks for."""
    began = time.perf_counter()
    name, tool_input = str(block["name"]), block.get("input", {})
    problem = _problem(name, tool_input, tools)
    outcome = ToolOutcome(problem, is_error=True, origin="invalid input") if problem else None
    if outcome is None:
        outcome = await _answer(name, tool_input, source)
    ms = round((time.perf_counter() - began) * 1000, 3)
    return ToolCall(str(block["id"]), name, tool_input, outcome.output, outcome.is_error, ms, request_n, outcome.origin)


def result_block(call: ToolCall) -> JsonObject:
    """Return the `tool_result` block that answers a call."""
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call.id, "content": call.output}
    return {**block, "is_error": True} if call.is_error else block


async def _answer(name: str, tool_input: JsonObject, source: ToolSource) -> ToolOutcome:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await source.call(name, tool_input)
    except TimeoutError:
        return ToolOutcome(f"{name} did not answer within {TIMEOUT_S:.0f} seconds.", is_error=True, origin="timeout")
    except Exception as exc:  # noqa: BLE001 - a tool is foreign code; whatever it raises, the model must hear of it
        return ToolOutcome(f"{name} failed: {type(exc).__name__}: {exc}", is_error=True, origin="exception")


def _problem(name: str, tool_input: JsonObject, tools: Sequence[JsonObject]) -> str:
    """Return what is wrong with a call, in words the model can act on; empty when nothing is."""
    if INVALID_JSON in tool_input:
        return orjson.dumps({INVALID_JSON: tool_input[INVALID_JSON]}).decode()
    schema = next((tool.get("input_schema") for tool in tools if tool.get("name") == name), None)
    if schema is None:
        names = ", ".join(str(tool.get("name")) for tool in tools) or "none"
        return f"There is no tool named {name!r}. The tools are: {names}."
    error = next(iter(_validator(orjson.dumps(schema)).iter_errors(tool_input)), None)
    if error is None:
        return ""
    where = ".".join(str(step) for step in error.absolute_path)
    return f"The input of {name} is not valid{f' at {where!r}' if where else ''}: {error.message}."


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(orjson.loads(schema))


class NoTools:
    """A source without tools."""

    async def call(self, name: str, tool_input: Mapping[str, Any]) -> ToolOutcome:
        """Say that there is none."""
        return ToolOutcome(f"{name} is not available ({len(tool_input)} arguments were given).", is_error=True)
