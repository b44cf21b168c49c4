"""Critical cases in a compared run: played further after the screen, and never green when one of their trials fails."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evalkit.analysis import analyse
from evalkit.gate import compare_run, judge
from evalkit.records import RunVerdict, Stage
from evalkit.runner import Project
from evalkit.runner.changed import failed_in
from evalkit.standin import Cue, Reply, StandIn
from evalkit.store import RunReader
from tests.runner.judge_model import said, use
from tests.runner.project import make_project, run, write_suite

CASES = 21


def case(number: int, **changes: Any) -> dict[str, Any]:
    """Return a case that the stand-in passes by script."""
    said = {"user": "Hello", "expect": {"says": ["good day"]}, "stand_in": [{"say": "Good day."}]}
    return {"id": f"c{number:02}", **said, **changes}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose suite has a critical case, and a finished run of five rounds in `then`."""
    cases = [case(0, critical=True, min_rate=0.9), *(case(n) for n in range(1, CASES))]
    project = make_project(tmp_path, cases=cases, trials=5, min_pass=3)
    run(project, tmp_path / "then")
    write_suite(
        tmp_path, cases=[*cases, case(98, critical=True), case(99, critical=True, trials=1)], trials=1, min_pass=1
    )
    return project


def stages(folder: Path) -> Counter[tuple[str, Stage]]:
    """Return how many trials of each case were played in each stage."""
    return Counter((trial.key.case_id, trial.key.stage) for trial in RunReader(folder).trials())


def test_critical_cases_get_five_trials_unless_they_say_otherwise(project: Project) -> None:
    """Compared and new critical cases are played five times in all; the others, and those with a number, are not."""
    folder = run(project, against=str(project.root / "then"))
    played = stages(folder)

    for case_id in ("c00", "c98"):
        assert (played[case_id, Stage.ROUND], played[case_id, Stage.MUST_PASS]) == (1, 4)
    assert {stage for case_id, stage in played if case_id in ("c01", "c99")} == {Stage.ROUND}
    compared = compare_run(RunReader(folder))
    assert compared.decision is not None
    assert compared.decision.must_pass_clean == 1
    words = "c00: a pass rate of 90 % is not yet shown by 5 clean trials; 29 clean trials would"
    assert words in [note.words for note in judge(analyse(RunReader(folder)).summary, compared).notes]


def test_without_a_comparison_nothing_is_added_and_the_promise_is_told(project: Project) -> None:
    """A run that is compared with nothing plays what the suite says, and says what that does not show."""
    folder = run(project, compare=False)
    compared = compare_run(RunReader(folder))

    assert {stage for _, stage in stages(folder)} == {Stage.ROUND}
    assert compared.promises == ("c00: a pass rate of 90 % is not yet shown by 1 clean trial; 29 clean trials would",)


def test_a_further_trial_that_fails_makes_the_run_red(project: Project) -> None:
    """The suite's own trials passed; one beyond them failed: the run fails, says in which trial, and --lf knows it."""
    folder = run(project, project.root / "now", against=str(project.root / "then"))
    lines = (folder / "run.jsonl").read_text("utf-8").splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if '"line":"score"' in line and "c98" in line and "must-pass" in line)
    lines[at] = lines[at].replace('"verdict":"passed"', '"verdict":"failed"')
    (folder / "run.jsonl").write_text("".join(lines), "utf-8")

    gate = judge(analyse(RunReader(folder)).summary, compare_run(RunReader(folder)))
    assert gate.verdict is RunVerdict.FAILED
    assert "1 critical case failed (c98)" in gate.reasons[0].words
    assert any(
        note.words.startswith("c98 failed in trial 1 of the comparison (must-pass): says") for note in gate.notes
    )
    assert failed_in(folder) == ("suites/a.yaml::c98",)


def test_a_first_look_beyond_the_limit_leaves_no_verdict(project: Project) -> None:
    """Where --trials makes the first look larger than gate.max_trials, a run plays its trials and compares nothing."""
    cases = [case(n) for n in range(CASES)]
    write_suite(project.root, cases=cases, trials=1, min_pass=1, gate={"max_trials": CASES})
    folder = run(project, against=str(project.root / "then"), trials=2)

    gate = judge(analyse(RunReader(folder)).summary, compare_run(RunReader(folder)))
    assert gate.verdict is RunVerdict.NO_VERDICT
    assert f"the first rounds do not fit into gate.max_trials ({CASES})" in gate.sentence
    assert sum(stages(folder).values()) == 2 * CASES


def test_fail_fast_hears_of_a_further_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With -x the run ends where a critical case fails beyond the suite's own trials: no trial follows."""
    asked = Counter[str]()

    def answer(request: dict[str, Any], trial: int, cue: Cue) -> Reply:
        del trial, cue
        text = str(request["messages"][-1]["content"])
        asked["vital"] += "Vital" in text
        return said("No." if asked["vital"] > 5 + 2 and "Vital" in text else "Good day.")

    vital = case(0, critical=True, user="Vital")
    cases = [vital, *(case(n) for n in range(1, CASES))]
    with StandIn(answer) as server:
        use(monkeypatch, server)
        project = make_project(tmp_path, cases=cases, trials=5, min_pass=3)
        run(project, tmp_path / "then", via="live")
        write_suite(tmp_path, cases=cases, trials=1, min_pass=1)
        folder = run(project, against=str(tmp_path / "then"), via="live", fail_fast=True, fresh=True, jobs=1)

    end = RunReader(folder).end
    assert end is not None
    assert end.reason == "fail_fast"
    assert stages(folder)["c00", Stage.MUST_PASS] == 2
