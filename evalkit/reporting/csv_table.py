"""The cases of a run as CSV, for people who want a spreadsheet; no cell of it is read as a formula."""

from __future__ import annotations

import csv
from io import StringIO

from evalkit.records import CaseSummary, Summary
from evalkit.reporting.safe_text import one_line

COLUMNS = (
    "suite", "case", "file", "line", "row", "verdict", "passed", "failed", "not_measured", "min_pass", "critical",
    "gated", "skip", "tags", "cluster", "why", "broken", "warned", "requests", "cost_usd", "cached_share",
    "first_token_ms", "total_ms",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render_csv(summary: Summary) -> str:
    """Return one row per case in the order of the suites; what is unknown is an empty cell, shares are 0 to 1."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for case in summary.cases:
        writer.writerow([_cell(value) for value in _row(case)])
    return out.getvalue()


def _row(case: CaseSummary) -> tuple[object, ...]:
    verdict = "skipped" if case.skip is not None else case.verdict.value
    return (
        case.suite, case.case_id, case.place.file, case.place.line or None,
        f"{case.row.file}:{case.row.line}" if case.row else None, verdict, case.passed, case.failed,
        case.not_measured, case.min_pass, case.critical, case.gated, case.skip, " ".join(case.tags), case.cluster,
        case.why, " ".join(case.broken), " ".join(case.warned), case.requests, case.cost_usd, case.cached_share,
        case.first_token_ms, case.total_ms,
    )  # fmt: skip


def _cell(value: object) -> object:
    """Return a cell; text that a spreadsheet would calculate gets an apostrophe before it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
