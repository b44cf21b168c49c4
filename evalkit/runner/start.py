"""Starts, resumes or replays a run and leaves its folder behind; everything else is read from there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from evalkit.baseline import replies_name
from evalkit.engine import Price
from evalkit.errors import NoVerdict, UsageError
from evalkit.records import BaselineRecord, CaseRecord, EndReason, PromptVersion, RunEnd, Source, SuiteRecord, Usage
from evalkit.runner.header import make_header, utc_now
from evalkit.runner.opponents import OldVersions, find_opponents, recorded_opponents, source_of_replies
from evalkit.runner.plan import Plan, make_plan
from evalkit.runner.project import Asked, Project
from evalkit.runner.replay import replay
from evalkit.runner.resume import prepare_resume
from evalkit.runner.run import Runner, RunState
from evalkit.runner.settings import BASELINE, RunSettings
from evalkit.runner.staged import Stages
from evalkit.source import LIVE, STAND_IN, describe_source, require_credential
from evalkit.store import CACHE, RUN_FILE, ResponseCache, RunReader, RunWriter, find_run, new_run_id, prune_cache
from evalkit.suites import Suite


def start_run(project: Project, asked: Asked) -> Path:
    """Run a plan from its beginning and return the run's folder."""
    settings = asked.settings
    if settings.via == BASELINE:
        return _replay_baselines(project, asked)
    if settings.via not in (LIVE, STAND_IN):
        return _replay_run(project, asked)
    require_credential(settings.via, settings.platform)
    plan = make_plan(settings, project.root)
    source = describe_source(settings.via, settings.platform)
    old = find_opponents(plan, settings, project.root, source)
    _refuse_unknown_price(plan, settings, project.price)
    with _new_run(project, asked, source, plan, old) as writer:
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
        _write_plan(writer, plan, OldVersions(), reader)
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
            now=utc_now,
            progress=progress,
            stages=stages,
            state=state,
            cache=cache,
        )
        asyncio.run(runner.run())
    if cache is not None:
        prune_cache(project.root / CACHE, time.time())


def _replay_run(project: Project, asked: Asked) -> Path:
    """Score a stored run again, with the prompt versions it was made with unless others are asked for."""
    settings = asked.settings
    folder = find_run(settings.via, project.root)
    reader = RunReader(folder)
    plan = make_plan(settings, project.root, None if settings.prompt else _stored_prompts(reader))
    old = find_opponents(plan, settings, project.root, source_of_replies(reader))
    return _score_again(project, asked, _replayed(reader), (plan, old), [(plan, reader)])


def _replay_baselines(project: Project, asked: Asked) -> Path:
    """Score the replies that are kept with the baselines; a prompt that has changed since finds none of its own."""
    plan = make_plan(asked.settings, project.root)
    readers = {suite.path: _kept_replies(project.root, suite.path) for suite in plan.suites}
    sources = {source_of_replies(reader) for reader in readers.values()}
    if len(sources) > 1:
        msg = "the replies kept with these baselines come from several sources; name suites of one source."
        raise UsageError(msg)
    (source,) = sources
    old = find_opponents(plan, asked.settings, project.root, source)
    parts = [
        (replace(plan, trials=tuple(trial for trial in plan.trials if trial.suite.path == path)), reader)
        for path, reader in readers.items()
    ]
    return _score_again(project, asked, Source("replayed", f"{BASELINE} ({source.kind})"), (plan, old), parts)


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
    asked: Asked,
    source: Source,
    planned: tuple[Plan, OldVersions],
    parts: Sequence[tuple[Plan, RunReader]],
) -> Path:
    """Write a run from stored replies: of each part, those that its reader has."""
    plan, old = planned
    with _new_run(project, asked, source, plan, old) as writer:
        began = datetime.now(UTC)
        reason: EndReason = "finished"
        try:
            with closing(project.progress(plan, asked.settings)) as progress:
                for part, reader in parts:
                    replay(part, reader, writer, utc_now, progress)
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
    origin = before.detail if before.kind == "replayed" else f"{reader.header.run_id} ({before.kind})"
    return Source("replayed", origin)


def _stored_prompts(reader: RunReader) -> Callable[[str], PromptVersion]:
    """Return how to find a suite's prompt version among those of a stored run."""
    by_suite = {suite.path: suite.prompt_sha for suite in reader.suites}
    only = next(iter(reader.prompts)) if len(reader.prompts) == 1 else None

    def find(suite: str) -> PromptVersion:
        sha = by_suite.get(suite, only)
        if sha is None:
            known = ", ".join(sorted(by_suite)) or "none"
            msg = f"run {reader.header.run_id} has no replies for {suite}; its suites are {known}."
            raise UsageError(msg)
        return reader.prompts[sha]

    return find


def _new_run(project: Project, asked: Asked, source: Source, plan: Plan, old: OldVersions) -> RunWriter:
    """Make the run's folder and write what is known before the first trial."""
    run_id = new_run_id(datetime.now(UTC))
    folder = asked.out or project.root / "reports" / run_id
    if (folder / RUN_FILE).exists():
        msg = f"{folder} holds a run already; choose another folder for --out, or resume it with --resume."
        raise UsageError(msg)
    writer = RunWriter(folder)
    writer.append(make_header(run_id, source, project, asked))
    _write_plan(writer, plan, old)
    return writer


def _write_plan(writer: RunWriter, plan: Plan, old: OldVersions, known: RunReader | None = None) -> None:
    """Write prompts, suites, baselines and cases, except those that an interrupted run has written already."""
    of_cases = (prompt for prompt in old.of_cases.values() if prompt is not None)
    prompts = {prompt.sha: prompt for prompt in (*plan.prompts.values(), *old.prompts.values(), *of_cases)}
    lines: list[PromptVersion | SuiteRecord | BaselineRecord | CaseRecord] = [
        *(prompt for sha, prompt in prompts.items() if known is None or sha not in known.prompts),
        *(suite for suite in plan.suite_records() if known is None or suite not in known.suites),
        *old.baselines,
    ]
    seen = {(case.suite, case.case_id) for case in known.cases} if known else set()
    lines.extend(case.record for _, case in plan.cases if (case.record.suite, case.record.case_id) not in seen)
    for line in lines:
        writer.append(line)


def _refuse_unknown_price(plan: Plan, settings: RunSettings, price: Price) -> None:
    """Refuse a money limit for a model whose price is unknown: it could not be kept."""
    for suite in plan.suites:
        limited = settings.max_cost_usd is not None or suite.gate.cost_usd is not None
        for model in _models(plan, suite) if limited else ():
            if price(model, Usage(input_tokens=1)) is None:
                msg = (
                    f"the price of {model!r} is unknown, so a cost limit can't be kept; "
                    "add it to [[tool.evalkit.prices]] in pyproject.toml or take the limit away."
                )
                raise UsageError(msg)


def _models(plan: Plan, suite: Suite) -> tuple[str, ...]:
    """Return every model that a suite's trials are going to pay for."""
    judge = (suite.judge.model,) if suite.judge else ()
    users = (case.simulate.model for case in suite.cases if case.simulate)
    return tuple(dict.fromkeys((plan.prompts[suite.path].model, *judge, *users)))
