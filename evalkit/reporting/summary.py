"""`summary.json`: the verdict and the numbers of a run for other programs and for `--lf`, and its published schema.

What is published of a record stands on the record (`records/published.py`); here is what the file as a whole
holds. A key changes only together with `SUMMARY_VERSION`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson

from evalkit.records import GateResult, Information, RunComparison, RunHeader, Summary
from evalkit.records.published import FLAT, Key, published, published_schema
from evalkit.reporting.atomic import replacing

SUMMARY_VERSION = 2


@dataclass(frozen=True)
class SummaryFile:
    """The whole file. Costs are US dollars, times milliseconds, shares 0 to 1; null means unknown, never zero."""

    summary_version: Annotated[int, Key("Counts changes of this format.", SUMMARY_VERSION)]
    header: Annotated[RunHeader, FLAT]
    gate: Annotated[GateResult, FLAT]
    comparison: Annotated[RunComparison | None, Key("The run beside its baselines; null if not asked.", None)]
    information: Annotated[
        tuple[Information, ...],
        Key(
            "Prompt versions that are not live and were measured beside it; `run` is the folder of their own files.",
            [{"prompt_ref": "support@v4", "sentence": "support@v4, not live yet: it would pass (for information); …"}],
        ),
    ]
    summary: Annotated[Summary, FLAT]


def render_summary(
    summary: Summary,
    gate: GateResult,
    comparison: RunComparison | None = None,
    information: Sequence[Information] = (),
) -> bytes:
    """Return the JSON: verdict and reasons first, then the comparison and every number; replies are not in it."""
    document = SummaryFile(SUMMARY_VERSION, summary.header, gate, comparison, tuple(information), summary)
    return orjson.dumps(published(document), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


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


def summary_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `summary.json`."""
    return published_schema(SummaryFile, "evalkit summary")
