"""Judges in runs: asked once and only live, tried before anything is paid, paid for apart, read again for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.analysis import analyse, summarise
from evalkit.cli.finish import read_finished
from evalkit.engine.requests import body_sha
from evalkit.errors import NoVerdict
from evalkit.gate import judge
from evalkit.graders.judge import WORDING, build_question, exhibit_id, exhibit_of
from evalkit.judging import SELF_TEST_CASES, SELF_TEST_CRITERION
from evalkit.labels import Label, append_label
from evalkit.records import UNLABELLED, Enforce, Finding, Judgement, RunVerdict, TrialVerdict
from evalkit.reporting import Screen, render_comment, render_html, render_junit, render_run, render_summary
from evalkit.runner import Project, resume_run
from evalkit.standin import StandIn
from evalkit.store import RUN_FILE, RunReader
from evalkit.suites.limits import HELPING_MODEL
from tests.runner.judge_model import Answer, JudgeModel, strict, use
from tests.runner.project import make_project, run, write_suite

CASE: dict[str, Any] = {
    "id": "asks",
    "user": "I want to return something.",
    "expect": {"tools": "none", "judge": ["Asks for the order number"]},
    "stand_in": [{"say": "What is your order number?"}],
}


def judged(folder: Path) -> list[Finding]:
    """Return what was found about the judge criteria of a run."""
    return [
        score.finding
        for trial in RunReader(folder).trials()
        for score in (trial.score.scores if trial.score else ())
        if score.assertion.kind in ("judge", "voice.judge")
    ]


def judgements(folder: Path) -> list[Judgement]:
    """Return the judges' answers of a run."""
    return [one for trial in RunReader(folder).trials() for one in trial.transcript.judgements]


def test_on_the_stand_in_a_judge_criterion_is_not_measured(tmp_path: Path) -> None:
    """Nothing is asked, the finding says so, and what else is asserted still counts."""
    folder = run(make_project(tmp_path, cases=[CASE], trials=1))

    (finding,) = judged(folder)
    assert finding.verdict is TrialVerdict.NOT_MEASURED
    assert "live runs only" in finding.note
    assert judgements(folder) == []
    (trial,) = RunReader(folder).trials()
    assert trial.score is not None
    assert trial.score.verdict is TrialVerdict.PASSED


def test_a_live_run_asks_once_for_each_criterion_and_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge's answer is stored with its quote and its price, after the judge has passed its own test."""
    model = JudgeModel(strict)
    with StandIn(model.answer) as server:
        use(monkeypatch, server)
        folder = run(make_project(tmp_path, cases=[CASE], trials=2), via="live")

    assert [finding.verdict for finding in judged(folder)] == [TrialVerdict.PASSED] * 2
    assert [(one.answer, one.quote) for one in judgements(folder)] == [("yes", "What is your order number?")] * 2
    assert all(one.request.cost_usd for one in judgements(folder))
    assert len(model.questions) == len(SELF_TEST_CASES) + 2
    assert len(RunReader(folder).judge_tests) == len(SELF_TEST_CASES)


def test_what_a_judge_was_asked_can_be_built_again_from_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stored hashes are those of the exhibit and of the body, made anew from the stored conversation."""
    with StandIn(JudgeModel(strict).answer) as server:
        use(monkeypatch, server)
        folder = run(make_project(tmp_path, cases=[CASE], trials=1), via="live")

    (trial,) = RunReader(folder).trials()
    (one,) = trial.transcript.judgements
    exhibit = exhibit_of(trial.transcript, one.turn)
    assert one.exhibit == exhibit_id(exhibit)
    assert one.request.body_sha == body_sha(build_question(one.model, one.criterion, one.turn, exhibit))


def test_scoring_again_asks_no_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay finds the stored answer; a criterion that was never asked is not measured."""
    project = make_project(tmp_path, cases=[CASE], trials=1)
    with StandIn(JudgeModel(strict).answer) as server:
        use(monkeypatch, server)
        folder = run(project, via="live")
    new = {**CASE, "expect": {"tools": "none", "judge": ["Asks for the order number", "Is short"]}}
    write_suite(tmp_path, cases=[new], trials=1)

    again = run(project, via=str(folder))

    assert [one.verdict for one in judged(again)] == [TrialVerdict.PASSED, TrialVerdict.NOT_MEASURED]
    assert judgements(again) == judgements(folder)


