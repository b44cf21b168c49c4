"""Fixtures of the stand-in's tests: a running server with an echo for a model, and SDK clients for it."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest

from evalkit.standin import Cue, JsonObject, Reply, StandIn


def echo(request: JsonObject, trial: int, cue: Cue) -> Reply:
    """Say what the step says, else call the first tool when asked to, else repeat the user."""
    for step in [cue.step] if cue.step else []:
        if "call" in step:
            return Reply(({"type": "tool_use", "name": step["call"], "input": step["input"]},), "tool_use")
        if "say" in step:
            return Reply(({"type": "text", "text": step["say"]},))
    content = request["messages"][-1]["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    said = " ".join(str(block.get("text", block.get("content", ""))) for block in blocks)
    if said.startswith("call ") and request.get("tools"):
        name = said.removeprefix("call ")
        call = {"type": "tool_use", "name": name, "input": {"order_id": "TN-40000", "note": "größer"}}
        return Reply(({"type": "text", "text": "Let me look."}, call), "tool_use")
    return Reply(
        ({"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": f"Trial {trial}: {said} – naïve 🙂."})
    )


@pytest.fixture(scope="session")
def stand_in() -> Iterator[StandIn]:
    """Serve the echo with short waits."""
    with StandIn(echo, slow_s=0.05, stall_s=5, retry_after_s=0.01) as server:
        yield server


@pytest.fixture
def client(stand_in: StandIn) -> Iterator[anthropic.Anthropic]:
    """Return an unmodified SDK client that does not retry."""
    with anthropic.Anthropic(api_key="test", base_url=stand_in.base_url, max_retries=0) as sdk:
        yield sdk
