"""Which model a run asks, when that is not the one its prompt names, and which it refuses to ask."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from evalkit.errors import UsageError
from evalkit.records import Source
from evalkit.runner import RunSettings
from evalkit.runner.blessing import prepare_blessing
from evalkit.source import check_models
from evalkit.store import REPORTS, RunReader
from tests.runner.project import make_project, run

CASE = {"id": "a", "user": "Hello", "expect": {"says": ["good day"]}, "stand_in": [{"say": "Good day to you."}]}
OTHER = "claude-haiku-5-5"
TODAY = date(2026, 11, 24)


def test_a_run_asks_the_model_that_is_named_for_it(tmp_path: Path) -> None:
    """The record names it with the prompt, in every trial, and so does every request."""
    reader = RunReader(run(make_project(tmp_path, cases=[CASE]), model=OTHER))

    (suite,), trials = reader.suites, list(reader.trials())
    assert suite.prompt_ref == f"bot@v1+{OTHER}"
    assert {trial.key.prompt_ref for trial in trials} == {f"bot@v1+{OTHER}"}
    assert {request.body["model"] for trial in trials for request in trial.transcript.requests} == {OTHER}
    assert {prompt.own_model for prompt in reader.prompts.values()} == {"claude-sonnet-5-5"}


@pytest.mark.parametrize(
    ("prompt", "model", "ref"),
    [
        (None, None, "bot"),
        (None, OTHER, f"bot+{OTHER}"),
        ("bot@v2", OTHER, f"bot@v2+{OTHER}"),
        (f"bot@v2+{OTHER}", None, f"bot@v2+{OTHER}"),
    ],
)
def test_what_is_asked_for_wins_over_what_the_suite_says(prompt: str | None, model: str | None, ref: str) -> None:
    """A reference takes the place of the suite's; a model alone changes nothing else of it."""
    assert RunSettings(prompt=prompt, model=model).ref_for("bot") == ref


def test_a_suites_own_model_gives_way_too() -> None:
    """The command line wins over the file."""
    assert RunSettings(model=OTHER).ref_for("bot@v1+claude-opus-5") == f"bot@v1+{OTHER}"


@pytest.mark.parametrize(
    ("change", "who"),
    [
        ({"prompt": "bot+claude-2.1"}, "prompt bot@v1+claude-2.1"),
        ({"judge": {"model": "claude-2.1"}, "expect": {"judge": ["Is kind"]}}, "the judge of suites/a.yaml"),
        (
            {"cases": [{"id": "b", "simulate": {"goal": "Say hello", "model": "claude-2.1"}}]},
            "the user that is simulated",
        ),
    ],
    ids=["prompt", "judge", "simulated user"],
)
def test_a_retired_model_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], who: str
) -> None:
    """Prompt, judge and simulated user: the message says who asks it and since when it answers no more."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    project = make_project(tmp_path, **{"cases": [CASE], **change})  # type: ignore[arg-type]

    with pytest.raises(UsageError, match=rf"{re.escape(who)}.*: model 'claude-2.1' is retired: .* since 21 July 2025"):
        run(project, via="live")

    assert not list((tmp_path / REPORTS).glob("*"))


@pytest.mark.parametrize("source", [Source("stand-in"), Source("live", "bedrock.example")])
def test_elsewhere_a_retired_model_is_only_told(source: Source) -> None:
    """Other platforms have days of their own, and the stand-in costs nothing."""
    (told,) = check_models({"claude-2.1": "prompt bot@v1"}, source, TODAY)

    assert told.startswith("prompt bot@v1: model 'claude-2.1' is retired")


def test_what_is_to_be_said_of_a_model_is_told_before_a_run(tmp_path: Path) -> None:
    """A typing mistake in a model's name is allowed, for other endpoints have models of their own, and is told."""
    said: list[str] = []
    project = replace(make_project(tmp_path, cases=[CASE]), tell=said.append)

    run(project, model="claude-haiku-5.5")

    (sentence,) = said
    assert "is not in the table of models (did you mean 'claude-haiku-5-5'?)" in sentence


def test_stored_replies_have_a_model_already(tmp_path: Path) -> None:
    """Scoring them again asks nobody."""
    project = make_project(tmp_path, cases=[CASE])
    folder = run(project)

    with pytest.raises(UsageError, match=r"--model asks a model, and --via .* asks none"):
        run(project, via=str(folder), model=OTHER)


def test_a_baseline_is_made_of_what_the_files_say(tmp_path: Path) -> None:
    """A run on a model of the command line is no baseline; one on the model that the suite names is."""
    project = make_project(tmp_path, cases=[CASE], trials=5)
    with pytest.raises(UsageError, match=rf"`prompt: bot\+{OTHER}` in suites/a.yaml, then: evalkit run"):
        prepare_blessing(project, run(project, model=OTHER))

    project = make_project(tmp_path, cases=[CASE], trials=5, prompt=f"bot+{OTHER}")
    ((_, made, _),) = prepare_blessing(project, run(project)).baselines

    assert (made.prompt_ref, made.conditions.model) == (f"bot@v1+{OTHER}", OTHER)


def test_a_comparison_with_one_model_for_both_sides_takes_no_other(tmp_path: Path) -> None:
    """Which of two models is meant is for the person to say."""
    project = make_project(tmp_path, cases=[CASE])

    with pytest.raises(UsageError, match=r"names a model itself; leave out --model"):
        run(project, model=OTHER, against_prompt="bot+claude-opus-5", compare=True)
