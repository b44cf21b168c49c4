"""Baselines from a finished run: are its trials of one kind, enough, and still about today's files? More if needed.

Knows runs and what makes their trials comparable; must not write the baseline, which is for a person to accept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from evalkit.analysis import ArmTrials
from evalkit.baseline import LEAST_ROUNDS, baseline_name, conditions_of, load_baseline, make_baseline, with_rules
from evalkit.errors import UsageError
from evalkit.records import Arm, Baseline, PromptRef, SuiteRecord
from evalkit.runner.opponents import given_in, source_of_replies
from evalkit.runner.plan import Plan, RunSettings, make_plan
from evalkit.runner.project import Invocation, Project
from evalkit.runner.start import start_run
from evalkit.source import LIVE, STAND_IN, describe_source
from evalkit.store import RunReader

Made = tuple[str, Baseline, Baseline | None]
"""A baseline's file, what would stand in it, and what stands there now."""


@dataclass(frozen=True)
class Blessing:
    """What a run would write: each suite's new baseline beside the one that stands now, with its file's name."""

    baselines: tuple[Made, ...]
    runs: tuple[Path, ...]


def prepare_blessing(project: Project, folder: Path) -> Blessing:
    """Return the baselines that a run makes, after playing the rounds that are missing to five.

    UsageError when the run is unfinished, mixed, or not about today's suites and prompts.
    """
    reader = RunReader(folder)
    _refuse_unfit(reader)
    _refuse_changes(project, reader)
    readers = [reader]
    settings = RunSettings.from_json(reader.header.settings)
    missing = LEAST_ROUNDS - _rounds(reader)
    if missing > 0:
        if reader.header.source.kind not in (LIVE, STAND_IN):
            msg = (
                f"run {reader.header.run_id} has {_rounds(reader)} trials of each case and makes no calls; a baseline "
                f"needs {LEAST_ROUNDS}: evalkit run --trials {LEAST_ROUNDS}, then evalkit bless."
            )
            raise UsageError(msg)
        then, now = reader.header.source, describe_source(settings.via, settings.platform)
        if then != now:  # before they are paid for
            raise UsageError(
                f"run {reader.header.run_id} got its replies from another source ({then.name}) than its missing rounds "
                f"would ({now.name}); a baseline is made from one kind of trials: evalkit run --trials {LEAST_ROUNDS}."
            )
        # The same plan for some more rounds, with draws of their own.
        more = replace(
            settings, trials=missing, compare=False, against=None, against_prompt=None, draw=settings.draw + 1
        )
        readers.append(RunReader(start_run(project, Invocation(more, command=("evalkit", "bless")))))
        _refuse_mixed(readers)
    made = tuple(_baseline(project, readers, suite) for suite in reader.suites)
    return Blessing(made, tuple(each.folder for each in readers))


def _rounds(reader: RunReader) -> int:
    """Return the fewest rounds of any case that was played."""
    cases = [case for case in reader.cases if case.skip is None]
    return min((case.trials for case in cases), default=0)


def _refuse_unfit(reader: RunReader) -> None:
    header = reader.header
    if reader.end is None or reader.end.reason != "finished":
        why = "never came to its end" if reader.end is None else f"ended early ({reader.end.reason})"
        msg = f"run {header.run_id} {why}; a baseline needs a whole run: evalkit run --resume {header.run_id}."
        raise UsageError(msg)
    if header.source.kind == "imported":
        msg = f"run {header.run_id} holds imported conversations; a baseline needs trials that evalkit played."
        raise UsageError(msg)
    settings = RunSettings.from_json(header.settings)
    if settings.information:
        msg = (
            f"run {header.run_id} measured a version that is not live, for information; a baseline is made from the "
            "version that CURRENT names: evalkit run."
        )
        raise UsageError(msg)
    if settings.targets or settings.keyword or settings.tags or settings.last_failed is not None:
        chosen = [target for target in settings.targets if "::" in target]
        if chosen or settings.keyword or settings.tags or settings.last_failed is not None:
            msg = f"run {header.run_id} played only some cases; a baseline needs whole suites: evalkit run."
            raise UsageError(msg)


