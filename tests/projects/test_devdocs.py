"""A support agent of a developer product: what a search has found differs from case to case, replies are JSON."""

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

DEVDOCS = Path(__file__).parent / "devdocs"
GAP = "not-in-the-documentation"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a copy of the project, in which runs may leave their folders."""
    return Project(shutil.copytree(DEVDOCS, tmp_path / "devdocs"), price_with(), Silent)


def test_every_file_is_sound() -> None:
    """Nothing in it stands above the cache point that changes from case to case."""
    assert check_project(DEVDOCS).problems == ()


def test_each_case_is_answered_from_its_own_passages_and_reads_the_static_part_from_the_cache(project: Project) -> None:
    """One version, six renderings; the first case writes what they share, every other one reads it."""
    folder = run(project, trials=1)

    trials = trials_of(folder)
    assert {trial.score.verdict for trial in trials.values() if trial.score} == {TrialVerdict.PASSED}
    prompts = RunReader(folder).prompts.values()
    assert (len(prompts), len({prompt.template_sha for prompt in prompts})) == (6, 1)
    first, *others = sorted(
        usage.cache_read_input_tokens
        for trial in trials.values()
        if (usage := trial.transcript.requests[0].usage) is not None
    )
    assert first == 0
    assert len(others) == 5
    assert min(others) == max(others) > 512


def test_a_prompt_that_fills_the_gaps_goes_red(project: Project) -> None:
    """Without its sentence about what the documentation lacks it makes an answer up, and the finding names the path."""
    trial = trials_of(run(project, prompt="helper@v2", targets=(f"suites/answers.yaml::{GAP}",), trials=1))[GAP, 1]

    assert trial.score is not None
    assert trial.score.verdict is TrialVerdict.FAILED
    assert {score.assertion.label for score in trial.score.scores if score.fails_trial} == {
        "json covered",
        "json answer",
    }
