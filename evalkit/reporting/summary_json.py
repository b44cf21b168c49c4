"""`summary.json`: the summary and the verdict of a run as stable JSON, for other programs and for `--lf`.

Knows the shape of the file; field names and order change only together with `SUMMARY_VERSION`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson

from evalkit.records import CaseSummary, GateResult, Information, PromptVersion, RunComparison, SuiteSummary, Summary
from evalkit.reporting.atomic import replacing
from evalkit.reporting.comparison_json import comparison_file

SUMMARY_VERSION = 1


def render_summary(
    summary: Summary,
    gate: GateResult,
    comparison: RunComparison | None = None,
    information: Sequence[Information] = (),
) -> bytes:
    """Return the JSON: verdict and reasons first, then the comparison and every number; replies are not in it."""
    document = {
        "summary_version": SUMMARY_VERSION,
        "run_id": summary.header.run_id,
        "started": summary.header.started,
        "source": asdict(summary.header.source),
        "exit_code": int(gate.exit_code),
        "verdict": gate.verdict.value,
        "sentence": gate.sentence,
        "reasons": list(gate.reasons),
        "notes": list(gate.notes),
        "comparison": asdict(comparison_file(comparison)) if comparison else None,
        "information": [asdict(each) for each in information],
        "end": asdict(summary.end) if summary.end else None,
        "trials": {"planned": summary.trials_planned, "recorded": summary.trials_recorded},
        "cases_by_verdict": asdict(summary.tally),
        "suites": [_suite(suite) for suite in summary.suites],
        "prompts": [_prompt(prompt) for prompt in summary.prompts],
        "cases": [_case(case) for case in summary.cases],
        "rules": [asdict(rule) for rule in summary.rules],
        "tags": [asdict(tag) for tag in summary.tags],
        "trial_rate": asdict(summary.trial_rate) if summary.trial_rate else None,
        "criteria": [asdict(criterion) for criterion in summary.criteria],
        "money": asdict(summary.money),
        "side_money": [{**asdict(side), "cost_usd": side.cost_usd} for side in summary.side_money],
        "cache": asdict(summary.cache),
        "first_token_ms": asdict(replace(summary.first_token, values=())),
        "whole_reply_ms": asdict(replace(summary.whole_reply, values=())),
        "turns": [asdict(turn) for turn in summary.turns],
        "requests": summary.requests,
        "retries": summary.retries,
        "cached_replies": summary.cached,
        "cached_usd": summary.cached_usd,
        "failures": [asdict(failure) for failure in summary.failures],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def write_summary(
    summary: Summary,
    gate: GateResult,
    out: Path,
    comparison: RunComparison | None = None,
    information: Sequence[Information] = (),
) -> None:
    """Write the JSON to a file, whole or not at all."""
    with replacing(out) as file:
        file.write(render_summary(summary, gate, comparison, information))


def _suite(suite: SuiteSummary) -> dict[str, Any]:
    record = suite.record
    return {
        "path": record.path,
        "sha": record.sha,
        "prompt_ref": record.prompt_ref,
        "prompt_sha": record.prompt_sha,
        "trials": record.trials,
        "gate": dict(record.gate),
        "cases_by_verdict": asdict(suite.tally),
        "cost_usd": suite.cost_usd,
    }


def _prompt(prompt: PromptVersion) -> dict[str, Any]:
    return {"ref": prompt.ref, "sha": prompt.sha, "model": prompt.model, "description": prompt.description}


def _case(case: CaseSummary) -> dict[str, Any]:
    counts: dict[str, Any] = {"passed": case.passed, "failed": case.failed, "not_measured": case.not_measured}
    counts["flaky"] = case.flaky
    return {**asdict(case), **counts}
