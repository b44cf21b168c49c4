"""Stopping at the first lost critical case, and telling what a run would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.analysis import summarise
from evalkit.errors import ExitCode, NothingSelected
from evalkit.gate import judge
from evalkit.pricing import price_with
from evalkit.runner import Project, RunSettings
from evalkit.runner.costs import forecast_run
from evalkit.store import RunReader
from tests.runner.project import SUITE, make_project, run, trials_of, write_suite


def case(name: str, *, fails: bool = False, **more: Any) -> dict[str, Any]:
    """Return a case that passes or fails on the stand-in."""
    said = "No." if fails else "Good day."
    return {"id": name, "user": "Hello", "expect": {"says": ["good day"]}, "stand_in": [{"say": said}], **more}


def ended(folder: Path) -> tuple[str, int]:
    """Return why a run ended, and the exit code of its verdict."""
    end, gate = RunReader(folder).end, judge(summarise(RunReader(folder)))
    assert end is not None
    return end.reason, int(gate.exit_code)


def test_the_first_lost_critical_case_ends_the_run(tmp_path: Path) -> None:
    """One failed trial of a critical case is enough: later trials are not begun, and the run has failed."""
    cases = [case("a"), case("b", fails=True, critical=True), *(case(f"c{n}") for n in range(8))]
    folder = run(make_project(tmp_path, cases=cases, trials=2, min_pass=1), fail_fast=True, jobs=1)
    assert len(trials_of(folder)) == 2
    assert ended(folder) == ("fail_fast", ExitCode.FAILED)


@pytest.mark.parametrize("more", [{}, {"critical": True, "gate": False}])
def test_other_failures_do_not_stop_it(tmp_path: Path, more: dict[str, Any]) -> None:
    """A failed case that is not critical, or is only watched, lets the run go on."""
    project = make_project(tmp_path, cases=[case("b", fails=True, **more), case("c")], trials=1, min_pass=1)
    folder = run(project, fail_fast=True, jobs=1)
    assert len(trials_of(folder)) == 2
    assert ended(folder)[0] == "finished"


def test_without_it_everything_is_played(tmp_path: Path) -> None:
    """A lost critical case alone does not end a run."""
    project = make_project(tmp_path, cases=[case("b", fails=True, critical=True), case("c")], trials=2, min_pass=1)
    assert len(trials_of(run(project, jobs=1))) == 4


def test_a_dry_run_counts_what_would_be_asked(tmp_path: Path) -> None:
    """Cases, trials, requests and a cost by suite; nothing is written and nothing is asked."""
    project = make_project(tmp_path)
    write_suite(tmp_path, "b", cases=[case("x", skip="later"), case("y")], trials=5, min_pass=1)
    one, two = forecast_run(project, RunSettings(via="live"))

    assert (one.path, one.case_ids, one.trials, one.requests) == ("suites/a.yaml", ("greets", "looks-up"), 4, 12)
    assert (two.case_ids, two.skipped, two.trials) == (("y",), 1, 5)
    assert one.cost_usd is not None
    assert one.cost_usd > 0
    assert not (tmp_path / "reports").exists()


def test_a_dry_run_does_not_make_up_a_price(tmp_path: Path) -> None:
    """A model whose price is unknown has an unknown cost, not none."""
    project = make_project(tmp_path)
    prompt = tmp_path / "prompts" / "bot" / "v1.md"
    prompt.write_text(prompt.read_text().replace("claude-sonnet-5-5", "claude-nobody-knows-1"))
    (only,) = forecast_run(Project(tmp_path, price_with(), project.progress), RunSettings(via="live"))
    assert only.cost_usd is None


def test_a_dry_run_selects_as_a_run_does(tmp_path: Path) -> None:
    """A selection that matches nothing is refused the same way."""
    with pytest.raises(NothingSelected):
        forecast_run(make_project(tmp_path), RunSettings(keyword="nothing like it"))
    (only,) = forecast_run(make_project(tmp_path), RunSettings(keyword="greet"))
    assert only.case_ids == (SUITE["cases"][0]["id"],)
