"""A tiny project on disk, and how to run it in a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evalkit.pricing import price_with
from evalkit.records import Request, Trial, TrialScore
from evalkit.runner import Invocation, Plan, PlannedTrial, Project, RunSettings, start_run
from evalkit.store import RunReader

PROMPT = (
    """---
description: A bot for tests.
model: claude-sonnet-5-5
max_tokens: 300
cache: 5m
tools: [tools/lookup.yaml]
---
You are a bot for tests. """
    + "Be kind and brief, and look things up before you speak of them. " * 60
)

LOOKUP: dict[str, Any] = {
    "name": "lookup",
    "description": "Look up an order by its id, such as A-1, and return its status.",
    "input_schema": {
        "type": "object",
        "properties": {"id": {"type": "string", "description": "The order's id, such as A-1."}},
        "required": ["id"],
        "additionalProperties": False,
    },
}
SCRIPT = """\
facts: {statement: '/^(?!Above:)[^<?]+\\.$/'}
rules:
  - {user: write a memory of the conversation, say: "{{ told or '- Nothing was told.' }}"}
  - say: I have noted that. {{ user }}
"""
SUITE: dict[str, Any] = {
    "description": "A suite for tests.",
    "prompt": "bot",
    "trials": 2,
    "min_pass": 1,
    "tools": {"lookup": [{"when": {"id": "A-1"}, "returns": {"status": "sent"}}, {"error": "no such order"}]},
    "cases": [
        {
            "id": "greets",
            "user": "Hello",
            "expect": {"says": ["good day"]},
            "stand_in": [{"say": "Good day to you."}],
        },
        {
            "id": "looks-up",
            "turns": [
                {"user": "Where is A-1?", "expect": {"tools": {"calls": [{"lookup": {"id": "A-1"}}]}}},
                {"user": "Thanks", "expect": {"tools": "none"}},
            ],
            "stand_in": [
                {"call": "lookup", "input": {"id": "A-1"}},
                {"say": "It was sent."},
                {"say": "You are welcome."},
            ],
        },
    ],
}


class Silent:
    """Hears of progress and keeps it."""

    def __init__(self, plan: Plan, settings: RunSettings) -> None:
        self.requests: list[Request] = []

    def request(self, request: Request) -> None:
        """Keep a request."""
        self.requests.append(request)

    def trial(self, planned: PlannedTrial, score: TrialScore) -> None:
        """Hear of a trial."""

    def added(self, trials: int) -> None:
        """Hear of more trials."""

    def close(self) -> None:
        """Hear of the end."""


def make_project(root: Path, **suite: Any) -> Project:
    """Write prompts and one suite below `root`; keywords override keys of the suite."""
    folder = root / "prompts" / "bot"
    (folder / "tools").mkdir(parents=True, exist_ok=True)
    (folder / "v1.md").write_text(PROMPT)
    (folder / "CURRENT").write_text("v1\n")
    (folder / "stand-in.yaml").write_text(SCRIPT)
    (folder / "tools" / "lookup.yaml").write_text(json.dumps(LOOKUP, indent=1))
    write_suite(root, **suite)
    return Project(root, price_with(), Silent)


def write_suite(root: Path, name: str = "a", **suite: Any) -> None:
    """Write suites/NAME.yaml (JSON is YAML too)."""
    (root / "suites").mkdir(exist_ok=True)
    (root / "suites" / f"{name}.yaml").write_text(json.dumps({**SUITE, **suite}, indent=1))


def run(project: Project, out: Path | None = None, **settings: Any) -> Path:
    """Run the project and return the run's folder."""
    return start_run(project, Invocation(RunSettings(**settings), out))


def trials_of(folder: Path) -> dict[tuple[str, int], Trial]:
    """Return the finished trials of a run by case id and number."""
    return {(trial.key.case_id, trial.key.trial): trial for trial in RunReader(folder).trials()}
