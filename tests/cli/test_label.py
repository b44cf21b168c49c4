"""`evalkit label`: blind, resumable, undoable, and the table at its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evalkit.cli.main import cli
from evalkit.errors import UsageError
from evalkit.labels import read_labels
from evalkit.standin import StandIn
from tests.runner.judge_model import JudgeModel, strict, use
from tests.runner.project import make_project, run

CASES: list[dict[str, Any]] = [
    {"id": "one", "user": "I want to return a coat.", "tags": ["coats"], "expect": {"judge": ["Asks for the number"]}},
    {"id": "two", "user": "I want to return a hat.", "expect": {"judge": ["Asks for the number"]}},
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a live run whose judge has answered yes about two cases."""
    with StandIn(JudgeModel(strict).answer) as server:
        use(monkeypatch, server)
        run(make_project(tmp_path, cases=CASES, trials=2), via="live")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def label(keys: str, *args: str) -> Result:
    """Type keys into the command."""
    return CliRunner().invoke(cli, ["label", *args], input=keys, catch_exceptions=False)


def test_equal_answers_are_asked_about_once_and_the_judge_stays_hidden(project: Path) -> None:
    """Four trials with two different conversations are two questions, and nothing of the judge is shown before."""
    shown, _, table = label("yn").output.partition("Agreement of the judge")

    assert shown.count("is this true?") == 2
    assert "claude-haiku" not in shown
    assert "2 labels, agreement 0.50" in table
    assert "2 of this run's 2 answers labelled; from 10 on its pass rate is corrected" in table
    assert [one.label for one in read_labels(project, "suites/a.labels.jsonl")] == ["yes", "no"]


def test_going_on_asks_only_what_is_left(project: Path) -> None:
    """Quitting keeps what was answered; a skipped answer comes again."""
    label("yq")
    again = label("s")
    last = label("n")

    assert "1 of 2 answers labelled already." in again.output
    assert "1 of 2 answers labelled already." in last.output
    assert label("").output.startswith("2 of 2 answers labelled already.")
    assert len(read_labels(project, "suites/a.labels.jsonl")) == 2


def test_undo_takes_the_last_answer_back(project: Path) -> None:
    """After an undo the same question is asked again."""
    label("yuny")

    assert [one.label for one in read_labels(project, "suites/a.labels.jsonl")] == ["no", "yes"]


def test_cases_are_selected_as_in_a_run(project: Path) -> None:
    """By tag or by part of the id."""
    assert "0 of 1 answers" in label("q", "-t", "coats").output
    assert "0 of 1 answers" in label("q", "-k", "two").output


def test_labels_move_on_to_another_judge(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same reply judged by another model needs no second label."""
    label("yy")
    with StandIn(JudgeModel(lambda *_: ("", "no")).answer) as server:
        use(monkeypatch, server)
        run(make_project(project, cases=CASES, trials=1, judge={"model": "claude-opus-5-5"}), via="live")

    result = label("")

    assert "2 of 2 answers labelled already." in result.output
    assert "claude-opus-5-5: 2 labels, agreement 0.00" in result.output


def test_without_a_terminal_there_is_one_line(project: Path) -> None:
    """A key can't be pressed in a job: the command says so instead of breaking."""
    words = [sys.executable, "-m", "evalkit", "label"]
    found = subprocess.run(words, cwd=project, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           start_new_session=True, check=False)  # fmt: skip

    assert found.returncode == 2
    assert found.stderr.strip().endswith("there is no terminal to read keys from; run this command in one.")


def test_a_run_without_judges_has_nothing_to_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the stand-in no judge was asked; the error says what to do."""
    run(make_project(tmp_path, cases=CASES))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UsageError, match="--via live first"):
        label("y")