@pytest.mark.parametrize(("answer", "why"), [(("", "yes"), "let an empty answer pass"), ("Surely!", "gave no answer")])
def test_a_judge_that_fails_its_own_test_ends_the_run_before_it_pays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, why: str
) -> None:
    """A judge that says yes to nothing at all, or can't answer, leaves no verdict and no conversation is begun."""
    model = JudgeModel(lambda _statement, _shown: answer)
    with StandIn(model.answer) as server:
        use(monkeypatch, server)
        with pytest.raises(NoVerdict, match=why):
            run(make_project(tmp_path, cases=[CASE], trials=1), via="live")

    assert model.chats == 0


def test_votes_stop_when_one_answer_has_the_majority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three votes two equal ones decide, and the third is not paid for."""
    with StandIn(JudgeModel(strict).answer) as server:
        use(monkeypatch, server)
        folder = run(make_project(tmp_path, cases=[CASE], trials=1, judge={"votes": 3}), via="live")

    assert [one.vote for one in judgements(folder)] == [1, 2]
    assert judged(folder)[0].observed == "claude-haiku-5-5 says yes (2 of 2 votes)"


def test_a_no_is_advice_unless_it_is_enforced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge's no is counted as a warning; the trial passes by what else is asserted."""
    with StandIn(JudgeModel(lambda *_: ("", "no")).answer) as server:
        use(monkeypatch, server)
        folder = run(make_project(tmp_path, cases=[CASE], trials=1), via="live")

    (trial,) = RunReader(folder).trials()
    assert judged(folder)[0].verdict is TrialVerdict.FAILED
    assert trial.score is not None
    assert trial.score.verdict is TrialVerdict.PASSED


def test_a_cut_run_asks_only_the_judges_that_have_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut after each line in turn, a resumed run ends with the same answers and repeats none that was stored."""
    cases = [{**CASE, "expect": {"judge": ["Asks", "Is kind"]}}]
    model = JudgeModel(strict)
    with StandIn(model.answer) as server:
        use(monkeypatch, server)
        whole = run(make_project(tmp_path / "whole", cases=cases, trials=1), via="live")
        lines = (whole / RUN_FILE).read_bytes().splitlines(keepends=True)
        for count in range(1, len(lines)):
            project = make_project(tmp_path / f"cut-{count}", cases=cases, trials=1)  # its own: nothing is cached
            folder = project.root / "run"
            folder.mkdir()
            (folder / RUN_FILE).write_bytes(b"".join(lines[:count]))
            model.questions.clear()
            resume_run(project, str(folder))

            stored = sum(line.startswith(b'{"line":"judgement"') for line in lines[:count])
            finished = any(line.startswith(b'{"line":"session_end"') for line in lines[:count])
            assert [one.criterion for one in judgements(folder)] == ["Asks", "Is kind"]
            assert len(model.questions) == (0 if finished else 5 - stored), count


def test_a_judges_price_counts_against_the_cost_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose money a judge has spent stops there and is taken up later."""
    with StandIn(JudgeModel(strict).answer) as server:
        use(monkeypatch, server)
        project = make_project(tmp_path, cases=[CASE], trials=3)
        whole = run(project, via="live")
        judge = sum(one.request.cost_usd or 0 for one in judgements(whole))
        chat = sum(r.cost_usd or 0 for trial in RunReader(whole).trials() for r in trial.transcript.requests)

        folder = run(project, via="live", max_cost_usd=chat + judge / 2, jobs=1)

    end = RunReader(folder).end
    assert end is not None
    assert end.reason == "max_cost"


def enforced(root: Path, *, critical: bool = True, votes: int = 1, enforce: Enforce = True, **expect: Any) -> Project:
    """Return a project whose judge may fail trials: fifty labels agree with it, or the suite does without them."""
    for number in range(50) if enforce is True else ():
        label = Label(f"e{number}", "Asks for the order number", "yes", HELPING_MODEL, WORDING, "yes")
        append_label(root, "suites/a.labels.jsonl", label)
    case = {**CASE, "critical": critical, "expect": {**CASE["expect"], **expect}}
    return make_project(root, cases=[case], trials=1, judge={"enforce": enforce, "votes": votes})


