"""The command `evalkit import transcripts`."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.cli.main import run_command
from evalkit.errors import ExitCode
from tests.importing.recorded import recording, says, trials, user, write


def test_the_command_writes_a_run_and_says_how_to_score_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was imported goes to stdout, the next step to stderr."""
    file = write(tmp_path / "log.jsonl", recording(user("hi"), says("yo"), model="m"))
    suite = tmp_path / "suite.yaml"
    code = run_command(["import", "transcripts", str(file), "-o", str(tmp_path / "run"), "--suite", str(suite)])
    told = capsys.readouterr()
    assert code == ExitCode.PASSED
    assert told.out == f"1 conversation of 1 case with m: {tmp_path / 'run'}\n"
    assert f"evalkit run {suite} --via {tmp_path / 'run'}" in told.err
    assert [trial.key.case_id for trial in trials(tmp_path / "run")] == ["one"]


def test_without_a_folder_the_run_goes_to_the_projects_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed folder can be typed from where the command was called."""
    (tmp_path / "suites").mkdir()
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / "log.jsonl", recording(user("hi"), says("yo")))
    assert run_command(["import", "transcripts", str(file)]) == ExitCode.PASSED
    folder = capsys.readouterr().out.rpartition(": ")[2].strip()
    assert folder.startswith("reports/")
    assert len(trials(tmp_path / folder)) == 1


def test_bad_lines_are_wrong_input_and_are_printed_with_their_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and every line with what is wrong in it."""
    file = write(tmp_path / "log.jsonl", b"{\n", recording(user("hi")), b"[]\n")
    assert run_command(["import", "transcripts", str(file), "-o", str(tmp_path / "run")]) == ExitCode.WRONG_INPUT
    told = capsys.readouterr()
    assert f"{file}:1:1: error: not JSON" in told.out + told.err
    assert f"{file}:3:1: error: a list; expected a JSON object" in told.out + told.err


def test_a_folder_in_use_is_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr, and exit code 2."""
    file = write(tmp_path / "log.jsonl", recording(user("hi")))
    assert run_command(["import", "transcripts", str(file), "-o", str(tmp_path)]) == ExitCode.WRONG_INPUT
    assert "is not empty" in capsys.readouterr().err


def test_a_missing_file_is_wrong_input(tmp_path: Path) -> None:
    """click finds it before anything is loaded."""
    assert run_command(["import", "transcripts", str(tmp_path / "none.jsonl")]) == ExitCode.WRONG_INPUT
