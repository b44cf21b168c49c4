"""Takes up a run that was cut off: what is finished stays, what was begun goes on with the replies it has."""

from __future__ import annotations

from collections import defaultdict

from evalkit.errors import UsageError
from evalkit.records import CaseRecord, ScoreLine, Trial, TrialVerdict
from evalkit.runner.plan import Plan
from evalkit.runner.run import RunState
from evalkit.runner.spending import asides_of, cost_of_requests
from evalkit.scoring import score_trial
from evalkit.store import RunReader, RunWriter


def prepare_resume(reader: RunReader, plan: Plan, writer: RunWriter) -> RunState:
    """Return where the run stands, after grading trials that ended just before the cut.

    UsageError when a suite, a case or a prompt is not what it was: half a run of each would be no run.
    """
    opened = reader.open_sessions()
    finished, ungraded, spent = dict[str, TrialVerdict](), list[Trial](), defaultdict[str, float](float)
    for trial in reader.trials():
        said = trial.transcript
        spent[trial.key.suite] += cost_of_requests([*said.requests, *asides_of(said.simulated, said.judgements)])
        if trial.score is None:
            ungraded.append(trial)
        else:
            finished[said.session_id] = trial.score.verdict
    for session in opened.values():
        asides = asides_of(session.simulated, session.judgements)
        spent[session.start.key.suite] += cost_of_requests([*session.requests, *asides])
    if finished or ungraded or opened:
        _refuse_changes(reader, plan)
    for prompt in reader.prompts.values():
        writer.know_prompt(prompt)
    cases = {(case.suite, case.case_id): case for case in reader.cases}
    for trial in ungraded:
        finished[trial.transcript.session_id] = _grade(trial, cases, writer)
    return RunState(finished, opened, dict(spent), tuple(reader.judge_tests))


def _grade(trial: Trial, cases: dict[tuple[str, str], CaseRecord], writer: RunWriter) -> TrialVerdict:
    case = cases[trial.key.suite, trial.key.case_id]
    score = score_trial(trial.transcript, case.assertions, trial.crash)
    writer.append(ScoreLine(trial.transcript.session_id, score))
    return score.verdict


def _refuse_changes(reader: RunReader, plan: Plan) -> None:
    recorded = {suite.path: suite for suite in reader.suites}
    for suite in plan.suite_records():
        before = recorded.get(suite.path)
        if before is None or before.sha != suite.sha:
            what = suite.path
        elif before.prompt_sha != suite.prompt_sha:
            what = f"prompt {suite.prompt_ref}"
        else:
            continue
        msg = f"{what} has changed since run {reader.header.run_id} was cut off; start a new run."
        raise UsageError(msg)