@pytest.mark.parametrize(
    ("answers", "settings", "verdict"),
    [
        ("nyy", {}, TrialVerdict.PASSED),
        ("nyn", {}, TrialVerdict.FAILED),
        ("nn", {}, TrialVerdict.FAILED),
        ("y", {}, TrialVerdict.PASSED),
        ("nnyyy", {"votes": 3}, TrialVerdict.PASSED),
        ("nnn", {"votes": 3}, TrialVerdict.FAILED),
        ("nynyy", {"votes": 3}, TrialVerdict.PASSED),
        ("nyy", {"enforce": UNLABELLED}, TrialVerdict.PASSED),
        ("nyn", {"enforce": UNLABELLED}, TrialVerdict.FAILED),
    ],
)
def test_a_critical_trial_that_only_a_judge_fails_is_judged_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: str,
    settings: dict[str, Any],
    verdict: TrialVerdict,
) -> None:
    """The same reply is judged twice more than usual, the majority of all decides, and a replay reads the same."""
    left = [*answers]

    def judge(statement: str, shown: str) -> Answer:
        if statement == SELF_TEST_CRITERION:
            return "", "no"
        return strict(statement, shown) if left.pop(0) == "y" else ("", "no")

    project = enforced(tmp_path, **settings)
    with StandIn(JudgeModel(judge).answer) as server:
        use(monkeypatch, server)
        folder = run(project, via="live")
    (trial,) = RunReader(folder).trials()
    (again,) = RunReader(run(project, via=str(folder))).trials()

    assert trial.score is not None
    assert again.score is not None
    assert [one.vote for one in judgements(folder)] == list(range(1, len(answers) + 1))
    assert left == []
    assert trial.score.verdict is again.score.verdict is verdict


def test_every_verdict_says_that_a_judge_gates_without_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terminal, page, comment, JUnit and summary.json, also of a run in which the judge failed nothing."""
    with StandIn(JudgeModel(strict).answer) as server:
        use(monkeypatch, server)
        reader = RunReader(run(enforced(tmp_path, enforce=UNLABELLED), via="live"))
    finished = read_finished(reader)
    page = tmp_path / "page.html"
    render_html(finished.summary, finished.gate, reader.trials(), page)

    told = "udged without labels: a no of claude-haiku-5-5 fails trials in suites/a.yaml"
    assert finished.gate.verdict is RunVerdict.PASSED
    assert told in finished.gate.sentence
    assert told in render_run(finished.summary, finished.gate, {}, screen=Screen(200))
    assert told in page.read_text("utf-8").partition('class="paste"')[0]
    assert told in render_comment(finished).replace("\\", "")
    junit = render_junit(finished.summary, finished.gate, {}).decode()
    assert '<property name="unlabelled_judge" value="claude-haiku-5-5"' in junit
    assert told in junit
    published = json.loads(render_summary(finished.summary, finished.gate))
    assert published["suites"][0]["unlabelled_judge"] == "claude-haiku-5-5"


@pytest.mark.parametrize("changes", [{"critical": False}, {"never_says": ["order number"]}])
def test_no_recount_where_it_could_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """A case that is not critical has its trials; what a rule has failed no judge can save."""
    with StandIn(JudgeModel(lambda *_: ("", "no")).answer) as server:
        use(monkeypatch, server)
        folder = run(enforced(tmp_path, **changes), via="live")

    (trial,) = RunReader(folder).trials()
    assert trial.score is not None
    assert trial.score.verdict is TrialVerdict.FAILED
    assert len(judgements(folder)) == 1


def test_a_cut_recount_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut after each vote, a resumed run casts the votes that are missing and comes to the same verdict."""
    asked: list[str] = []

    def judge(statement: str, shown: str) -> Answer:
        if statement == SELF_TEST_CRITERION:
            return "", "no"
        asked.append(statement)
        return strict(statement, shown) if len(asked) > 1 else ("", "no")

    with StandIn(JudgeModel(judge).answer) as server:
        use(monkeypatch, server)
        whole = run(enforced(tmp_path / "whole"), via="live")
        lines = (whole / RUN_FILE).read_bytes().splitlines(keepends=True)
        votes = [
            n for n, line in enumerate(lines, 1) if b'"line":"judgement"' in line and b'"session_id":""' not in line
        ]
        for number, count in enumerate(votes, 1):
            project = enforced(tmp_path / f"cut-{count}")
            folder = project.root / "run"
            folder.mkdir()
            (folder / RUN_FILE).write_bytes(b"".join(lines[:count]))
            asked[:] = ["before"] * number
            resume_run(project, str(folder))

            (trial,) = RunReader(folder).trials()
            assert trial.score is not None
            assert trial.score.verdict is TrialVerdict.PASSED
            assert [one.answer for one in judgements(folder)] == ["no", "yes", "yes"]


