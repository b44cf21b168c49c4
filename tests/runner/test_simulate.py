"""A model plays the user: scripted on the stand-in, stopped by its goal, recorded as it spoke."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.records import Request, Transcript, Trial, TrialVerdict
from evalkit.runner import resume_run
from evalkit.runner.users import GOAL_MARK, STOP_MARK, build_user_body, read_user_message
from evalkit.standin import Cue, Reply, StandIn
from evalkit.store import RUN_FILE, RunReader
from evalkit.suites import Simulation
from tests.graders.build import said as conversation
from tests.runner.judge_model import said, use
from tests.runner.project import make_project, run

CASE: dict[str, Any] = {
    "id": "returns",
    "simulate": {"goal": "Return the coat of A-1.", "persona": "Curt.", "stand_in": ["I want to return it.", "A-1"]},
    "expect": {"says": ["good day"]},
    "stand_in": [{"say": "Good day. Which order?"}, {"say": "Done."}],
}


def only(folder: Path) -> Trial:
    """Return the one trial of a run."""
    (trial,) = RunReader(folder).trials()
    return trial


def spoken(transcript: Transcript) -> list[str]:
    """Return what the user said."""
    return [turn.user for turn in transcript.turns]


def told(trial: Trial) -> list[object]:
    """Return everything that was said in a trial, and how it was graded."""
    said_before = [(message.turn, message.text, message.ended) for message in trial.transcript.simulated]
    return [said_before, [(turn.user, turn.reply) for turn in trial.transcript.turns], trial.score]


def test_on_the_stand_in_the_user_says_what_the_case_scripts(tmp_path: Path) -> None:
    """Message by message, then the goal is reached and the conversation is graded."""
    trial = only(run(make_project(tmp_path, cases=[CASE], trials=1)))

    assert spoken(trial.transcript) == ["I want to return it.", "A-1"]
    assert [turn.reply for turn in trial.transcript.turns] == ["Good day. Which order?", "Done."]
    assert [message.ended for message in trial.transcript.simulated] == ["", "", "goal"]
    assert trial.score is not None
    assert trial.score.verdict is TrialVerdict.PASSED


def test_without_a_script_the_user_states_the_goal(tmp_path: Path) -> None:
    """One message on the stand-in: the goal itself."""
    case = {**CASE, "simulate": {"goal": "Return the coat of A-1."}}

    assert spoken(only(run(make_project(tmp_path, cases=[case], trials=1))).transcript) == ["Return the coat of A-1."]


def test_the_user_says_no_more_than_its_turns(tmp_path: Path) -> None:
    """max_turns ends the conversation whatever is still to be said."""
    case = {**CASE, "simulate": {**CASE["simulate"], "max_turns": 1}}

    assert spoken(only(run(make_project(tmp_path, cases=[case], trials=1))).transcript) == ["I want to return it."]


def test_what_the_user_costs_is_kept_apart(tmp_path: Path) -> None:
    """Its tokens and price stand in its own messages, not among the chatbot's requests."""
    transcript = only(run(make_project(tmp_path, cases=[CASE], trials=1))).transcript

    assert {request.body["model"] for request in transcript.requests} == {"claude-sonnet-5-5"}
    assert {message.request.model for message in transcript.simulated} == {"claude-haiku-5-5"}
    assert all(message.request.usage and message.request.cost_usd for message in transcript.simulated)


def test_a_simulated_run_cut_anywhere_resumes_to_the_same_conversation(tmp_path: Path) -> None:
    """Words that were said stay said: cut after each line, the conversation comes out the same."""
    project = make_project(tmp_path, cases=[CASE], trials=1)
    whole = run(project, tmp_path / "whole")
    lines = (whole / RUN_FILE).read_bytes().splitlines(keepends=True)

    for count in range(6, len(lines), 2):
        folder = tmp_path / f"cut-{count}"
        folder.mkdir()
        (folder / RUN_FILE).write_bytes(b"".join(lines[:count]))
        resume_run(project, str(folder))

        assert (folder / RUN_FILE).read_bytes().startswith(b"".join(lines[:count]))
        assert told(only(folder)) == told(only(whole)), count


def test_a_replay_keeps_what_was_said(tmp_path: Path) -> None:
    """The stored conversation is scored again, simulated messages and all."""
    project = make_project(tmp_path, cases=[CASE], trials=1)
    folder = run(project)

    again = run(project, via=str(folder))

    assert only(again).transcript.simulated == only(folder).transcript.simulated
    assert spoken(only(again).transcript) == spoken(only(folder).transcript)
    score = only(again).score
    assert score is not None
    assert score.verdict is TrialVerdict.PASSED


def test_a_user_that_fails_leaves_the_trial_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the model that plays the user refuses, the reason is told and nothing passes."""

    def answer(request: dict[str, Any], trial: int, cue: Cue) -> Reply:
        del trial, cue
        plays = "You play a user" in str(request["system"])
        return Reply((), "refusal", {"type": "refusal"}) if plays else said("Good day.")

    with StandIn(answer) as server:
        use(monkeypatch, server)
        trial = only(run(make_project(tmp_path, cases=[CASE], trials=1), via="live"))

    assert trial.score is not None
    assert trial.score.verdict is TrialVerdict.NOT_MEASURED
    assert trial.score.reason.startswith("the simulated user failed: claude-haiku-5-5 said nothing")


def test_the_model_sees_the_conversation_with_the_roles_turned() -> None:
    """What the chatbot said is what the user hears; an empty reply is told as silence."""
    simulation = Simulation("Return it.", "Curt.", 5, "m")
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]

    body = build_user_body(simulation, history, conversation("Which order?", "").turns)

    told = [(message["role"], message["content"]) for message in body["messages"]]
    assert [role for role, _ in told] == ["user", "assistant"] * 3 + ["user"]
    assert [text for _, text in told[1:]] == [
        "Hi",
        "Hello",
        "question 1",
        "Which order?",
        "question 2",
        "(The assistant said nothing.)",
    ]
    assert "Return it." in body["system"][0]["text"]
    assert "Curt." in body["system"][0]["text"]


@pytest.mark.parametrize(
    ("text", "reason", "ended", "words"),
    [
        ("My order is A-1.", "end_turn", "", "My order is A-1."),
        (GOAL_MARK, "end_turn", "goal", ""),
        (f"Thanks! {STOP_MARK}", "end_turn", "stop", ""),
        ("", "end_turn", "failed", ""),
        ("My ord", "max_tokens", "failed", ""),
    ],
)
def test_a_reply_is_a_message_an_end_or_a_failure(text: str, reason: str, ended: str, words: str) -> None:
    """Marks end the conversation; nothing at all, or half a message, is no message."""
    request = Request(1, 1, {"model": "m"}, ({"type": "text", "text": text},), reason)

    message = read_user_message(1, request)

    assert (message.ended, message.text) == (ended, words)
