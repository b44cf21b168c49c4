"""An airline's desk: sixteen tools that remember, in a world of about a page; a weaker prompt goes red."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evalkit.pricing import price_with
from evalkit.records import Score, TrialVerdict
from evalkit.runner import Project
from evalkit.suites.check import check_project
from tests.runner.project import Silent, run, trials_of

AIRLINE = Path(__file__).parent / "airline"
CRITICAL = "second-thoughts-keep-the-booking"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a copy of the project, in which runs may leave their folders."""
    return Project(shutil.copytree(AIRLINE, tmp_path / "airline"), price_with(), Silent)


def failed(folder: Path) -> dict[str, list[Score]]:
    """Return the scores that failed a trial, by case."""
    return {
        case: [score for score in trial.score.scores if score.fails_trial]
        for (case, _), trial in trials_of(folder).items()
        if trial.score is not None and trial.score.verdict is not TrialVerdict.PASSED
    }


def test_every_file_is_sound_and_the_world_is_about_a_page() -> None:
    """Sixteen tools and all that they read and write, in a hundred lines."""
    assert check_project(AIRLINE).problems == ()
    world, _, _ = (AIRLINE / "suites" / "desk.yaml").read_text("utf-8").partition("cases:")
    assert len([*(AIRLINE / "prompts" / "desk" / "tools").glob("*.yaml")]) == 16
    assert len(world.splitlines()) < 110


def test_what_is_written_is_read_back_and_stored_replies_are_scored_again(project: Project) -> None:
    """Every case passes; the run's own replies pass today's rules without a request, and fail others."""
    folder = run(project)
    assert failed(folder) == {}
    suite = project.root / "suites" / "desk.yaml"
    written = suite.read_text("utf-8")
    line = written[: written.index("    change_seat:")].count("\n") + 1
    calls = trials_of(folder)["seat-is-changed-and-read-back", 1].transcript.turns[1].tool_calls
    assert [call.origin for call in calls] == [f"suites/desk.yaml:{line}:5"]

    suite.write_text(written.replace("KX4P2A: {seat: 4A}", "KX4P2A: {seat: 11F}"), "utf-8")
    again = run(project, via=str(folder))
    [(case, scores)] = failed(again).items()
    assert (case, scores[0].finding.observed) == ("seat-is-changed-and-read-back", "booking KX4P2A was not as expected")
    assert '[\'seat\'] changed from "11F" to "4A"' in scores[0].finding.note


def test_a_prompt_that_does_not_ask_first_goes_red(project: Project) -> None:
    """Without its sentence the booking is gone before the customer can think again, and the finding says so."""
    [score] = failed(run(project, prompt="desk@v2", targets=(f"suites/desk.yaml::{CRITICAL}",)))[CRITICAL][-1:]
    assert score.finding.observed == 'seat FU210-2D was changed by cancel_booking {"booking_code": "KX4P2A"}'
    assert (score.finding.turn, score.finding.expected) == (1, "nothing changed")
    assert "['booking']['KX4P2A']['status'] changed from \"confirmed\" to \"cancelled\"" in score.finding.note
