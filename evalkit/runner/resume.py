"""Takes up a run that was cut off: what is finished stays, what was begun goes on with the replies it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from evalkit.errors import UsageError
from evalkit.records import CaseRecord, Request, ScoreLine, Trial
from evalkit.runner.plan import Plan
from evalkit.runner.run import RunState
from evalkit.scoring import score_trial
from evalkit.store import RunReader, RunWriter


def prepare_resume(reader: RunReader, plan: Plan, writer: RunWriter) -> RunState:
    """Return where the run stands, after grading trials that ended just before the cut.

    UsageError when a suite, a case or a prompt is not what it was: half a run of each would be no run.
    """
    opened = reader.open_sessions()
    finished, ungraded, spent = set(), list[Trial](), defaultdict[str, float](float)
    for trial in reader.trials():
        finished.add(trial.transcript.session_id)
        spent[trial.key.suite] += _cost(trial.transcript.requests)
        if trial.score is None:
            ungraded.append(trial)
    for session in opened.values():
        spent[session.start.key.suite] += _cost(session.requests)
    if finished or opened:
        _refuse_changes(reader, plan)
    for prompt in reader.prompts.values():
        writer.know_prompt(prompt)
    cases = {(case.suite, case.case_id): case for case in reader.cases}
    for trial in ungraded:
        _grade(trial, cases, writer)
    return RunState(frozenset(finished), opened, dict(spent))


def _grade(trial: Trial, cases: dict[tuple[str, str], CaseRecord], writer: RunWriter) -> None:
    case = cases[trial.key.suite, trial.key.case_id]
    score = score_trial(trial.transcript, case.assertions, trial.crash)
    writer.append(ScoreLine(trial.transcript.session_id, score))


def _cost(requests: Iterable[Request]) -> float:
    """Return what requests cost with their abandoned tries, in US dollars."""
    return sum(
        (request.cost_usd or 0.0) + sum(attempt.cost_usd or 0.0 for attempt in request.attempts) for request in requests
    )


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
