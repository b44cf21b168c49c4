"""Starts a run, takes up one that was cut off, or scores stored replies again; its folder holds everything.

A replay makes no calls and costs nothing: the same lines in a new run, graded by today's rules. Its replies are those
of a finished run, or those that are kept with the baselines.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from evalkit.baseline import replies_name
from evalkit.content import sendable
from evalkit.engine import Price
from evalkit.engine.recorder import utc_now
from evalkit.errors import NoVerdict, UsageError
from evalkit.records import (
    CaseKey,
    EndReason,
    PromptVersion,
    RunEnd,
    ScoreLine,
    Source,
    Trial,
    TrialEnd,
    TrialScore,
    TrialStart,
    TrialVerdict,
    Usage,
)
from evalkit.runner.costs import cost_of_session
from evalkit.runner.opponents import (
    OldVersions,
    Stages,
    find_opponents,
    given_in,
    recorded_opponents,
    source_of_replies,
)
from evalkit.runner.plan import BASELINE, Plan, PlannedTrial, RunSettings, make_plan
from evalkit.runner.project import Invocation, Progress, Project, new_run, tell_models, write_plan
from evalkit.runner.run import Runner, RunState
from evalkit.scoring import score_trial
from evalkit.source import LIVE, STAND_IN, describe_source, require_credential
from evalkit.store import CACHE, ResponseCache, RunReader, RunWriter, find_run, prune_cache, trial_lines


def start_run(project: Project, invocation: Invocation) -> Path:
    """Run a plan from its beginning and return the run's folder."""
    settings = invocation.settings
    if settings.via not in (LIVE, STAND_IN):
        if settings.tools:
            raise UsageError(f"--via {settings.via} scores stored replies and calls no tool; leave out --tools.")
        if settings.model:
            raise UsageError(f"--model asks a model, and --via {settings.via} asks none; leave one of them out.")
        return (replay_baselines if settings.via == BASELINE else replay_run)(project, invocation)
    require_credential(settings.via, settings.platform)
    plan = make_plan(settings, project.root)
    source = describe_source(settings.via, settings.platform)
    old = find_opponents(plan, settings, project.root, source)
    _refuse_unknown_price(plan, settings, project.price)
    tell_models(project, plan, source, old)
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
        tell_models(project, plan, describe_source(settings.via, settings.platform), recorded_opponents(reader))
        if plan.tools != reader.header.tools:
            msg = f"{settings.tools} has changed since run {reader.header.run_id} was cut off; start a new run."
            raise UsageError(msg)
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
    writer.know_blobs(reader.blobs)
    cases = {(case.record.suite, case.record.case_id): case for suite in plan.suites for case in suite.cases}
    for trial in ungraded:
        case = cases[trial.key.suite, trial.key.case_id]
        score = score_trial(trial.transcript, case.requirements, trial.crash)
        writer.append(ScoreLine(trial.transcript.session_id, score))
        finished[trial.transcript.session_id] = score.verdict
    return RunState(finished, opened, dict(spent), tuple(reader.judge_tests))


def _refuse_changes(reader: RunReader, plan: Plan) -> None:
    recorded = {suite.path: suite for suite in reader.suites}
    cases = {case.key: case for case in reader.cases}
    changed = []
    for suite in plan.suite_records():
        before = recorded.get(suite.path)
        if before is None or before.sha != suite.sha:
            changed.append(suite.path)
        elif before.template_sha != suite.template_sha:
            changed.append(f"prompt {suite.prompt_ref}")
    for _, case in plan.cases:  # a file that a case names may be another one while the suite's is the same
        record, then = case.record, cases.get(case.record.key)
        if then is None or (then.sha, then.prompt_sha) != (record.sha, record.prompt_sha):
            changed.append(f"what case {record.case_id!r} of {record.suite} is made of")
    if changed:
        raise UsageError(f"{changed[0]} has changed since run {reader.header.run_id} was cut off; start a new run.")


