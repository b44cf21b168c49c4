"""The sample's long conversation under three memories: what is recalled, what it costs, what the cache serves."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from evalkit.pricing import price_with
from evalkit.records import Trial, TrialVerdict
from evalkit.runner import Project, resume_run
from evalkit.store import RUN_FILE
from tests.runner.project import Silent, make_project, run, trials_of
from tests.runner.test_resume import sessions

ROOT = Path(__file__).parents[2]
LONG = "recalls-early-facts-after-an-hour"


@cache
def played(version: str) -> dict[str, Trial]:
    """Play the sample suite once with a version of its prompt; give its trials by case."""
    project = Project(ROOT, price_with(), Silent)
    asked = {"targets": ("suites/memory.yaml",), "prompt": f"planner@{version}", "trials": 1}
    with TemporaryDirectory() as name:
        folder = run(project, Path(name) / "run", **asked)
        return {case_id: trial for (case_id, _), trial in trials_of(folder).items()}


def verdicts(version: str) -> dict[str, TrialVerdict]:
    """Return each case's verdict."""
    return {case_id: trial.score.verdict for case_id, trial in played(version).items() if trial.score}


def test_notes_remember_what_a_window_forgets() -> None:
    """With a summary every case passes, wherever it stands; with a window of twelve turns only the long one fails."""
    assert len(played("v2")[LONG].transcript.turns) >= 60
    assert set(verdicts("v2").values()) == set(verdicts("v3").values()) == {TrialVerdict.PASSED}
    assert [case for case, verdict in verdicts("v1").items() if verdict is TrialVerdict.FAILED] == [LONG]


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_a_memory_bounds_every_request(version: str) -> None:
    """The last requests are no longer than the middle ones, however long the conversation gets."""
    sizes = [request.usage.prompt_tokens for request in played(version)[LONG].transcript.requests if request.usage]

    assert max(sizes[40:]) <= 1.2 * max(sizes[:40])


def test_rare_folds_keep_the_cache_and_cost_less_than_a_sliding_window() -> None:
    """Over 95 % of the input of a folded conversation is read from the cache, and its bill is the smaller one.

    Where the notes stand changes neither by a hundredth.
    """
    shares, costs = {}, {}
    for version in ("v1", "v2", "v3"):
        requests = played(version)[LONG].transcript.requests
        usages = [request.usage for request in requests if request.usage]
        read = sum(usage.cache_read_input_tokens for usage in usages)
        shares[version] = read / sum(usage.prompt_tokens for usage in usages)
        costs[version] = sum(request.cost_usd or 0.0 for request in requests)

    assert shares["v2"] > 0.95
    assert shares["v1"] < 0.8
    assert costs["v2"] < costs["v1"]
    assert shares["v3"] == pytest.approx(shares["v2"], abs=0.01)
    assert costs["v3"] == pytest.approx(costs["v2"], rel=0.01)


def test_summaries_are_requests_of_the_session() -> None:
    """They are recorded with their price, read nearly all from the cache, and no grader takes them for a reply."""
    transcript = played("v2")[LONG].transcript
    summaries = [request for request in transcript.requests if request.purpose == "summary"]

    assert len(summaries) == 2
    for request in summaries:
        assert request.usage is not None
        assert request.usage.cache_read_input_tokens > 0.8 * request.usage.prompt_tokens
        assert request.cost_usd
        assert str(request.content[0]["text"]) not in transcript.turns[request.turn - 1].reply


@pytest.mark.parametrize("place", ["messages", "system"])
def test_a_conversation_with_memory_resumes_to_the_same_records(tmp_path: Path, place: str) -> None:
    """A run that is cut between or inside folds goes on with the same bytes, and no summary is paid for twice."""
    turns = [{"user": f"My number {n} is {n * 111}."} for n in range(12)]
    case = {"id": "long", "turns": [*turns, {"user": "What is my number 2?"}]}
    project = make_project(tmp_path, cases=[case], trials=1, min_pass=1)
    prompt = tmp_path / "prompts" / "bot" / "v1.md"
    memory = f"memory: {{summary: {{above_tokens: 1200, keep_turns: 2, tokens: 200, in: {place}}}}}"
    prompt.write_text(prompt.read_text().replace("cache: 5m\n", f"cache: 5m\n{memory}\n"))
    whole = run(project, tmp_path / "whole")
    data = (whole / RUN_FILE).read_bytes()
    expected = sessions(whole)
    assert b'"purpose":"summary"' in data

    for cut in Random(3).sample(range(data.index(b"\n") + 1, len(data)), 4):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        (folder / RUN_FILE).write_bytes(data[:cut])
        resume_run(project, str(folder))
        assert sessions(folder) == expected
