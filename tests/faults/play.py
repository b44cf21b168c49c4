"""Many two-turn trials against a server that breaks at seeded rates: how they are played, what the server counted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evalkit.engine import Limits, RetryPolicy
from evalkit.records import RunEnd, Trial
from evalkit.standin.faults import FaultRates
from evalkit.standin.reply import Cue, Reply
from evalkit.standin.server import StandIn
from evalkit.store import RunReader
from tests.runner.project import make_project, run

RETRY = RetryPolicy(retries=15, first_s=0.002, longest_s=0.02)
"""Patient in tries and quick in waits: at a rate of 30 % one request in 200 million fails sixteen times."""


@dataclass
class Model:
    """Answers by what is asked: looks an order up, then tells of it. Counts the replies it was asked for."""

    answered: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: dict[str, Any], trial: int, cue: Cue) -> Reply:
        """Answer one request."""
        with self._lock:
            self.answered += 1
        last = request["messages"][-1]["content"]
        if not isinstance(last, str):
            return Reply(({"type": "text", "text": f"I looked, and it was {_result(last)}."},))
        if last.startswith("Where"):
            wanted = {"id": last.removeprefix("Where is ").rstrip("?")}
            return Reply(({"type": "tool_use", "name": "lookup", "input": wanted},), "tool_use")
        return Reply(({"type": "text", "text": f"With pleasure, {last.removeprefix('Thanks from ')}. Grüße! 🙂"},))


def _result(blocks: Sequence[dict[str, Any]]) -> str:
    return next((str(block["content"]) for block in blocks if block.get("type") == "tool_result"), "still open")


def cases(count: int) -> list[dict[str, Any]]:
    """Return two-turn cases that differ in what is said, so that each is drawn for by itself."""
    return [
        {
            "id": f"case-{n}",
            "tools": {"lookup": [{"when": {"id": f"A-{n}"}, "returns": f"sent on day {n}"}]},
            "turns": [
                {"user": f"Where is A-{n}?", "expect": {"says": [f"sent on day {n}"]}},
                {"user": f"Thanks from customer {n}", "expect": {"says": [f"customer {n}."]}},
            ],
        }
        for n in range(count)
    ]


@dataclass(frozen=True)
class Played:
    """The record of a run, and how many replies the server had made for it."""

    reader: RunReader
    trials: list[Trial]
    end: RunEnd
    answered: int


def play(root: Path, monkeypatch: pytest.MonkeyPatch, rates: FaultRates, count: int, idle_s: float = 60.0) -> Played:
    """Play the cases once each against a server with these fault rates."""
    model = Model()
    project = make_project(root, cases=cases(count), trials=1, tools={})
    with StandIn(model, faults=rates, retry_after_s=0.01, slow_s=0.05) as server:
        point_at(monkeypatch, server)
        folder = run(project, via="live", jobs=16, retry=RETRY, limits=Limits(idle_s=idle_s))
    reader = RunReader(folder)
    assert reader.end is not None
    return Played(reader, list(reader.trials()), reader.end, model.answered)


def point_at(monkeypatch: pytest.MonkeyPatch, server: StandIn) -> None:
    """Make a live run talk to a server, without a proxy in between."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
