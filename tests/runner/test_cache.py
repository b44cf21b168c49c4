"""Replies that were paid for once: given again to the same trial, marked, free, and never an error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.analysis import summarise
from evalkit.engine import RetryPolicy
from evalkit.records import Request
from evalkit.reporting.wording import money_in_words
from evalkit.runner import Project
from evalkit.standin import StandIn
from evalkit.standin.faults import FaultRates
from evalkit.store import CACHE, RunReader
from tests.runner.judge_model import JudgeModel, strict, use
from tests.runner.project import make_project, run, trials_of, write_suite

ASKS: dict[str, Any] = {"id": "asks", "user": "I want to return something.", "expect": {"says": ["order number"]}}
JUDGED: dict[str, Any] = {**ASKS, "expect": {"tools": "none", "judge": ["Asks for the order number"]}}


@pytest.fixture
def model() -> JudgeModel:
    """A model that talks and judges."""
    return JudgeModel(strict)


@pytest.fixture
def live(model: JudgeModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A server that live runs end at."""
    with StandIn(model.answer) as server:
        use(monkeypatch, server)
        yield server


def requests_of(folder: Path) -> list[Request]:
    """Return the requests of a run's conversations, by case and trial."""
    return [request for _, trial in sorted(trials_of(folder).items()) for request in trial.transcript.requests]


def cached(root: Path) -> int:
    """Return how many replies are kept."""
    return len(list((root / CACHE).rglob("*.json")))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one case, three trials."""
    return make_project(tmp_path, cases=[ASKS], trials=3)


def test_a_live_run_ends_by_removing_what_is_not_used(project: Project, live: StandIn) -> None:
    """Replies of another text that nobody has used for a month are gone after the next run; those it used stay."""
    run(project, via="live")
    for path in (project.root / CACHE).rglob("*.json"):
        os.utime(path, (0, 0))
    kept = cached(project.root)
    write_suite(project.root, cases=[ASKS, {**ASKS, "id": "new", "user": "Hello."}], trials=1)
    run(project, project.root / "again", via="live")
    assert cached(project.root) == 2 < kept


def test_the_same_run_again_asks_nobody(project: Project, live: StandIn, model: JudgeModel) -> None:
    """The second run has the same replies, marked, with the times and the cost of then, and spends nothing."""
    first = requests_of(run(project, via="live"))
    asked = model.chats
    folder = run(project, project.root / "again", via="live")
    again = requests_of(folder)

    assert model.chats == asked == 3
    assert not any(request.from_cache for request in first)
    assert all(request.from_cache for request in again)
    for before, now in zip(first, again, strict=True):
        assert (now.content, now.usage, now.total_ms, now.first_token_ms, now.cost_usd, now.body) == (
            before.content, before.usage, before.total_ms, before.first_token_ms, before.cost_usd, before.body
        )  # fmt: skip
    summary = summarise(RunReader(folder))
    assert money_in_words(summary).startswith("$0.00 spent; 3 replies of 3 from the cache, which an earlier run paid $")


def test_each_trial_has_a_reply_of_its_own(project: Project, live: StandIn, model: JudgeModel) -> None:
    """Trials that send the same bytes are asked one by one, and a trial more than last time is asked."""
    run(project, via="live")
    again = requests_of(run(project, project.root / "again", via="live", trials=5))
    assert model.chats == 5
    assert [request.from_cache for request in again] == [True, True, True, False, False]


def test_another_text_is_another_request(project: Project, live: StandIn, model: JudgeModel) -> None:
    """A changed prompt finds nothing in the cache."""
    run(project, via="live")
    prompt = project.root / "prompts" / "bot" / "v1.md"
    prompt.write_text(prompt.read_text() + "Say please.\n")
    assert not any(request.from_cache for request in requests_of(run(project, project.root / "again", via="live")))
    assert model.chats == 6


def test_fresh_asks_again_and_keeps_what_it_hears(project: Project, live: StandIn, model: JudgeModel) -> None:
    """With fresh nothing is read from the cache, and the next run finds the new replies."""
    run(project, via="live")
    run(project, project.root / "fresh", via="live", fresh=True)
    assert model.chats == 6
    run(project, project.root / "again", via="live")
    assert model.chats == 6


def test_a_judges_answers_are_kept_too(project: Project, live: StandIn, model: JudgeModel) -> None:
    """A second run asks the judge nothing, not even in the judge's own test."""
    write_suite(project.root, cases=[JUDGED], trials=2)
    run(project, via="live")
    asked = len(model.questions)
    folder = run(project, project.root / "again", via="live")
    assert len(model.questions) == asked
    answers = [one for trial in RunReader(folder).trials() for one in trial.transcript.judgements]
    assert [one.answer for one in answers] == ["yes", "yes"]
    assert all(one.request.from_cache for one in answers)


def test_errors_are_never_kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose requests all failed leaves nothing behind, and the next one asks."""
    with StandIn(faults=FaultRates({"overloaded": 1.0})) as server:
        use(monkeypatch, server)
        folder = run(project, via="live", retry=RetryPolicy(retries=0))
    assert {request.failure.kind for request in requests_of(folder) if request.failure} == {"overloaded_error"}
    assert cached(project.root) == 0


def test_a_money_limit_does_not_count_what_is_free(project: Project, live: StandIn) -> None:
    """A run from the cache ends under a limit that its replies would exceed if they were paid for."""
    first = requests_of(run(project, via="live", trials=40))
    limit = sum(request.cost_usd or 0.0 for request in first) / 2
    folder = run(project, project.root / "again", via="live", trials=40, max_cost_usd=limit, jobs=1)
    end = RunReader(folder).end
    assert end is not None
    assert end.reason == "finished"


def test_a_torn_file_is_asked_again(project: Project, live: StandIn, model: JudgeModel) -> None:
    """A file of the cache that was cut off is as good as none."""
    run(project, via="live")
    for path in (project.root / CACHE).rglob("*.json"):
        path.write_bytes(path.read_bytes()[:40])
    run(project, project.root / "again", via="live")
    assert model.chats == 6


def test_the_stand_in_has_no_cache(project: Project) -> None:
    """A run that costs nothing keeps nothing."""
    run(project)
    assert cached(project.root) == 0


def test_a_kept_reply_holds_no_secret(
    project: Project, live: StandIn, model: JudgeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What looks like a key in a reply is not in the cache."""
    monkeypatch.setattr(model, "_reply", "Your order number, sk-ant-0123456789abcdef?")
    run(project, via="live")
    kept = [path.read_text() for path in (project.root / CACHE).rglob("*.json")]
    assert kept
    assert not any("0123456789abcdef" in text for text in kept)
