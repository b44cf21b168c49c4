"""The published shape of `summary.json`, key by key; behind `evalkit schema summary`.

Says what `summary_json.py` writes: a test holds the two to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import TypeAdapter

from evalkit.records import (
    CacheSummary,
    CaseSummary,
    CriterionSummary,
    FailureSummary,
    Information,
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
from evalkit.reporting.comparison_schema import ComparisonFile, key


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

    summary_version: Annotated[int, key("Counts changes of this format.", 1)]
    run_id: Annotated[str, key("The run.", "20261122-071455-7c1e")]
    started: Annotated[str, key("When it began, RFC 3339 UTC.", "2026-11-22T07:14:55Z")]
    source: Annotated[Source, key("Where replies came from.", {"kind": "live", "detail": ""})]
    exit_code: Annotated[int, key("The exit code of the run.", 0)]
    verdict: Annotated[RunVerdict, key("The verdict in a word.", "passed")]
    sentence: Annotated[str, key("The verdict in a sentence.", "Passed: 9 of 9 cases pass; live, claude-sonnet-5-5.")]
    reasons: Annotated[list[str], key("What led to it, a sentence each.", ["1 critical case fails (legal-threat)"])]
    notes: Annotated[
        list[str],
        key(
            "What else to know of the comparison, a sentence each.",
            ["no baseline yet: evalkit bless makes this run the baseline"],
        ),
    ]
    comparison: Annotated[ComparisonFile | None, key("The run beside its baselines; null if not asked.", None)]
    information: Annotated[
        list[Information],
        key(
            "Prompt versions that are not live and were measured beside it; `run` is the folder of their own files.",
            [{"prompt_ref": "support@v4", "sentence": "support@v4, not live yet: it would pass (for information); …"}],
        ),
    ]
    end: Annotated[
        RunEnd | None,
        key(
            "Why and when the run ended; null when it never did.",
            {"reason": "finished", "ended": "2026-11-22T07:15:43Z", "elapsed_s": 48.2, "notes": []},
        ),
    ]
    trials: Annotated[TrialsFile, key("Trials planned and recorded.", {"planned": 27, "recorded": 27})]
    cases_by_verdict: Annotated[Tally, key("Cases by verdict.", {"passing": 8, "unstable": 1})]
    suites: Annotated[
        list[SuiteFile],
        key("The suites as they were measured.", [{"path": "suites/returns.yaml", "prompt_ref": "support@v4"}]),
    ]
    prompts: Annotated[
        list[PromptFile], key("The prompt versions.", [{"ref": "support@v4", "model": "claude-sonnet-5-5"}])
    ]
    cases: Annotated[
        list[CaseFile],
        key("Every case over its trials.", [{"case_id": "legal-threat", "verdict": "pass", "passed": 3}]),
    ]
    rules: Annotated[
        list[RuleSummary],
        key("How often each rule broke.", [{"name": "voice/brief", "level": "warning", "broken": 2, "measured": 27}]),
    ]
    tags: Annotated[list[TagSummary], key("Pass rate by tag.", [{"tag": "shipping", "passed": 4, "cases": 5}])]
    trial_rate: Annotated[
        PassRate | None, key("How often single trials passed.", {"passed": 25, "trials": 27, "cases": 9})
    ]
    criteria: Annotated[
        list[CriterionSummary],
        key("What judges said, by criterion.", [{"criterion": "offers a way on", "yes": 26, "no": 1}]),
    ]
    money: Annotated[Money, key("What the conversations cost.", {"cost_usd": 0.24, "unknown": 0})]
    side_money: Annotated[
        list[SideMoneyFile], key("What models beside the conversations cost.", [{"purpose": "judge", "cost_usd": 0.02}])
    ]
    cache: Annotated[
        CacheSummary, key("Share of input that was read from the cache.", {"read_share": 0.86, "later_share": 0.97})
    ]
    first_token_ms: Annotated[Times, key("Time to the first token, per turn.", {"n": 27, "p50": 410.0, "p95": 1100.0})]
    whole_reply_ms: Annotated[Times, key("Time of the whole reply, per turn.", {"n": 27, "p50": 2900.0, "p95": 7400.0})]
    turns: Annotated[
        list[TurnSummary], key("Tokens by number of the turn.", [{"turn": 1, "trials": 27, "input_tokens": 5508}])
    ]
    requests: Annotated[int, key("Requests with their last try.", 61)]
    retries: Annotated[int, key("Tries that failed and were followed by another.", 0)]
    cached_replies: Annotated[int, key("Replies that were found in the response cache.", 0)]
    cached_usd: Annotated[float, key("What those would have cost.", 0.0)]
    failures: Annotated[
        list[FailureSummary], key("Failed tries by kind.", [{"kind": "overloaded_error", "retried": 2, "final": 0}])
    ]


def summary_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `summary.json`."""
    schema = TypeAdapter(SummaryFile).json_schema()
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "evalkit summary"}