def _refuse_unknown_price(plan: Plan, settings: RunSettings, price: Price) -> None:
    """Refuse a money limit for a model whose price is unknown: it could not be kept."""
    for suite in plan.suites:
        limited = settings.max_cost_usd is not None or suite.gate.cost_usd is not None
        paid = (suite.judge.model,) if suite.judge else ()
        paid = (
            plan.version_of(suite.path).model,
            *paid,
            *(case.simulate.model for case in suite.cases if case.simulate),
        )
        for model in dict.fromkeys(paid) if limited else ():
            if price(model, Usage(input_tokens=1)) is None:
                msg = (
                    f"the price of {model!r} is unknown, so a cost limit can't be kept; "
                    "add it to [[tool.evalkit.prices]] in pyproject.toml or take the limit away."
                )
                raise UsageError(msg)


def replay_run(project: Project, invocation: Invocation) -> Path:
    """Score a stored run again, with the prompt versions it was made with unless others are asked for."""
    settings = invocation.settings
    folder = find_run(settings.via, project.root)
    reader = RunReader(folder)
    plan = make_plan(settings, project.root, None if settings.prompt else _stored_prompts(reader))
    plan = replace(plan, tools=reader.header.tools)
    old = find_opponents(plan, settings, project.root, source_of_replies(reader))
    return _score_again(project, invocation, _replayed(reader), (plan, old), [(plan, reader)])


def replay_baselines(project: Project, invocation: Invocation) -> Path:
    """Score the replies that are kept with the baselines; a prompt that has changed since finds none of its own."""
    plan = make_plan(invocation.settings, project.root)
    readers = {suite.path: _kept_replies(project.root, suite.path) for suite in plan.suites}
    sources = {source_of_replies(reader) for reader in readers.values()}
    if len(sources) > 1:
        msg = "the replies kept with these baselines come from several sources; name suites of one source."
        raise UsageError(msg)
    (source,) = sources
    tools = {reader.header.tools for reader in readers.values()}
    plan = replace(plan, tools=tools.pop() if len(tools) == 1 else None)
    old = find_opponents(plan, invocation.settings, project.root, source)
    parts = [
        (replace(plan, trials=tuple(trial for trial in plan.trials if trial.suite.path == path)), reader)
        for path, reader in readers.items()
    ]
    return _score_again(project, invocation, Source("replayed", BASELINE, source.kind), (plan, old), parts)


def _kept_replies(root: Path, suite: str) -> RunReader:
    path = root / replies_name(suite)
    if not path.is_file():
        msg = (
            f"{replies_name(suite)} does not exist, so no replies are kept with the baseline: evalkit bless --replies."
        )
        raise NoVerdict(msg)
    return RunReader(path.parent, path.name)


def _score_again(
    project: Project,
    invocation: Invocation,
    source: Source,
    planned: tuple[Plan, OldVersions],
    parts: Sequence[tuple[Plan, RunReader]],
) -> Path:
    """Write a run from stored replies: of each part, those that its reader has."""
    plan, old = planned
    with new_run(project, invocation, source, plan, old) as writer:
        began = datetime.now(UTC)
        reason: EndReason = "finished"
        try:
            with closing(project.progress(plan, invocation.settings)) as progress:
                for part, reader in parts:
                    _score_stored(part, reader, writer, progress)
        except KeyboardInterrupt:
            reason = "interrupted"
        elapsed = (datetime.now(UTC) - began).total_seconds()
        writer.append(RunEnd(reason, utc_now(), round(elapsed, 3)))
        return writer.folder


def _replayed(reader: RunReader) -> Source:
    """Return what a replay says of its source: the run, and where that one's replies came from."""
    before = reader.header.source
    if before.kind == "imported":
        return Source("imported", reader.header.run_id)
    if before.kind == "replayed":
        return before
    return Source("replayed", reader.header.run_id, before.kind)


