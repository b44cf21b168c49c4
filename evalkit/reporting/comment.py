"""The comment on a pull request: the verdict, what needs action, the rest folded; short enough for GitHub to take.

GitHub refuses a body of more than 65,536 characters as a whole, so the comment ends at a block well before that. The
workflow finds an earlier comment by its first line and puts the report's address in the place of REPORT_URL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalkit.records import Information
from evalkit.reporting.finished_run import FinishedRun
from evalkit.reporting.markdown import Size, broken_cases, broken_table, conversation, foot, head, headline, numbers
from evalkit.reporting.markdown_text import plain

MARKER = "<!-- evalkit -->"
REPORT_URL = "REPORT_URL"
LIMIT = 60_000
TABLE_ROOM = 20_000
REASONS_SHOWN = 5


def render_comment(run: FinishedRun) -> str:
    """Return the comment, at most 60,000 characters."""
    cases = broken_cases(run)
    beside = [render_information(run.information), ""] if run.information else []
    first = [MARKER, f"### {headline(run)}", "", *beside, head(run), "", broken_table(run, cases, TABLE_ROOM, len)]
    blocks = [*(conversation(run, case) for case in cases if case.key in run.details), numbers(run)]
    return assemble(first, blocks, foot(run), LIMIT, len)


def render_information(information: Sequence[Information]) -> str:
    """Return a line for each version that is not live and was measured for information, and what speaks against it."""
    lines = []
    for each in information:
        lines.append(f"ℹ️ {plain(each.sentence, 600)}")
        lines += [f"– {plain(reason, 300)}" for reason in each.reasons[1:REASONS_SHOWN]]
    return "  \n".join(lines)


def render_unaffected(sentence: str, *, marker: bool = True) -> str:
    """Return the comment of a change that no suite depends on."""
    lines = [MARKER] if marker else []
    return "\n".join([*lines, "### ➖ No suite is affected by this change", "", plain(sentence), ""])


def assemble(first: Sequence[str], blocks: Iterable[str], last: str, limit: int, size: Size) -> str:
    """Return first, as many blocks as fit, and last; what is left out is counted."""
    text = "\n".join(first).rstrip("\n") + "\n"
    waiting = [*blocks]
    kept: list[str] = []
    reserve = size(f"\n{last}\n") + 200  # for the line that counts what was left out
    used = size(text) + reserve
    while waiting and used + size(waiting[0]) + 1 <= limit:
        used += size(waiting[0]) + 1
        kept.append(waiting.pop(0))
    left_out = [f"_{len(waiting)} more parts did not fit here; the report has them all._"] if waiting else []
    return "\n".join([text, *kept, *left_out, "", last, ""])
