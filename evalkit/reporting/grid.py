"""All cases of a suite in as few lines as the width allows: `id ●●○`, column by column."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from evalkit.records import CaseSummary, CaseVerdict, TrialVerdict
from evalkit.reporting.safe_text import one_line, shorten_middle
from evalkit.reporting.wording import TRIAL_SYMBOLS
from evalkit.wording import number, plural

ID_ROOM = 36
GRID_CASES = 150
"""A larger suite shows only the cases that did not pass."""
GAP = "   "
INDENT = "  "
DOT_STYLES = {TrialVerdict.PASSED: "green", TrialVerdict.FAILED: "red", TrialVerdict.NOT_MEASURED: "magenta"}


def render_grid(cases: Sequence[CaseSummary], width: int) -> list[Text]:
    """Return the grid, read down the columns; no line is wider than `width` as long as one case fits."""
    shown = cases
    if len(cases) > GRID_CASES:
        shown = [case for case in cases if case.verdict is not CaseVerdict.PASS and case.skip is None][:GRID_CASES]
    lines = _columns([_cell(case, min(ID_ROOM, max(width - 24, 12))) for case in shown], width)
    if len(shown) < len(cases):
        passing = sum(case.verdict is CaseVerdict.PASS for case in cases)
        lines.append(
            Text(f"{INDENT}{number(passing)} of {plural(len(cases), 'case')} pass in every trial", style="dim")
        )
    return lines


def _cell(case: CaseSummary, id_room: int) -> tuple[Text, Text]:
    name = Text(shorten_middle(one_line(case.case_id), id_room))
    if case.skip is not None:
        return name, Text("skipped", style="dim")
    marks = Text()
    for outcome in case.trials:
        marks.append(TRIAL_SYMBOLS[outcome.verdict], style=DOT_STYLES[outcome.verdict])
    if case.critical and case.verdict is not CaseVerdict.PASS:
        marks.append(" critical", style="bold red")
    elif not case.gated:
        marks.append(" watched", style="dim")
    return name, marks


def _columns(cells: Sequence[tuple[Text, Text]], width: int) -> list[Text]:
    if not cells:
        return []
    rows = next(rows for rows in range(1, len(cells) + 1) if rows == len(cells) or _fits(cells, rows, width))
    widths = _widths(cells, rows)
    lines = []
    for row in range(rows):
        line = Text(INDENT)
        for column, (name, marks) in enumerate(cells[row::rows]):
            id_width, mark_width = widths[column]
            line.append_text(name).append(" " * (id_width - cell_len(name.plain) + 1)).append_text(marks)
            line.append(" " * (mark_width - cell_len(marks.plain)) + GAP)
        line.rstrip()
        lines.append(line)
    return lines


def _widths(cells: Sequence[tuple[Text, Text]], rows: int) -> list[tuple[int, int]]:
    columns = [cells[start : start + rows] for start in range(0, len(cells), rows)]
    return [
        (max(cell_len(name.plain) for name, _ in column), max(cell_len(marks.plain) for _, marks in column))
        for column in columns
    ]


def _fits(cells: Sequence[tuple[Text, Text]], rows: int, width: int) -> bool:
    widths = _widths(cells, rows)
    return len(INDENT) + sum(ids + 1 + marks for ids, marks in widths) + len(GAP) * (len(widths) - 1) <= width
