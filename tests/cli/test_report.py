"""`evalkit report`: the page again from the records, wherever the run is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.analysis import summarise
from evalkit.cli.main import run_command
from evalkit.errors import ExitCode
from evalkit.gate import judge
from evalkit.records import RequestLine, ScoreLine, ToolLine, Trial, TrialEnd, TrialStart, TurnStart
from evalkit.reporting import render_html
from evalkit.store import RunWriter
from tests.made_up_run import MadeUpRun
from tests.reporting.showcase import showcase


def write_run(run: MadeUpRun, folder: Path) -> None:
    """Write a run's lines as the runner does."""
    writer = RunWriter(folder)
    for line in (run.header, *run.suites, *run.prompts.values(), *run.cases):
        writer.append(line)
    for trial in run.played:
        write_trial(trial, writer)
    if run.end:
        writer.append(run.end)
    writer.close()


def write_trial(trial: Trial, writer: RunWriter) -> None:
    """Write a trial's lines in the order in which they happen."""
    session = trial.transcript.session_id
    writer.append(TrialStart(trial.key, session, trial.transcript.prompt_sha))
    for turn in trial.transcript.turns:
        writer.append(TurnStart(session, turn.n, turn.user))
        for request in turn.requests:
            writer.append(RequestLine(session, request))
        for call in turn.tool_calls:
            writer.append(ToolLine(session, turn.n, call))
    writer.append(TrialEnd(session))
    if trial.score:
        writer.append(ScoreLine(session, trial.score))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one finished run, as the current folder."""
    (tmp_path / "suites").mkdir()
    write_run(showcase(), tmp_path / "reports" / "20261122-071455-7c1e")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["last", "20261122-071455-7c1e", "reports/20261122-071455-7c1e", "reports/20261122-071455-7c1e/run.jsonl"],
)
def test_run_is_found_by_any_of_its_names(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run is named by `last`, its id, its folder or its file; the page lands beside it and its path is printed."""
    assert run_command(["report", name]) == ExitCode.PASSED
    page = project / "reports" / "20261122-071455-7c1e" / "report.html"
    assert Path(capsys.readouterr().out.strip()).resolve() == page
    assert "lookup-keeps-failing" in page.read_text("utf-8")


def test_page_goes_where_it_is_told(project: Path) -> None:
    """With -o the page is written there and nothing beside the run."""
    assert run_command(["report", "-o", "page.html"]) == ExitCode.PASSED
    assert (project / "page.html").is_file()
    assert not (project / "reports" / "20261122-071455-7c1e" / "report.html").exists()


def test_summary_as_json(project: Path) -> None:
    """With -f json the summary is written instead."""
    assert run_command(["report", "-f", "json", "-o", "s.json"]) == ExitCode.PASSED
    assert json.loads((project / "s.json").read_text())["verdict"] == "failed"


def test_unknown_run_is_a_usage_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that is not there exits 2 with its name."""
    assert run_command(["report", "nowhere"]) == ExitCode.WRONG_INPUT
    assert "'nowhere'" in capsys.readouterr().err


def test_page_from_the_file_is_the_page_of_the_run(project: Path) -> None:
    """Everything on the page comes from the records: written and read back they give the very same page."""
    run, direct = showcase(), project / "direct.html"
    summary = summarise(run)
    render_html(summary, judge(summary), run.trials(), direct)
    assert run_command(["report", "-o", "again.html"]) == ExitCode.PASSED
    assert (project / "again.html").read_bytes() == direct.read_bytes()
