"""Starts a run, or takes up one that was cut off, and leaves its folder behind; everything else is read from there."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

from evalkit.engine import Price
from evalkit.errors import UsageError
from evalkit.records import ScoreLine, Trial, TrialVerdict, Usage
from evalkit.runner.costs import cost_of_session
from evalkit.runner.opponents import OldVersions, find_opponents, recorded_opponents
from evalkit.runner.plan import Plan, make_plan
from evalkit.runner.project import Invocation, Project, new_run, write_plan
from evalkit.runner.replay import replay_baselines, replay_run
from evalkit.runner.run import Runner, RunState
from evalkit.runner.settings import BASELINE, RunSettings
from evalkit.runner.staged import Stages
from evalkit.scoring import score_trial
from evalkit.source import LIVE, STAND_IN, describe_source, require_credential
from evalkit.store import CACHE, ResponseCache, RunReader, RunWriter, find_run, prune_cache


def start_run(project: Project, invocation: Invocation) -> Path:
    """Run a plan from its beginning and return the run's folder."""
    settings = invocation.settings
    if settings.via == BASELINE:
        return replay_baselines(project, invocation)
    if settings.via not in (LIVE, STAND_IN):
        return replay_run(project, invocation)
    require_credential(settings.via, settings.platform)
    plan = make_plan(settings, project.root)
    source = describe_source(settings.via, settings.platform)
    old = find_opponents(plan, settings, project.root, source)
    _refuse_unknown_price(plan, settings, project.price)
    with new_run(project, invocation, source, plan, old) as writer:
        _play(project, settings, plan, writer, stages=Stages(plan, old))
        return writer.folder


def resume_run(project: Project, name: str) -> Path:
    """Take up a run that was cut off, with the settings it was started with, and return its folder."""
    folder = find_run(name, project.root)
    with RunWriter(folder) as writer:
        reader = RunReader(folder)
        settings = RunSettings.from_json(reader.header.settings)
        if reader.header.source.kind not in (LIVE, STAND_IN):
            msg = f"run {reader.header.run_id} made no calls; there is nothing to resume."
            raise UsageError(msg)
        require_credential(settings.via, settings.platform)
        plan = make_plan(settings, project.root)
        write_plan(writer, plan, OldVersions(), reader)
        state = prepare_resume(reader, plan, writer)
        stages = Stages(plan, recorded_opponents(reader), state.finished)
        _play(project, settings, plan, writer, stages=stages, state=state)
    return folder


def _play(
    project: Project,
    settings: RunSettings,
    plan: Plan,
    writer: RunWriter,
    *,
    stages: Stages,
    state: RunState | None = None,
) -> None:
    cache = ResponseCache(project.root / CACHE, fresh=settings.fresh) if settings.via == LIVE else None
    with closing(project.progress(plan, settings)) as progress:
        runner = Runner(
            plan,
            settings,
            writer,
            price=project.price,
            progress=progress,
            stages=stages,
            state=state,
            cache=cache,
        )
        asyncio.run(runner.run())
    if cache is not None:
        prune_cache(project.root / CACHE, time.time())


def prepare_resume(reader: RunReader, plan: Plan, writer: RunWriter) -> RunState:
    """Return where the run stands, after grading trials that ended just before the cut.

    UsageError when a suite, a case or a prompt is not what it was: half a run of each would be no run.
    """
    opened = reader.open_sessions()
    finished, ungraded, spent = dict[str, TrialVerdict](), list[Trial](), defaultdict[str, float](float)
    for trial in reader.trials():
        spent[trial.key.suite] += cost_of_session(trial.transcript)
        if trial.score is None:
            ungraded.append(trial)
        else:
            finished[trial.transcript.session_id] = trial.score.verdict
    for session in opened.values():
        spent[session.start.key.suite] += cost_of_session(session)
    if finished or ungraded or opened:
        _refuse_changes(reader, plan)
    for prompt in reader.prompts.values():
        writer.know_prompt(prompt)
    cases = {(case.record.suite, case.record.case_id): case for suite in plan.suites for case in suite.cases}
    for trial in ungraded:
        case = cases[trial.key.suite, trial.key.case_id]
        score = score_trial(trial.transcript, case.requirements, trial.crash)
        writer.append(ScoreLine(trial.transcript.session_id, score))
        finished[trial.transcript.session_id] = score.verdict
    return RunState(finished, opened, dict(spent), tuple(reader.judge_tests))


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


def _refuse_unknown_price(plan: Plan, settings: RunSettings, price: Price) -> None:
    """Refuse a money limit for a model whose price is unknown: it could not be kept."""
    for suite in plan.suites:
        limited = settings.max_cost_usd is not None or suite.gate.cost_usd is not None
        paid = (suite.judge.model,) if suite.judge else ()
        paid = (plan.prompts[suite.path].model, *paid, *(case.simulate.model for case in suite.cases if case.simulate))
        for model in dict.fromkeys(paid) if limited else ():
            if price(model, Usage(input_tokens=1)) is None:
                msg = (
                    f"the price of {model!r} is unknown, so a cost limit can't be kept; "
                    "add it to [[tool.evalkit.prices]] in pyproject.toml or take the limit away."
                )
                raise UsageError(msg)