def _stored_prompts(reader: RunReader) -> Callable[[CaseKey], PromptVersion]:
    """Return how to find a case's prompt version among those of a stored run; of a new case, that of another one."""
    by_case = {case.key: case.prompt_sha for case in reader.cases}
    by_suite = {suite: sha for (suite, _), sha in by_case.items()}
    only = next(iter(reader.prompts)) if len(reader.prompts) == 1 else None

    def find(case: CaseKey) -> PromptVersion:
        sha = by_case.get(case) or by_suite.get(case[0], only)
        if sha is None:
            known = ", ".join(sorted(by_suite)) or "none"
            msg = f"run {reader.header.run_id} has no replies for {case[0]}; its suites are {known}."
            raise UsageError(msg)
        return reader.prompts[sha]

    return find


def _score_stored(plan: Plan, reader: RunReader, writer: RunWriter, progress: Progress) -> None:
    """Score every planned trial from the stored ones, in the order in which those ended; holes come last.

    A stored trial belongs to a planned one of the same case id and number: of the same suite when the run knows the
    suite, of any when it does not (imported conversations). Trials that served a comparison stay where they are.
    """
    waiting = {planned.key: planned for planned in plan.trials}
    alike: dict[tuple[str, int], list[PlannedTrial]] = defaultdict(list)
    for planned in plan.trials:
        alike[planned.key.case_id, planned.key.trial].append(planned)
    known_suites = {suite.path for suite in reader.suites}
    given = given_in(reader)
    for stored in reader.trials():
        if not stored.key.is_own:
            continue
        for planned in alike[stored.key.case_id, stored.key.trial]:
            same_suite = planned.key.suite == stored.key.suite or planned.key.suite not in known_suites
            if same_suite and planned.key in waiting:
                del waiting[planned.key]
                progress.trial(planned, _replay_trial(planned, stored, writer, given))
    for planned in waiting.values():
        progress.trial(planned, _replay_trial(planned, None, writer, given))


def _replay_trial(planned: PlannedTrial, stored: Trial | None, writer: RunWriter, given: Collection[str]) -> TrialScore:
    """Write a stored trial into the new run and grade it; one that is missing or does not fit is not measured."""
    reason = _why_not(planned, stored, given)
    session_id = planned.key.session_id
    if reason or stored is None:
        writer.append(TrialStart(planned.key, session_id, planned.prompt.sha, ts=utc_now()))
        score = TrialScore(TrialVerdict.NOT_MEASURED, reason=reason)
    else:
        for line in trial_lines(planned.key, session_id, stored.transcript, utc_now()):
            writer.append(line)
        score = score_trial(stored.transcript, planned.case.requirements, stored.crash)
    writer.append(TrialEnd(session_id, stored.crash if stored else None))
    writer.append(ScoreLine(session_id, score))
    return score


def _why_not(planned: PlannedTrial, stored: Trial | None, given: Collection[str]) -> str:
    """Return why a stored trial can't stand for a planned one; `given` names inputs of the stored run's command."""
    if stored is None:
        return "the replayed run has no reply for this trial"
    if stored.transcript.prompt_sha != planned.prompt.sha:
        return f"the stored replies are for {stored.key.prompt_ref}, not for this text of {planned.prompt.ref}"
    held = planned.prompt.inputs
    asked_with = {name: value for name, value in planned.case.inputs.values.items() if name not in given}
    if other := next((name for name, value in asked_with.items() if name in held and held[name] != value), None):
        return f"the stored conversation was held with another value of the input {other!r} than the case has now"
    said = tuple(sendable(turn.said) for turn in stored.transcript.turns)
    asked = tuple(map(sendable, planned.case.messages))
    if asked and said != asked[: len(said)]:
        return "the stored conversation has other user messages than the case has now"
    if asked and len(said) < len(asked) and stored.transcript.failure is None:
        return f"the stored conversation ends after turn {len(said)} of {len(asked)}"
    return ""
