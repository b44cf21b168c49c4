"""The published shape of `summary.json`, key by key; behind `evalkit schema summary`.

Says what `summary_json.py` writes: a test holds the two to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from evalkit.records import (
    CacheSummary,
    CaseSummary,
    CriterionSummary,
    FailureSummary,
    Money,
    PassRate,
    RuleSummary,
    RunEnd,
    RunVerdict,
    SideMoney,
    Source,
    TagSummary,
    Tally,
    Times,
    TurnSummary,
)


@dataclass(frozen=True)
class TrialsFile:
    """How many trials were to be played, and how many were."""

    planned: int
    recorded: int


@dataclass(frozen=True)
class SuiteFile:
    """A suite as it was measured; `gate` holds its limits."""

    path: str
    sha: str
    prompt_ref: str
    prompt_sha: str
    trials: int
    gate: dict[str, Any]
    cases_by_verdict: Tally
    cost_usd: float | None


@dataclass(frozen=True)
class PromptFile:
    """A prompt version."""

    ref: str
    sha: str
    model: str
    description: str


@dataclass(frozen=True)
class CaseFile(CaseSummary):
    """A case with its trials counted."""

    passed: int = 0  # a property of the summary is a number in the file
    failed: int = 0
    not_measured: int = 0
    flaky: bool = False


@dataclass(frozen=True)
class SideMoneyFile(SideMoney):
    """What models beside the conversations cost."""

    cost_usd: float | None = None


@dataclass(frozen=True)
class SummaryFile:
    """The whole file. Costs are US dollars, times milliseconds, shares 0 to 1; null means unknown, never zero."""

    summary_version: int
    run_id: str
    started: str
    source: Source
    exit_code: int
    verdict: RunVerdict
    sentence: str
    reasons: list[str]
    end: RunEnd | None
    trials: TrialsFile
    cases_by_verdict: Tally
    suites: list[SuiteFile]
    prompts: list[PromptFile]
    cases: list[CaseFile]
    rules: list[RuleSummary]
    tags: list[TagSummary]
    trial_rate: PassRate | None
    criteria: list[CriterionSummary]
    money: Money
    side_money: list[SideMoneyFile]
    cache: CacheSummary
    first_token_ms: Times
    whole_reply_ms: Times
    turns: list[TurnSummary]
    requests: int
    retries: int
    cached_replies: int
    cached_usd: float
    failures: list[FailureSummary]


def summary_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `summary.json`."""
    schema = TypeAdapter(SummaryFile).json_schema()
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "evalkit summary"}
