"""A suite's expectations checked on what toolloop played: a second, small opinion beside evalkit's own graders."""

from __future__ import annotations

import re
from typing import Any

from .toolloop import Played


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
    """Return the ids of the voice rules of a level that a reply breaks."""
    return [str(rule["id"]) for rule in rules if rule["level"] == level and rule_breaks(said, rule)]


def rule_breaks(said: str, rule: dict[str, Any]) -> bool:
    """Say whether a text breaks one voice rule."""
    said = re.split(r"(?<=[.!?])\s", said)[0] if rule.get("scope") == "first_sentence" else said
    edge = "" if rule.get("nonword") else r"\b"
    if rule["extends"] == "existence":
        return any(re.search(f"{edge}(?:{token}){edge}", said, re.IGNORECASE) for token in rule["tokens"])
    if rule["extends"] == "substitution":
        return any(re.search(rf"\b(?:{wrong})\b", said, re.IGNORECASE) for wrong in rule["swap"])
    if rule["extends"] == "occurrence":
        return len(re.findall(rule["token"], said)) > rule["max"]
    longest = max((len(part.split()) for part in re.split(r"(?<=[.!?])\s", said)), default=0)
    return len(said.split()) > rule["max_words"] or longest > rule["max_sentence_words"]
