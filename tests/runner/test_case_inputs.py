"""Runs whose cases have inputs of their own: one version, one rendering a case, whatever is done with the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.baseline import render_baseline
from evalkit.errors import UsageError
from evalkit.records import Arm, TrialVerdict
from evalkit.runner import Project
from evalkit.runner.blessing import prepare_blessing
from evalkit.runner.contrast import compare_prompts, compare_runs
from evalkit.runner.plan import RunSettings
from evalkit.store import RunReader
from tests.project_files import write_files
from tests.runner.project import PROMPT, make_project, run, trials_of, write_suite

INPUTS = """\
inputs:
  guest: {required: true}
  rooms: []
---"""
BELOW = """
{# evalkit: cache here #}
Guest: {{ guest }}
{% for room in rooms %}Room {{ room.number }}
{% endfor %}"""
VERSION = PROMPT.replace("---\nYou", INPUTS + "\nYou") + BELOW
CASES: list[dict[str, Any]] = [
    {
        "id": name,
        "user": "Which room?",
        "inputs": {"guest": name, "rooms": [{"number": number}]},
        "expect": {"says": ["twelve"]},
        "stand_in": [{"say": "Room twelve."}],
    }
    for name, number in (("ines", 12), ("tom", 14))
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with two cases that have their own guests and rooms."""
    made = make_project(tmp_path, cases=CASES, tools={}, trials=1)
    write_files(tmp_path, {"prompts/bot/v1.md": VERSION})
    return made


def system(folder: Path, case_id: str) -> str:
    """Return the system prompt that a case's first request was sent with."""
    (trial,) = (trial for key, trial in trials_of(folder).items() if key == (case_id, 1))
    return "".join(block["text"] for block in trial.transcript.requests[0].body["system"])


def test_each_case_is_sent_its_own_inputs_and_the_suite_names_one_version(project: Project) -> None:
    """The run records every rendering, and one hash of the version for all of them."""
    folder = run(project)

    reader = RunReader(folder)
    assert "Guest: ines\nRoom 12" in system(folder, "ines")
    assert "Guest: tom\nRoom 14" in system(folder, "tom")
    (suite,) = reader.suites
    assert {prompt.template_sha for prompt in reader.prompts.values()} == {suite.template_sha}
    assert {case.prompt_sha for case in reader.cases} == set(reader.prompts)


def test_a_replay_scores_each_case_with_the_rendering_it_was_held_with(project: Project) -> None:
    """Unless its inputs are others now: then its stored conversation says nothing."""
    run(project, project.root / "reports/first")
    changed = {**CASES[1], "inputs": {"guest": "tom", "rooms": [{"number": 15}]}}
    write_suite(project.root, cases=[CASES[0], changed], tools={}, trials=1)

    trials = trials_of(run(project, via="last"))

    assert trials["ines", 1].score.verdict is TrialVerdict.PASSED  # type: ignore[union-attr]
    reason = "the stored conversation was held with another value of the input 'rooms' than the case has now"
    assert trials["tom", 1].score.reason == reason  # type: ignore[union-attr]


def test_a_baseline_is_of_the_version_and_an_old_one_is_played_with_each_cases_inputs(project: Project) -> None:
    """When the text has changed since, both versions are rendered for every case."""
    (made,) = prepare_blessing(project, run(project, trials=5)).baselines
    name, baseline, _ = made
    other = baseline.conditions.__class__(**{**vars(baseline.conditions), "params_sha": "other"})
    write_files(project.root, {name: render_baseline(baseline.__class__(**{**vars(baseline), "conditions": other}))})
    write_files(project.root, {"prompts/bot/v2.md": VERSION + "Be quick.", "prompts/bot/CURRENT": "v2\n"})

    folder = run(project)

    reader = RunReader(folder)
    (record,) = reader.baselines
    assert (record.use, record.template_sha) == ("fresh", baseline.template_sha)
    old = {
        trial.key.case_id: reader.prompts[trial.transcript.prompt_sha]
        for trial in reader.trials()
        if trial.key.arm is Arm.BASELINE
    }
    assert {key: prompt.inputs["guest"] for key, prompt in old.items()} == {"ines": "ines", "tom": "tom"}
    assert {prompt.template_sha for prompt in old.values()} == {baseline.template_sha}


def test_two_versions_are_compared_case_by_case_with_the_same_inputs(project: Project) -> None:
    """Their difference is told once, without what the inputs differ in; so between two finished runs."""
    write_files(project.root, {"prompts/bot/v2.md": VERSION + "Be quick."})
    settings = RunSettings(prompt="bot@v2", against_prompt="bot@v1", trials=1)

    sides = compare_prompts(project, settings, ("evalkit", "compare"))

    (change,) = sides.contrast.prompts
    assert "Be quick." in str(change)
    assert "tom" not in str(change)
    two = compare_runs(run(project, prompt="bot@v1"), run(project, prompt="bot@v2"), project.price)
    assert two.contrast.prompts == sides.contrast.prompts


def test_a_run_is_not_taken_up_when_a_file_behind_an_input_has_changed(project: Project) -> None:
    """The suite's file is the same; what the case is made of is not."""
    from evalkit.runner.plan import make_plan
    from evalkit.runner.start import prepare_resume
    from evalkit.store import RunWriter

    write_files(project.root, {"docs/guest.md": "Ines"})
    cases = [{**CASES[0], "inputs": {"guest": {"file": "../docs/guest.md"}}}]
    write_suite(project.root, cases=cases, tools={}, trials=1)
    folder = run(project)
    write_files(project.root, {"docs/guest.md": "Tom"})

    with RunWriter(folder) as writer, pytest.raises(UsageError, match="what case 'ines' of suites"):
        prepare_resume(RunReader(folder), make_plan(RunSettings(), project.root), writer)


@pytest.mark.parametrize(("text", "writes"), [(VERSION, 1), (VERSION.replace("You are", "{{ guest }}: You are"), 2)])
def test_the_part_that_cases_share_is_written_once_and_read_by_all_others(
    project: Project, text: str, writes: int
) -> None:
    """The first case writes it before the others begin; an input above the cache point makes each case write."""
    write_files(project.root, {"prompts/bot/v1.md": text})

    firsts = [trial.transcript.requests[0].usage for trial in trials_of(run(project, trials=3)).values()]

    assert len(firsts) == 6
    assert sum(usage is not None and usage.cache_read_input_tokens == 0 for usage in firsts) == writes
