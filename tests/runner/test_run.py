"""Runs on the stand-in, over real sockets: what is played, recorded, limited and graded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.errors import FileProblems, NothingSelected, UsageError
from evalkit.records import Trial, TrialVerdict, Usage
from evalkit.runner import failed_last_time
from evalkit.store import RunReader
from tests.runner.project import SUITE, make_project, run, trials_of, write_suite

GREETS, LOOKS_UP = SUITE["cases"]


def verdicts(folder: Path) -> dict[tuple[str, int], TrialVerdict | None]:
    """Return the verdict of every finished trial."""
    return {key: trial.score.verdict if trial.score else None for key, trial in trials_of(folder).items()}


def only(folder: Path) -> Trial:
    """Return the one trial of a run."""
    (trial,) = RunReader(folder).trials()
    return trial


def test_every_case_is_played_as_often_as_its_trials_say(tmp_path: Path) -> None:
    """Each trial ends graded, and the run ends finished."""
    folder = run(make_project(tmp_path))

    assert set(verdicts(folder).values()) == {TrialVerdict.PASSED}
    assert len(verdicts(folder)) == 4
    end = RunReader(folder).end
    assert end is not None
    assert end.reason == "finished"


def test_tools_answer_from_fixtures_in_a_real_tool_loop(tmp_path: Path) -> None:
    """A call is answered by the first fixture that fits, and the result says where it stands."""
    trial = trials_of(run(make_project(tmp_path)))["looks-up", 1]

    (call,) = trial.transcript.turns[0].tool_calls
    assert (call.output, call.is_error) == ('{"status":"sent"}', False)
    assert call.origin.startswith("suites/a.yaml:")
    assert [turn.reply for turn in trial.transcript.turns] == ["It was sent.", "You are welcome."]


def test_a_fixture_that_is_used_up_lets_the_next_one_answer(tmp_path: Path) -> None:
    """`times: 1` fails once and then works, anew in every trial."""
    fixtures = [{"error": "timeout", "times": 1}, {"returns": "sent"}]
    steps = [{"call": "lookup", "input": {"id": "A-1"}}, {"call": "lookup", "input": {"id": "A-1"}}, {"say": "Sent."}]
    case = {"id": "once", "user": "Where is A-1?", "stand_in": steps, "expect": {"says": ["sent"]}}

    for trial in trials_of(run(make_project(tmp_path, tools={"lookup": fixtures}, cases=[case]))).values():
        calls = trial.transcript.turns[0].tool_calls
        assert [(call.output, call.is_error) for call in calls] == [("timeout", True), ("sent", False)]


def test_one_request_warms_the_prompt_cache_for_all_others(tmp_path: Path) -> None:
    """Of many trials at once exactly one writes the shared prefix; the others read it."""
    trials = trials_of(run(make_project(tmp_path), trials=6, jobs=12)).values()

    firsts = [trial.transcript.requests[0].usage for trial in trials]
    assert sum(usage is not None and usage.cache_read_input_tokens == 0 for usage in firsts) == 1


def test_the_cost_limit_stops_before_more_is_spent(tmp_path: Path) -> None:
    """Trials that would not fit under --max-cost are not started; finished ones are kept."""
    project = make_project(tmp_path)
    whole = run(project, trials=8)
    cost = sum(request.cost_usd or 0 for trial in RunReader(whole).trials() for request in trial.transcript.requests)

    folder = run(project, trials=8, max_cost_usd=cost / 2, jobs=1)

    spent = sum(request.cost_usd or 0 for trial in RunReader(folder).trials() for request in trial.transcript.requests)
    end = RunReader(folder).end
    assert end is not None
    assert (end.reason, len(end.notes)) == ("max_cost", 1)
    assert 0 < spent <= cost / 2
    assert set(verdicts(folder).values()) == {TrialVerdict.PASSED}


def test_the_suites_own_cost_limit_holds_for_that_suite_only(tmp_path: Path) -> None:
    """gate.cost_usd stops its suite and no other."""
    project = make_project(tmp_path, gate={"cost_usd": 0.0000001})
    write_suite(tmp_path, "b")

    trials = list(RunReader(run(project)).trials())

    assert {trial.key.suite for trial in trials} == {"suites/b.yaml"}


def test_the_time_limit_ends_the_run_and_keeps_what_is_done(tmp_path: Path) -> None:
    """--max-time stops a trial that hangs; its lines stay and can be resumed."""
    slow = [{"returns": "sent", "delay_ms": 10_000}]
    project = make_project(tmp_path, tools={"lookup": slow})

    folder = run(project, max_time_s=2, trials=1)

    reader = RunReader(folder)
    assert reader.end is not None
    assert reader.end.reason == "max_time"
    assert set(verdicts(folder)) == {("greets", 1)}
    assert [session.start.key.case_id for session in reader.open_sessions().values()] == ["looks-up"]


def test_a_broken_reply_is_not_measured_and_disturbs_no_other_trial(tmp_path: Path) -> None:
    """A lasting fault ends its own trial with the reason; the others pass."""
    broken = {**GREETS, "id": "broken", "stand_in": [{"fault": "bad_request"}]}

    folder = run(make_project(tmp_path, cases=[broken, GREETS]), trials=1)

    trials = trials_of(folder)
    assert verdicts(folder) == {("broken", 1): TrialVerdict.NOT_MEASURED, ("greets", 1): TrialVerdict.PASSED}
    score = trials["broken", 1].score
    assert score is not None
    assert "invalid_request_error" in score.reason


def test_a_passing_fault_is_tried_again_and_recorded(tmp_path: Path) -> None:
    """A retry leaves a trace: what failed and how long was waited, apart from the latency."""
    shaky = {**GREETS, "stand_in": [{"fault": "overloaded_mid_stream", "times": 1}]}
    shaky["expect"] = {"never_says": ["zebra"]}

    (request,) = only(run(make_project(tmp_path, cases=[shaky]), trials=1)).transcript.requests

    (attempt,) = request.attempts
    assert (attempt.failure.kind, attempt.failure.mid_stream) == ("overloaded_error", True)
    assert request.waited_ms == attempt.waited_ms > 0
    assert request.failure is None


def test_what_evalkit_itself_breaks_is_recorded_as_its_own_fault(tmp_path: Path) -> None:
    """A bug in one trial is named in the record and never reads as a verdict on the prompt."""

    def broken_price(model: str, usage: Usage) -> float:
        return 1 / (1 - bool(usage.ephemeral_5m_input_tokens))

    project = replace(make_project(tmp_path, cases=[GREETS]), price=broken_price)

    trial = only(run(project, trials=1))

    assert trial.crash == "ZeroDivisionError: division by zero"
    assert trial.score is not None
    assert trial.score.verdict is TrialVerdict.NOT_MEASURED


def test_history_comes_before_the_first_message(tmp_path: Path) -> None:
    """A case cut out of a longer conversation starts from its messages."""
    history = [{"user": "Hi"}, {"assistant": "Hello, how can I help?"}]
    case = {**GREETS, "history": history}

    (request,) = only(run(make_project(tmp_path, cases=[case]), trials=1)).transcript.requests

    assert [message["role"] for message in request.body["messages"]] == ["user", "assistant", "user"]
    assert request.content[0]["text"] == "Good day to you."


@pytest.mark.parametrize(
    ("settings", "cases"),
    [
        ({"keyword": "GREE"}, {"greets"}),
        ({"tags": ("fast",)}, {"looks-up"}),
        ({"targets": ("suites/a.yaml::looks-up",)}, {"looks-up"}),
        ({"targets": ("suites/a.yaml",)}, {"greets", "looks-up"}),
        ({"last_failed": ("suites/a.yaml::greets",)}, {"greets"}),
    ],
)
def test_selections_pick_cases_by_id(tmp_path: Path, settings: dict[str, object], cases: set[str]) -> None:
    """-k, -t, suite::case and --lf choose cases."""
    project = make_project(tmp_path, cases=[GREETS, {**LOOKS_UP, "tags": ["fast"]}])

    assert {case_id for case_id, _ in verdicts(run(project, trials=1, **settings))} == cases


def test_an_empty_selection_runs_nothing_and_says_so(tmp_path: Path) -> None:
    """Nothing selected is an error of its own, never an empty green run."""
    with pytest.raises(NothingSelected, match="no case matches"):
        run(make_project(tmp_path), keyword="nothing-like-this")
    assert not list(tmp_path.glob("reports/*"))


def test_a_skipped_case_is_listed_and_not_played(tmp_path: Path) -> None:
    """`skip` keeps the case in the record with its reason."""
    folder = run(make_project(tmp_path, cases=[GREETS, {**LOOKS_UP, "skip": "later"}]))

    assert [(case.case_id, case.skip) for case in RunReader(folder).cases] == [("greets", None), ("looks-up", "later")]
    assert {case_id for case_id, _ in verdicts(folder)} == {"greets"}


def test_more_trials_keep_the_share_that_must_pass(tmp_path: Path) -> None:
    """--trials scales min_pass up with it."""
    (case, *_) = RunReader(run(make_project(tmp_path, trials=3, min_pass=2), trials=6)).cases

    assert (case.trials, case.min_pass) == (6, 4)


def test_every_problem_of_every_file_is_listed_before_anything_runs(tmp_path: Path) -> None:
    """A wrong suite costs nothing."""
    project = make_project(tmp_path, cases=[{**GREETS, "expct": {}}, {**LOOKS_UP, "tools": {"lokup": []}}])

    with pytest.raises(FileProblems) as caught:
        run(project)
    assert len(caught.value.problems) >= 2
    assert not list(tmp_path.glob("reports/*"))


def test_a_live_run_without_a_key_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no run, nothing written."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(UsageError, match="set ANTHROPIC_API_KEY"):
        run(make_project(tmp_path), via="live")
    assert not list(tmp_path.glob("reports/*"))


def test_a_cost_limit_for_a_model_without_a_price_is_refused(tmp_path: Path) -> None:
    """A limit that can't be kept is not pretended to be."""
    project = make_project(tmp_path)
    prompt = tmp_path / "prompts/bot/v1.md"
    prompt.write_text(prompt.read_text().replace("claude-sonnet-5-5", "claude-unheard-of-9"))

    with pytest.raises(UsageError, match="the price of 'claude-unheard-of-9' is unknown"):
        run(project, max_cost_usd=1.0)


def test_last_failed_names_what_did_not_pass(tmp_path: Path) -> None:
    """--lf takes failed and unmeasured cases, by id."""
    wrong = {**GREETS, "id": "wrong", "expect": {"says": ["farewell"]}}
    run(make_project(tmp_path, cases=[wrong, GREETS, {**GREETS, "id": "off", "stand_in": [{"fault": "bad_request"}]}]))

    assert set(failed_last_time(tmp_path)) == {"suites/a.yaml::wrong", "suites/a.yaml::off"}
