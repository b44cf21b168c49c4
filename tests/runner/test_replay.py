"""Stored replies, today's rules: no calls."""

from __future__ import annotations

from pathlib import Path

from evalkit.records import Source, TrialVerdict
from evalkit.runner import Project
from evalkit.store import RunReader
from tests.runner.project import SUITE, make_project, run, trials_of, write_suite

GREETS = SUITE["cases"][0]


def verdict(folder: Path, case_id: str = "greets", trial: int = 1) -> tuple[TrialVerdict, str]:
    """Return the verdict of a trial and its reason."""
    score = trials_of(folder)[case_id, trial].score
    assert score is not None
    return score.verdict, score.reason


def replayed(project: Project) -> Path:
    """Replay the last run."""
    return run(project, via="last")


def test_rescoring_a_fresh_run_gives_its_scores(tmp_path: Path) -> None:
    """Same replies, same rules: same scores, same transcripts, a source that says replayed."""
    project = make_project(tmp_path)
    first = run(project, tmp_path / "reports/first")

    second = replayed(project)

    source = RunReader(second).header.source
    assert source == Source("replayed", RunReader(first).header.run_id, "stand-in")
    for key, trial in trials_of(first).items():
        again = trials_of(second)[key]
        assert (again.score, again.transcript) == (trial.score, trial.transcript)


def test_a_changed_rule_is_applied_to_stored_replies(tmp_path: Path) -> None:
    """Today's expectation judges yesterday's reply."""
    project = make_project(tmp_path)
    run(project)
    write_suite(tmp_path, cases=[{**GREETS, "expect": {"never_says": ["good day"]}}])

    assert verdict(replayed(project))[0] is TrialVerdict.FAILED


def test_what_was_not_recorded_is_not_measured(tmp_path: Path) -> None:
    """A hole in the recording is a hole in the verdict."""
    project = make_project(tmp_path)
    run(project, trials=1)
    write_suite(tmp_path, cases=[GREETS, {**GREETS, "id": "new"}])

    folder = replayed(project)

    assert verdict(folder)[0] is TrialVerdict.PASSED
    missing = (TrialVerdict.NOT_MEASURED, "the replayed run has no reply for this trial")
    assert verdict(folder, trial=2) == missing
    assert verdict(folder, "new") == missing


def test_other_user_messages_are_not_measured(tmp_path: Path) -> None:
    """A reply to another question says nothing about this one."""
    project = make_project(tmp_path)
    run(project)
    write_suite(tmp_path, cases=[{**GREETS, "user": "Bonjour"}])

    assert "other user messages" in verdict(replayed(project))[1]


def test_replies_of_another_prompt_text_are_not_measured(tmp_path: Path) -> None:
    """With -p the stored replies count only for the very same prompt."""
    project = make_project(tmp_path)
    run(project)
    (tmp_path / "prompts/bot/v2.md").write_text((tmp_path / "prompts/bot/v1.md").read_text() + "More.")

    assert "not for this text" in verdict(run(project, via="last", prompt="bot@v2"))[1]
