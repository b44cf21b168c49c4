"""A scripted step as a reply: what a case's `stand_in` says, instead of behaviour. Knows the three kinds of step."""

from __future__ import annotations

from collections.abc import Sequence

from ..reply import JsonObject, Reply


def play_script(steps: Sequence[JsonObject]) -> Reply:
    """Return the reply of the steps scripted for one request: say, call, or calls. Raise ValueError on others."""
    content = [block for step in steps for block in _blocks(step)]
    called = any(block["type"] == "tool_use" for block in content)
    return Reply(tuple(content), "tool_use" if called else "end_turn")


def _blocks(step: JsonObject) -> list[JsonObject]:
    if "say" in step:
        return [{"type": "text", "text": str(step["say"])}]
    if "call" in step:
        return [{"type": "tool_use", "name": str(step["call"]), "input": dict(step.get("input") or {})}]
    if "calls" in step:
        return [block for each in step["calls"] for block in _blocks(each)]
    raise ValueError(f"stand_in: unknown step with keys {sorted(step)}; expected say, call or calls.")
