"""The summary of a GitHub job: the comment's blocks with all cases that did not pass, cut before GitHub drops it whole.

The limit is 1 MiB a step, in bytes.
"""

from __future__ import annotations

from evalkit.reporting.comment import assemble
from evalkit.reporting.finished_run import FinishedRun
from evalkit.reporting.markdown import broken_cases, broken_table, conversation, foot, head, headline, numbers

LIMIT = 900_000
TABLE_ROOM = 300_000


def render_job_summary(run: FinishedRun) -> str:
    """Return the Markdown, at most 900,000 bytes; also what `evalkit report -f md` gives."""
    cases = broken_cases(run)
    first = [f"## {headline(run)}", "", head(run), "", broken_table(run, cases, TABLE_ROOM, _bytes), "", numbers(run)]
    return assemble(first, [conversation(run, case) for case in cases], foot(run), LIMIT, _bytes)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
