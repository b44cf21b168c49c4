"""A bank's loan desk: cases from tables, shared files and anchors, JSON forms; a weaker prompt goes red."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evalkit.pricing import price_with
from evalkit.records import TrialVerdict
from evalkit.runner import Project
from evalkit.store import RunReader
from evalkit.suites.check import check_project
from tests.runner.project import Silent, run, trials_of

LOAN = Path(__file__).parent / "loan"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a copy of the project, in which runs may leave their folders."""
    return Project(shutil.copytree(LOAN, tmp_path / "loan"), price_with(), Silent)


def failed(folder: Path) -> set[str]:
    """Return the cases of which a trial did not pass."""
    trials = trials_of(folder).items()
    return {case for (case, _), trial in trials if trial.score and trial.score.verdict is not TrialVerdict.PASSED}


def test_every_row_is_a_case_that_passes_and_knows_its_place(project: Project) -> None:
    """Five rows of a spreadsheet and two lines of JSON become cases named by a column."""
    assert check_project(project.root).problems == ()
    folder = run(project, trials=1)
    assert failed(folder) == set()
    rows = {case.case_id: str(case.row) for case in RunReader(folder).cases if case.row}
    assert rows["quote-study-degree"] == "suites/loans.csv:6:1"
    assert rows["refused-too-long"] == "suites/refused.jsonl:2:1"
    assert len(rows) == 7


def test_a_prompt_that_works_the_payment_out_itself_goes_red(project: Project) -> None:
    """Without its sentence about quotes no form is right, and only what needs no quote still passes."""
    folder = run(project, prompt="intake@v2", trials=1)
    assert {case.case_id for case in RunReader(folder).cases} - failed(folder) == {"keeps-its-braces"}
    trial = trials_of(folder)["quote-car-short", 1]
    assert trial.score is not None
    labels = [score.assertion.label for score in trial.score.scores if score.fails_trial]
    assert any(label.startswith("tools.calls quote_loan") for label in labels)
    assert "json form" in labels


def test_a_column_that_is_missing_is_told_at_its_use(project: Project) -> None:
    """The message names the place in the suite, and the columns that there are."""
    suite = project.root / "suites" / "intake.yaml"
    suite.write_text(suite.read_text("utf-8").replace("It is for {{ need }}.", "It is for {{ needs }}."), "utf-8")
    [problem, *_] = check_project(project.root).problems
    assert problem.place.file == "suites/intake.yaml"
    assert "needs" in problem.sentence
    assert "need" in problem.sentence
