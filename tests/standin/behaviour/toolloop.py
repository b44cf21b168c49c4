"""A tool loop small enough to read: plays a case of a suite against behaviour, without engine, server or runner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml

from evalkit.standin.behaviour import answer

ROOT = Path(__file__).parents[3]
PROMPT = ROOT / "prompts" / "support"
_MAX_REQUESTS = 12


@dataclass(frozen=True)
class Prompt:
    system: str
    tools: list[dict[str, Any]]


@dataclass
class Played:
    """What happened in one turn."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    said: str = ""


def load_prompt(version: str, today: str = "2026-11-22") -> Prompt:
    """Render one version of the sample prompt."""
    _, front, body = (PROMPT / f"{version}.md").read_text().split("---\n", 2)
    meta = yaml.safe_load(front)
    inputs = {key: value for key, value in meta["inputs"].items() if not isinstance(value, dict)} | {"today": today}
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(PROMPT), undefined=jinja2.StrictUndefined)  # noqa: S701
    tools = [yaml.safe_load((PROMPT / path).read_text()) for path in meta["tools"]]
    return Prompt(env.from_string(body).render(**inputs), tools)


def load_cases() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (suite, case) for every case of the support prompt that runs; variants become cases of their own."""
    for path in sorted((ROOT / "suites").glob("*.yaml")):
        suite = yaml.safe_load(path.read_text())
        if suite.get("prompt") != PROMPT.name:
            continue
        for case in suite.get("cases", []):
            if "skip" in case:
                continue
            variants = case.get("variants") or [None]
            for number, text in enumerate(variants, 1):
                named = {"id": f"{case['id']}/{number}", "user": text} if text else {}
                yield suite, {**case, **named}


@dataclass
class Session:
    """One trial under way: the conversation, the fixtures' use, what is left of the script."""

    prompt: Prompt
    suite: dict[str, Any]
    trial: int
    messages: list[dict[str, Any]] = field(default_factory=list)
    used: dict[tuple[str, int], int] = field(default_factory=dict)
    script: list[dict[str, Any]] = field(default_factory=list)


def play_case(prompt: Prompt, suite: dict[str, Any], case: dict[str, Any], trial: int) -> list[Played]:
    """Play all turns of a case."""
    session = Session(prompt, suite, trial, script=list(case.get("stand_in", [])))
    for entry in case.get("history", []):
        ((role, text),) = entry.items()
        session.messages.append({"role": role, "content": text})
    turns = case.get("turns") or [{"user": case["user"]}]
    return [play_turn(session, turn["user"]) for turn in turns]


def play_turn(session: Session, text: str) -> Played:
    """Send one user message and answer tool calls from the suite's fixtures until the turn ends."""
    session.messages.append({"role": "user", "content": text})
    played = Played()
    for _ in range(_MAX_REQUESTS):
        reply = answer(_request(session), session.trial, [session.script.pop(0)] if session.script else [])
        content = [dict(block) for block in reply.content]
        played.said += "".join(block["text"] for block in content if block["type"] == "text")
        calls = [block for block in content if block["type"] == "tool_use"]
        for number, block in enumerate(calls):
            block["id"] = f"toolu_{len(session.messages)}_{number}"
            played.calls.append((block["name"], block["input"]))
        session.messages.append({"role": "assistant", "content": content})
        if reply.stop_reason != "tool_use":
            return played
        results = [{"type": "tool_result", "tool_use_id": each["id"], **_fixture(session, each)} for each in calls]
        session.messages.append({"role": "user", "content": results})
    raise AssertionError(f"the turn did not end within {_MAX_REQUESTS} requests: {text!r}")


def _request(session: Session) -> dict[str, Any]:
    body = {"system": session.prompt.system, "tools": session.prompt.tools, "messages": session.messages}
    copied: dict[str, Any] = json.loads(json.dumps({"model": "claude-sonnet-5-5", **body}))
    return copied


def _fixture(session: Session, block: dict[str, Any]) -> dict[str, Any]:
    for number, entry in enumerate(session.suite.get("tools", {}).get(block["name"], [])):
        if any(block["input"].get(key) != value for key, value in entry.get("when", {}).items()):
            continue
        key = (block["name"], number)
        if session.used.get(key, 0) >= entry.get("times", 10**6):
            continue
        session.used[key] = session.used.get(key, 0) + 1
        if "error" in entry:
            return {"content": entry["error"], "is_error": True}
        return {"content": json.dumps(entry["returns"])}
    return {"content": f"no fixture for {block['name']} {block['input']}", "is_error": True}
