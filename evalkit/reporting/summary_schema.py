"""The published shape of `summary.json`, key by key; behind `evalkit schema summary`.

Says what `summary_json.py` writes: a test holds the two to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

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

    summary_version: Annotated[int, Field(description="Counts changes of this format.")]
    run_id: Annotated[str, Field(description="The run.")]
    started: Annotated[str, Field(description="When it began, RFC 3339 UTC.")]
    source: Annotated[Source, Field(description="Where replies came from.")]
    exit_code: Annotated[int, Field(description="The exit code of the run.")]
    verdict: Annotated[RunVerdict, Field(description="The verdict in a word.")]
    sentence: Annotated[str, Field(description="The verdict in a sentence.")]
    reasons: Annotated[list[str], Field(description="What led to it, a sentence each.")]
    end: Annotated[RunEnd | None, Field(description="Why and when the run ended; null when it never did.")]
    trials: Annotated[TrialsFile, Field(description="Trials planned and recorded.")]
    cases_by_verdict: Annotated[Tally, Field(description="Cases by verdict.")]
    suites: Annotated[list[SuiteFile], Field(description="The suites as they were measured.")]
    prompts: Annotated[list[PromptFile], Field(description="The prompt versions.")]
    cases: Annotated[list[CaseFile], Field(description="Every case over its trials.")]
    rules: Annotated[list[RuleSummary], Field(description="How often each rule broke.")]
    tags: Annotated[list[TagSummary], Field(description="Pass rate by tag.")]
    trial_rate: Annotated[PassRate | None, Field(description="How often single trials passed.")]
    criteria: Annotated[list[CriterionSummary], Field(description="What judges said, by criterion.")]
    money: Annotated[Money, Field(description="What the conversations cost.")]
    side_money: Annotated[list[SideMoneyFile], Field(description="What models beside the conversations cost.")]
    cache: Annotated[CacheSummary, Field(description="Share of input that was read from the cache.")]
    first_token_ms: Annotated[Times, Field(description="Time to the first token, per turn.")]
    whole_reply_ms: Annotated[Times, Field(description="Time of the whole reply, per turn.")]
    turns: Annotated[list[TurnSummary], Field(description="Tokens by number of the turn.")]
    requests: Annotated[int, Field(description="Requests with their last try.")]
    retries: Annotated[int, Field(description="Tries that failed and were followed by another.")]
    cached_replies: Annotated[int, Field(description="Replies that were found in the response cache.")]
    cached_usd: Annotated[float, Field(description="What those would have cost.")]
    failures: Annotated[list[FailureSummary], Field(description="Failed tries by kind.")]


def summary_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `summary.json`."""
    schema = TypeAdapter(SummaryFile).json_schema()
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "evalkit summary"}
