"""A tool loop small enough to read: plays a case of a suite against behaviour, without engine, server or runner."""

from __future__ import annotations

import json
import re
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
    """Yield (suite, case) for every case that runs; variants become cases of their own."""
    for path in sorted((ROOT / "suites").glob("*.yaml")):
        suite = yaml.safe_load(path.read_text())
        for case in suite.get("cases", []):
            if "skip" in case:
                continue
            variants = case.get("variants") or [None]
            for number, text in enumerate(variants, 1):
                named = {"id": f"{case['id']}/{number}", "user": text} if text else {}
                yield suite, {**case, **named}


def play_case(prompt: Prompt, suite: dict[str, Any], case: dict[str, Any], trial: int) -> list[Played]:
    """Play all turns of a case."""
    messages: list[dict[str, Any]] = []
    for entry in case.get("history", []):
        ((role, text),) = entry.items()
        messages.append({"role": role, "content": text})
    used: dict[tuple[str, int], int] = {}
    script = list(case.get("stand_in", []))
    turns = case.get("turns") or [{"user": case["user"]}]
    return [_play_turn(prompt, suite, messages, turn["user"], trial, used, script) for turn in turns]


def _play_turn(prompt, suite, messages, text, trial, used, script) -> Played:  # type: ignore[no-untyped-def]
    messages.append({"role": "user", "content": text})
    played = Played()
    for _ in range(_MAX_REQUESTS):
        request = {"model": "m", "system": prompt.system, "tools": prompt.tools, "messages": messages}
        reply = answer(json.loads(json.dumps(request)), trial, [script.pop(0)] if script else [])
        content = [dict(block) for block in reply.content]
        results = []
        for number, block in enumerate(content):
            if block["type"] == "text":
                played.said += block["text"]
            else:
                block["id"] = f"toolu_{len(messages)}_{number}"
                played.calls.append((block["name"], block["input"]))
                results.append({"type": "tool_result", "tool_use_id": block["id"], **_fixture(suite, block, used)})
        messages.append({"role": "assistant", "content": content})
        if reply.stop_reason != "tool_use":
            return played
        messages.append({"role": "user", "content": results})
    raise AssertionError(f"the turn did not end within {_MAX_REQUESTS} requests: {text!r}")


def _fixture(suite: dict[str, Any], block: dict[str, Any], used: dict[tuple[str, int], int]) -> dict[str, Any]:
    for number, entry in enumerate(suite.get("tools", {}).get(block["name"], [])):
        if any(block["input"].get(key) != value for key, value in entry.get("when", {}).items()):
            continue
        if used.get((block["name"], number), 0) >= entry.get("times", 10**6):
            continue
        used[(block["name"], number)] = used.get((block["name"], number), 0) + 1
        if "error" in entry:
            return {"content": entry["error"], "is_error": True}
        return {"content": json.dumps(entry["returns"])}
    return {"content": f"no fixture for {block['name']} {block['input']}", "is_error": True}


def failures(
    suite: dict[str, Any], case: dict[str, Any], turns: list[Played], voice: list[dict[str, Any]]
) -> list[str]:
    """Return what the turns broke, of the expectations in the case and the error rules of the voice."""
    found: list[str] = []
    for turn, played in zip(case.get("turns") or [{}], turns, strict=False):
        found += _broken(turn.get("expect", {}), [played])
    found += _broken(case.get("expect", {}), turns if case.get("turns") else turns[-1:])
    return found + [f"voice {rule}" for played in turns for rule in voice_breaks(played.said, voice, "error")]


def _matches(pattern: str, text: str) -> bool:
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        return bool(re.search(pattern[1:-1], text, re.IGNORECASE))
    return pattern.lower() in text.lower()


def _broken(expect: dict[str, Any], turns: list[Played]) -> list[str]:
    said = "\n".join(played.said for played in turns)
    calls = [call for played in turns for call in played.calls]
    found = [f"says {each!r}: {said!r}" for each in expect.get("says", []) if not _matches(str(each), said)]
    found += [f"never_says {each!r}: {said!r}" for each in expect.get("never_says", []) if _matches(str(each), said)]
    if expect.get("says_any") and not any(_matches(str(each), said) for each in expect["says_any"]):
        found.append(f"says_any {expect['says_any']}: {said!r}")
    if len(said.split()) > expect.get("max_words", 10**6):
        found.append(f"max_words {expect['max_words']}: {said!r}")
    return found + _broken_tools(expect.get("tools"), calls, said)


def _broken_tools(tools: Any, calls: list[tuple[str, dict[str, Any]]], said: str) -> list[str]:
    if tools is None:
        return []
    if tools == "none":
        return [f"tools none: {calls}"] if calls else []
    found = [f"never {name}" for name, _ in calls if name in tools.get("never", [])]
    if len(calls) > tools.get("max_calls", 10**6):
        found.append(f"max_calls {tools['max_calls']}: {calls}")
    wanted = [(each, {}) if isinstance(each, str) else next(iter(each.items())) for each in tools.get("calls", [])]
    left, order = list(calls), tools.get("order", "relative")
    for name, arguments in wanted:
        fits = [n for n, (got, given) in enumerate(left) if got == name and arguments.items() <= given.items()]
        if not fits:
            found.append(f"calls {name} {arguments}: {calls} {said!r}")
            break
        left = left[: fits[0]] + left[fits[0] + 1 :] if order == "any" else left[fits[0] + 1 :]
    if order == "exact" and len(calls) != len(wanted):
        found.append(f"exact {wanted}: {calls}")
    return found


def voice_breaks(said: str, rules: list[dict[str, Any]], level: str) -> list[str]:
    """Return the ids of the voice rules of a level that a reply breaks; not those with a scope."""
    found = []
    for rule in rules:
        if rule["level"] != level or "scope" in rule:
            continue
        edge = "" if rule.get("nonword") else r"\b"
        if rule["extends"] == "existence" and any(
            re.search(f"{edge}(?:{t}){edge}", said, re.I) for t in rule["tokens"]
        ):
            found.append(rule["id"])
        if rule["extends"] == "substitution" and any(re.search(rf"\b(?:{t})\b", said, re.I) for t in rule["swap"]):
            found.append(rule["id"])
        if rule["extends"] == "occurrence" and len(re.findall(rule["token"], said)) > rule["max"]:
            found.append(rule["id"])
        if rule["extends"] == "length" and len(said.split()) > rule["max_words"]:
            found.append(rule["id"])
    return found
