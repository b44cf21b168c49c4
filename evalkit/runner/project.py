"""A run's beginning: the project it belongs to, what was asked for, and the folder with the lines that come first.

What stands in a record before the first trial is what it takes to repeat the run: header, prompts, suites, cases.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from evalkit.distribution import installed_versions
from evalkit.engine import Price
from evalkit.engine.recorder import utc_now
from evalkit.errors import UsageError
from evalkit.records import (
    BaselineRecord,
    CaseRecord,
    PromptVersion,
    Request,
    RunHeader,
    Source,
    SuiteRecord,
    TrialScore,
)
from evalkit.runner.opponents import OldVersions
from evalkit.runner.plan import Plan, PlannedTrial, RunSettings
from evalkit.source import check_models
from evalkit.store import REPORTS, RUN_FILE, RunReader, RunWriter, new_run_id


class Progress(Protocol):
    """Hears how a run gets on."""

    def request(self, request: Request) -> None:
        """A request is over."""
        ...

    def trial(self, planned: PlannedTrial, score: TrialScore) -> None:
        """A trial is over."""
        ...

    def added(self, trials: int) -> None:
        """The comparison asks for more trials than were planned."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


MakeProgress = Callable[[Plan, RunSettings], Progress]
"""Makes what hears of the run's progress, once it is known what the run consists of."""


@dataclass(frozen=True)
class Project:
    """Where the project is, what a request costs there and by which price table, and who hears of progress.

    `tell` is told what a person should know before a run begins, a sentence at a time.
    """

    root: Path
    price: Price
    progress: MakeProgress
    prices: str = ""
    tell: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Invocation:
    """What was asked for: the settings, the folder for the run if one was named, and the command as it was typed."""

    settings: RunSettings
    out: Path | None = None
    command: tuple[str, ...] = ()


def tell_models(project: Project, plan: Plan, source: Source, old: OldVersions) -> None:
    """Refuse models that answer no more before anything is written or paid for, and tell what else is to be said."""
    asked = plan.models_asked()
    played = {record.suite for record in old.baselines if record.use == "fresh"}
    for (suite, _), prompt in old.prompts.items():
        if suite in played:
            asked.setdefault(prompt.model, f"prompt {prompt.ref}")
    for sentence in check_models(asked, source, datetime.now(UTC).date()):
        project.tell(sentence)


def new_run(project: Project, invocation: Invocation, source: Source, plan: Plan, old: OldVersions) -> RunWriter:
    """Make the run's folder and write what is known before the first trial; UsageError when it holds a run already."""
    run_id = new_run_id(datetime.now(UTC))
    folder = invocation.out or project.root / REPORTS / run_id
    if (folder / RUN_FILE).exists():
        msg = f"{folder} holds a run already; choose another folder for --out, or resume it with --resume."
        raise UsageError(msg)
    writer = RunWriter(folder)
    commit = _git(project.root, "rev-parse", "HEAD") or None
    changed = _git(project.root, "status", "--porcelain", "--", "prompts", "suites", "pyproject.toml") if commit else ""
    writer.append(
        RunHeader(
            run_id=run_id,
            started=utc_now(),
            source=source,
            command=invocation.command,
            settings=asdict(invocation.settings),
            versions=installed_versions(),
            git_commit=commit,
            git_dirty=bool(changed),
            prices=project.prices,
            tools=plan.tools,
        )
    )
    write_plan(writer, plan, old)
    return writer


def write_plan(writer: RunWriter, plan: Plan, old: OldVersions, known: RunReader | None = None) -> None:
    """Write prompts, suites, baselines and cases, except those that an interrupted run has written already."""
    prompts = {prompt.sha: prompt for prompt in (*plan.prompts.values(), *old.prompts.values())}
    written = {suite.path for suite in known.suites} if known else set()
    lines: list[PromptVersion | SuiteRecord | BaselineRecord | CaseRecord] = [
        *(prompt for sha, prompt in prompts.items() if known is None or sha not in known.prompts),
        *(suite for suite in plan.suite_records() if suite.path not in written),
        *old.baselines,
    ]
    seen = {(case.suite, case.case_id) for case in known.cases} if known else set()
    lines.extend(case.record for _, case in plan.cases if (case.record.suite, case.record.case_id) not in seen)
    for line in lines:
        writer.append(line)


def _git(root: Path, *args: str) -> str:
    """Return what git says; empty where it can't be run or fails: a run needs no repository."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(root), *args],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
