"""A comparison as JSON for programs and as Markdown for pull requests and chats."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from evalkit.reporting.compare import (
    CASES_SHOWN,
    CompareReport,
    case_in_words,
    cautions_in_words,
    flips_in_words,
    rule_lines,
    size_in_words,
    source_in_words,
)
from evalkit.reporting.migration import migration_lines, use_lines
from evalkit.reporting.safe_text import one_line, visible

COMPARE_VERSION = 2
DIFF_LINES = 200


def render_compare_json(report: CompareReport) -> bytes:
    """Return the whole comparison as JSON; field names change only together with `COMPARE_VERSION`."""
    document: dict[str, Any] = {
        "compare_version": COMPARE_VERSION,
        "exit_code": report.exit_code,
        "verdict": report.decision.verdict.value if report.decision else "no verdict",
        "sentence": report.sentence,
        "remarks": list(report.remarks),
        "run": report.run,
        "decision": asdict(report.decision) if report.decision else None,
        "contrast": asdict(report.contrast),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE, default=str)


def render_compare_markdown(report: CompareReport) -> str:
    """Return the comparison as GitHub Markdown; everything from prompts and models stands in code."""
    contrast = report.contrast
    lines = [
        f"### {_code(contrast.baseline_name)} → {_code(contrast.candidate_name)}",
        "",
        f"**{_safe(report.sentence)}**",
        "",
        f"{size_in_words(report)} · {_safe(source_in_words(report))}",
        "",
        *(f"> {_safe(caution)}" for caution in cautions_in_words(report)),
        *(f"- {_safe(remark)}" for remark in report.remarks),
        "",
        f"Flips: {flips_in_words(report)}",
        "",
    ]
    lines += _cases(report)
    lines += _table("Rule", "broke in", rule_lines(report))
    for migration in contrast.migrations:
        lines += _table("Another model", "", migration_lines(migration))
    lines += _table("", "before → now", use_lines(contrast.uses))
    lines += _prompts(report)
    return "\n".join(lines).rstrip() + "\n"


def _cases(report: CompareReport) -> list[str]:
    changed = report.changed
    if not changed:
        return []
    lines = ["| Case | Passed | First difference |", "|---|---|---|"]
    for case in changed[:CASES_SHOWN]:
        parting = report.difference_of(case)
        part = f"turn {parting.turn}: {_code(parting.baseline)} → {_code(parting.candidate)}" if parting else ""
        lines.append(f"| {_code(case.key[1])} | {case_in_words(case)} | {part} |")
    more = len(changed) - CASES_SHOWN
    return [*lines, *([f"| … and {more} more | | |"] if more > 0 else []), ""]


def _table(name: str, words: str, rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    return [f"| {name} | {words} |", "|---|---|", *(f"| {_safe(one)} | {_safe(other)} |" for one, other in rows), ""]


def _prompts(report: CompareReport) -> list[str]:
    lines: list[str] = []
    for change in report.contrast.prompts:
        if change.is_empty:
            continue
        lines += ["<details><summary>What changed in the prompt</summary>", ""]
        lines += [f"- {_safe(beside)}" for beside in change.beside]
        if change.lines:
            text = [visible(line) for line in change.lines[:DIFF_LINES]]
            fence = "`" * max(3, 1 + max((_ticks(line) for line in text), default=0))
            lines += ["", f"{fence}diff", *text, fence]
        lines += ["", "</details>", ""]
    return lines


def _ticks(line: str) -> int:
    """Return the longest run of backticks in a line."""
    longest = run = 0
    for letter in line:
        run = run + 1 if letter == "`" else 0
        longest = max(longest, run)
    return longest


def _safe(text: str) -> str:
    """Return text that can't become HTML, a mention or a table's border."""
    plain = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("|", "\\|").replace("@", "@\u200b")


def _code(text: str) -> str:
    """Return text as inline code inside a table."""
    plain = one_line(text)[:160].replace("|", "\\|").replace("`", "'")
    return f"`{plain}`"
