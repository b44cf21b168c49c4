"""Lines of a run to JSON objects and back; knows the names of the kinds, nothing of files."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from evalkit.records.baseline import BaselineRecord
from evalkit.records.prompt import PromptVersion
from evalkit.records.run import (
    CaseRecord,
    JudgementLine,
    RequestLine,
    RunEnd,
    RunHeader,
    RunLine,
    ScoreLine,
    SimulatedLine,
    SuiteRecord,
    ToolLine,
    TrialEnd,
    TrialStart,
    TurnStart,
)

KINDS: dict[str, type[RunLine]] = {
    "run": RunHeader,
    "suite": SuiteRecord,
    "baseline": BaselineRecord,
    "prompt": PromptVersion,
    "case": CaseRecord,
    "session": TrialStart,
    "turn": TurnStart,
    "request": RequestLine,
    "tool": ToolLine,
    "simulated": SimulatedLine,
    "judgement": JudgementLine,
    "session_end": TrialEnd,
    "score": ScoreLine,
    "run_end": RunEnd,
}
_NAMES = {line_type: name for name, line_type in KINDS.items()}


def to_json(line: RunLine) -> dict[str, Any]:
    """Return the line as a shallow JSON object whose first key, `line`, names its kind.

    Nested values stay dataclasses; the JSON writer (orjson) writes those itself.
    """
    return {"line": _NAMES[type(line)], **{field.name: getattr(line, field.name) for field in fields(line)}}


@cache
def _adapter(kind: str) -> TypeAdapter[RunLine]:
    return TypeAdapter(KINDS[kind])


def from_json(obj: dict[str, Any]) -> RunLine:
    """Return the line that a JSON object stands for; ValueError for a kind or a shape this version does not know."""
    kind = obj.get("line")
    if kind not in KINDS:
        msg = f"unknown kind of line {kind!r}"
        raise ValueError(msg)
    return _adapter(kind).validate_python({key: value for key, value in obj.items() if key != "line"})
