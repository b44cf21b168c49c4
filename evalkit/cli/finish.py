"""What every run ends with: numbers and verdict from the records, the page, the text, the exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from evalkit.records import Information
    from evalkit.reporting import FinishedRun

PAGE = "report.html"


def finish_run(
    folder: Path,
    *,
    quiet: bool = False,
    open_report: bool = False,
    strict: bool = False,
    unplayed: Sequence[Information] = (),
) -> int:
    """Write the reports beside the records, print the result, tell GitHub, return the exit code.

    Runs below the folder were played for information and are told with it; `unplayed` are those that could not be.
    """
    from evalkit.cli.ci_files import tell_github, write_ci_files
    from evalkit.runner.changed import folders_below

    beside = [(each, _told(each, quiet=quiet, strict=strict)) for each in folders_below(folder)]
    information = (*(_information(run, each) for each, run in beside), *unplayed)
    finished = _told(folder, quiet=quiet, strict=strict, information=information)
    write_ci_files(finished, folder)
    for each in unplayed:
        click.echo(f"ℹ️ {each.sentence}")
    tell_github(finished)
    if open_report:
        click.launch(str(folder / PAGE))
    return int(finished.gate.exit_code)


def _told(folder: Path, *, quiet: bool, strict: bool, information: Sequence[Information] = ()) -> FinishedRun:
    """Read a run, write its page and its numbers, print it, and return it."""
    from evalkit.analysis import analyse
    from evalkit.cli.ci_files import links_of, no_commands
    from evalkit.cli.project_root import labels_of
    from evalkit.gate import compare_run, judge
    from evalkit.reporting import FinishedRun, render_html, render_run, write_summary
    from evalkit.store import RunReader

    reader = RunReader(folder)
    analysis = analyse(reader, labels_of(suite.path for suite in reader.suites))
    compared = compare_run(reader)
    gate = judge(analysis.summary, compared, strict=strict)
    finished = FinishedRun(
        analysis.summary, gate, analysis.details, compared.told, links_of(), information=tuple(information)
    )
    page = folder / PAGE
    write_summary(analysis.summary, gate, folder / "summary.json", compared.told, information)
    render_html(analysis.summary, gate, (trial for trial in reader.trials() if trial.key.is_own), page, compared.told)
    with no_commands():
        if quiet:
            click.echo(gate.sentence)
        else:
            text = render_run(analysis.summary, gate, analysis.details, report=os.path.relpath(page))
            click.echo(text, nl=False)
    return finished


def _information(run: FinishedRun, folder: Path) -> Information:
    """Return what a run below another one says there."""
    from evalkit.records import Information

    refs = ", ".join(dict.fromkeys(suite.record.prompt_ref for suite in run.summary.suites))
    return Information(refs, run.gate.sentence, run.gate.reasons, run.gate.notes, folder.name)


def information_below(folder: Path) -> tuple[Information, ...]:
    """Return what the runs below a run tell that were played for information beside it."""
    from evalkit.analysis import analyse
    from evalkit.gate import compare_run, judge
    from evalkit.reporting import FinishedRun
    from evalkit.runner.changed import folders_below
    from evalkit.store import RunReader

    told = []
    for each in folders_below(folder):
        reader = RunReader(each)
        summary = analyse(reader).summary
        told.append(_information(FinishedRun(summary, judge(summary, compare_run(reader))), each))
    return tuple(told)