def test_brand_voice_is_judged_reply_by_reply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A voice rule of kind judge is asked about each turn's reply, with what was said before it."""
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "voice.yaml").write_text("rules: [{id: first, extends: judge, message: Answers first}]\n")
    case = {"id": "two", "turns": [{"user": "Hello"}, {"user": "And now?"}]}
    model = JudgeModel(strict)
    with StandIn(model.answer) as server:
        use(monkeypatch, server)
        folder = run(make_project(tmp_path, cases=[case], trials=1, voice="voice.yaml"), via="live")

    assert [(one.criterion, one.turn) for one in judgements(folder)] == [("Answers first", 1), ("Answers first", 2)]
    assert "And now?" not in model.questions[3]
    assert "And now?" in model.questions[4]


def test_judges_have_a_price_line_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The conversations' cost is without the judge's; the suite's cost, which is limited, is with it."""
    with StandIn(JudgeModel(strict).answer) as server:
        use(monkeypatch, server)
        folder = run(make_project(tmp_path, cases=[CASE], trials=2), via="live")

    reader = RunReader(folder)
    summary = summarise(reader)
    chat = sum(r.cost_usd or 0 for trial in reader.trials() for r in trial.transcript.requests)
    votes = sum(one.request.cost_usd or 0 for one in judgements(folder))
    tests = sum(one.request.cost_usd or 0 for one in reader.judge_tests)
    (side,) = summary.side_money
    assert summary.money.cost_usd == pytest.approx(chat)
    assert (side.purpose, side.cost_usd) == ("judge", pytest.approx(votes + tests))
    assert summary.suites[0].cost_usd == pytest.approx(chat + votes)


def test_reports_show_each_criterion_with_what_people_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers, labels, agreement, kappa and base rates stand in the terminal, the page and summary.json."""
    with StandIn(JudgeModel(strict).answer) as server:
        use(monkeypatch, server)
        folder = run(make_project(tmp_path, cases=[CASE], trials=2), via="live")
    (one, _) = judgements(folder)
    label = Label(one.exhibit, one.criterion, "no", one.model, one.wording, "yes")

    reader = RunReader(folder)
    summary = analyse(reader, {"suites/a.yaml": [label]}).summary
    gate = judge(summary)
    page = tmp_path / "page.html"
    render_html(summary, gate, reader.trials(), page)

    said = "1 label, agreement 0.00, kappa 0.00 (0.00 to 0.00), people say yes to 0 %, the judge to 100 %: advice only"
    text = render_run(summary, gate, {}, screen=Screen(200))
    assert f"Asks for the order number: 2 yes, 0 no; {said}" in text
    assert "judge: $" in text
    assert said in page.read_text("utf-8")
    assert json.loads(render_summary(summary, gate))["criteria"][0]["agreement"]["labels"] == 1


def test_reports_correct_a_judges_pass_rate_by_the_labels_on_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raw rate, corrected rate, interval and counts stand in the terminal, the page and summary.json."""
    cases = [{**CASE, "id": f"asks-{n}", "user": f"I want to return order {n}."} for n in range(12)]
    with StandIn(JudgeModel(strict).answer) as server:
        use(monkeypatch, server)
        folder = run(make_project(tmp_path, cases=cases, trials=1), via="live")
    said = [Label(one.exhibit, one.criterion, "no", one.model, one.wording, "yes") for one in judgements(folder)[:10]]

    reader = RunReader(folder)
    summary = analyse(reader, {"suites/a.yaml": said}).summary
    gate = judge(summary)
    page = tmp_path / "page.html"
    render_html(summary, gate, reader.trials(), page)

    told = "pass rate of 12 answers: 100 % by the judge, 0 % (0 % to "
    assert told in render_run(summary, gate, {}, screen=Screen(400))
    assert told in page.read_text("utf-8")
    published = json.loads(render_summary(summary, gate))["criteria"][0]["rate"]
    assert (published["answers"], published["yes"], published["labels"], published["corrected"]) == (12, 12, 10, 0)
