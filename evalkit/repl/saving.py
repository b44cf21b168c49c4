"""A conversation as a new case: its messages, and of its tool results those that the suite does not give itself."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from evalkit.errors import UsageError
from evalkit.records import JsonObject, ToolCall, Turn
from evalkit.repl.setting import Setting, find_suite_file, suite_fixtures
from evalkit.repl.tools import outcome_of, take_fixture
from evalkit.suites import Suite
from evalkit.suites.append import Appended, append_cases, new_suite_text
from evalkit.suites.new_case import NewCase, NewFixture, NewTurn, case_id_of

NOT_A_RESULT = frozenset({"invalid input", "no fixture"})


@dataclass(frozen=True)
class Kept:
    """A conversation to be kept: its turns, the messages before them, a case id (or none), where it is from."""

    turns: tuple[Turn, ...]
    opening: tuple[JsonObject, ...] = ()
    case_id: str = ""
    origin: str = ""


def save_cases(setting: Setting, conversations: Sequence[Kept], suite_name: str) -> Appended:
    """Add conversations to a suite as cases; a suite that is not there is begun. UsageError, FileProblems."""
    if not conversations or not all(kept.turns for kept in conversations):
        raise UsageError("nothing was said yet; there is no conversation to keep.")
    path = find_suite_file(suite_name, setting.root)

    def make(suite: Suite | None) -> list[NewCase]:
        taken = {case.record.case_id for case in suite.cases} if suite else set()
        made = []
        for kept in conversations:
            if kept.case_id in taken:
                raise UsageError(f"{path.name} has a case {kept.case_id!r} already; choose another id.")
            chosen = kept.case_id or case_id_of(kept.turns[0].user, taken)
            taken.add(chosen)
            made.append(new_case(kept, chosen, suite))
        return made

    return append_cases(path, setting.root, make, _beginning(setting, path))


def new_case(kept: Kept, case_id: str, suite: Suite | None) -> NewCase:
    """Return a conversation as a case for a suite."""
    calls = [call for turn in kept.turns for call in turn.tool_calls]
    turns = (
        NewTurn(each.user, tuple((one.name, one.input) for one in each.tool_calls), each.reply) for each in kept.turns
    )
    fixtures = tuple(_needed(calls, suite))
    return NewCase(case_id, tuple(turns), kept.origin, tuple(_history(kept.opening)), fixtures)


def _needed(calls: Iterable[ToolCall], suite: Suite | None) -> Iterable[NewFixture]:
    """Yield a fixture for every result that the suite would not give to the same calls."""
    fixtures = suite_fixtures(suite) if suite else {}
    used: Counter[int] = Counter()
    results: dict[tuple[str, bytes], list[ToolCall]] = {}
    for call in calls:
        if call.origin not in NOT_A_RESULT:
            results.setdefault((call.name, orjson.dumps(call.input, option=orjson.OPT_SORT_KEYS)), []).append(call)
    for same in results.values():
        given = [take_fixture(fixtures, used, call.name, call.input) for call in same]
        if all(
            one and (outcome_of(one).output, outcome_of(one).is_error) == (call.output, call.is_error)
            for one, call in zip(given, same, strict=True)
        ):
            continue
        kept = [call for at, call in enumerate(same) if at + 1 == len(same) or not _alike(call, same[at + 1])]
        for at, call in enumerate(kept):
            once = at + 1 < len(kept) or call.origin == "/tools fail"
            yield _fixture(call, once=once)


def _alike(call: ToolCall, other: ToolCall) -> bool:
    return (call.output, call.is_error) == (other.output, other.is_error)


def _fixture(call: ToolCall, *, once: bool) -> NewFixture:
    if call.is_error:
        return NewFixture(call.name, call.input, error=call.output or "failed", once=once)
    return NewFixture(call.name, call.input, returns=_json(call.output), once=once)


def _json(text: str) -> Any:
    """Return a result as a value where that gives the same text again, else as text."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if not isinstance(value, str) and orjson.dumps(value).decode() == text else text


def _history(messages: Sequence[JsonObject]) -> Iterable[tuple[str, str]]:
    """Yield what was said before, as a suite can say it: texts, the two taking turns."""
    joined: list[tuple[str, str]] = []
    for message in messages:
        content = message.get("content", "")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        text = "\n\n".join(str(block["text"]) for block in blocks if block.get("type") == "text" and block.get("text"))
        role = str(message.get("role"))
        if not text or role not in {"user", "assistant"}:
            continue
        if joined and joined[-1][0] == role:
            joined[-1] = (role, f"{joined[-1][1]}\n\n{text}")
        elif joined or role == "user":
            joined.append((role, text))
    yield from joined[:-1] if joined and joined[-1][0] == "user" else joined


def _beginning(setting: Setting, path: Path) -> str:
    """Return how a suite begins that is not there yet: for the same prompt, with the same voice and inputs."""
    folder, root = path.parent.resolve(), setting.root.resolve()
    voice = ""
    if setting.voice and folder.is_relative_to(root):
        voice = posixpath.relpath(setting.voice, folder.relative_to(root).as_posix())
    known = {name for suite in setting.suites for name in suite.inputs} | {name for name, _ in setting.given}
    pinned = [(name, str(value)) for name, value in setting.prompt.inputs.items() if name in known]
    return new_suite_text(setting.prompt.ref.partition("@")[0], pinned, voice)
