"""CSV: a row a case, and no cell is a formula."""

from __future__ import annotations

import csv
from io import StringIO

from evalkit.analysis import summarise
from evalkit.reporting import render_csv
from tests.made_up_run import MadeUpRun, case, run_of
from tests.reporting.showcase import showcase


def rows(run: MadeUpRun) -> list[dict[str, str]]:
    """Return the rows of a run."""
    return list(csv.DictReader(StringIO(render_csv(summarise(run)))))


def test_every_case_has_a_row() -> None:
    """The rows are the cases in the order of the suites, with their counts."""
    run = showcase()
    found = rows(run)
    assert [row["case"] for row in found] == [one.case_id for one in run.cases]
    row = next(row for row in found if row["case"] == "lookup-keeps-failing")
    assert (row["verdict"], row["passed"], row["failed"], row["critical"]) == ("fail", "1", "2", "yes")


def test_no_cell_is_read_as_a_formula() -> None:
    """A case id that begins like a formula is text for a spreadsheet."""
    (row,) = rows(run_of({"=1+1": "ppp"}, cases=[case("=1+1")]))
    assert row["case"] == "'=1+1"


def test_unknown_is_an_empty_cell() -> None:
    """A case that never ran has no cost, not a cost of zero."""
    (row,) = rows(run_of({"a": "..."}))
    assert row["cost_usd"] == ""