def _refuse_changes(project: Project, reader: RunReader) -> None:
    """Refuse a run whose suites or prompts are not what they were: it would be the baseline of something gone."""
    settings = RunSettings.from_json(reader.header.settings)
    stored = {suite.path: suite for suite in reader.suites}
    plan = make_plan(replace(settings, via=STAND_IN, tools=None, targets=tuple(stored)), project.root)
    _refuse_other_models(reader, plan)
    cases = {(case.suite, case.case_id): case.sha for case in reader.cases}
    for suite in plan.suite_records():
        if suite.template_sha != stored[suite.path].template_sha:
            msg = f"prompt {suite.prompt_ref} has changed since run {reader.header.run_id}; play it again: evalkit run."
            raise UsageError(msg)
    for _, case in plan.cases:
        key = (case.record.suite, case.record.case_id)
        if cases.get(key) != case.record.sha:
            what = "is new" if key not in cases else "has changed"
            msg = f"{key[0]}: case {key[1]!r} {what} since run {reader.header.run_id}; play it again: evalkit run."
            raise UsageError(msg)


def _refuse_other_models(reader: RunReader, plan: Plan) -> None:
    """Refuse a run on a model that no file names: a run of what the files say would be compared with another model."""
    for suite, prompt in {trial.suite.path: (trial.suite, trial.prompt) for trial in plan.trials}.values():
        if prompt.own_model and PromptRef.read(suite.prompt_ref).model != prompt.model:
            ref = PromptRef(prompt.name, PromptRef.read(suite.prompt_ref).version, prompt.model)
            raise UsageError(
                f"run {reader.header.run_id} asked {prompt.model}, and the files say {prompt.own_model}; a baseline is "
                f"made of what the files say. Write `model: {prompt.model}` in a new version of the prompt, or "
                f"`prompt: {ref}` in {suite.path}, then: evalkit run && evalkit bless."
            )


def _refuse_mixed(readers: Sequence[RunReader]) -> None:
    """Refuse trials of several sources, prompts or judges in one baseline."""
    kinds = {
        (
            source_of_replies(reader),
            reader.header.tools,
            tuple(sorted((s.path, s.template_sha, str(s.judge)) for s in reader.suites)),
        )
        for reader in readers
    }
    if len(kinds) > 1:
        names = " and ".join(reader.header.run_id for reader in readers)
        raise UsageError(
            f"runs {names} differ in source, tools, prompt or judge; a baseline is made from one kind of trials."
        )


def _baseline(project: Project, readers: Sequence[RunReader], suite: SuiteRecord) -> Made:
    first = readers[0]
    prompt = first.version_of(suite)
    if prompt is None:
        raise UsageError(f"run {first.header.run_id} does not hold the prompt of {suite.path}; play it again.")
    arms, cost = _collect(readers, suite.path)
    version = str(first.header.versions.get("evalkit", ""))
    source, tools = source_of_replies(first), first.header.tools
    conditions = conditions_of(prompt, source, suite.judge, version, given_in(first), tools=tools)
    made = make_baseline(suite, first.cases, conditions, arms)
    lost = next((case_id for case_id, case in made.cases.items() if case.trials < LEAST_ROUNDS - case.errors), None)
    empty = next((case_id for case_id, case in made.cases.items() if not case.trials), lost)
    if empty is not None:
        raise UsageError(f"{made.suite}: case {empty!r} was not measured often enough for a baseline; run it again.")
    made = with_rules(made, Counter(arms.rules[Arm.CANDIDATE]), cost)
    today = datetime.now(UTC).date().isoformat()
    name = baseline_name(suite.path)
    made = replace(made, blessed=today, commit=first.header.git_commit or "")
    return name, made, load_baseline(project.root / name, name)


def _collect(readers: Sequence[RunReader], suite: str) -> tuple[ArmTrials, float | None]:
    """Read the rounds of several runs as one, numbered through, and what they cost."""
    together = ArmTrials()
    offset = 0
    for reader in readers:
        highest = 0
        for trial in reader.trials():
            if trial.key.suite == suite and trial.key.is_own:
                together.add(replace(trial, key=replace(trial.key, trial=trial.key.trial + offset)))
                highest = max(highest, trial.key.trial)
        offset += highest
    costs = [cost for usage in together.usage.values() for cost in usage.cost_usd]
    return together, sum(costs) if costs else None
