"""What every run ends with: numbers and verdict from the records, the page, the text, files for CI, the exit code.

Knows GitHub's environment variables and talks to no network: the workflow uploads and comments.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.errors import UsageError
from evalkit.github import add_to_job_summary, no_commands, on_github

if TYPE_CHECKING:
    from evalkit.records import Information
    from evalkit.reporting import FinishedRun, Links
    from evalkit.store import RunReader

PAGE, JUNIT, COMMENT = "report.html", "junit.xml", "comment.md"


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
    from evalkit.runner.changed import folders_below

    beside = [(each, _report(each, quiet=quiet, strict=strict)) for each in folders_below(folder)]
    information = (*(_as_information(run, each) for each, run in beside), *unplayed)
    finished = _report(folder, quiet=quiet, strict=strict, information=information)
    write_ci_files(finished, folder)
    tell_unplayed(unplayed)
    if on_github():
        tell_github(finished)
    if open_report:
        click.launch(str(folder / PAGE))
    return int(finished.gate.exit_code)


def read_finished(reader: RunReader, *, strict: bool = False) -> FinishedRun:
    """Return a run with its numbers, verdict and comparison, from its records alone."""
    from evalkit.analysis import analyse
    from evalkit.cli.project import labels_of, price_here
    from evalkit.gate import compare_run, judge
    from evalkit.reporting import FinishedRun

    analysis = analyse(reader, labels_of(suite.path for suite in reader.suites))
    compared = compare_run(reader, price_here())
    gate = judge(analysis.summary, compared, strict=strict)
    return FinishedRun(analysis.summary, gate, analysis.details, compared.told)


def _report(folder: Path, *, quiet: bool, strict: bool, information: Sequence[Information] = ()) -> FinishedRun:
    """Read a run, write its page and its numbers, print it, and return it."""
    from evalkit.reporting import render_run, write_summary
    from evalkit.store import RunReader

    reader = RunReader(folder)
    run = replace(read_finished(reader, strict=strict), links=links_of(), information=tuple(information))
    page = folder / PAGE
    write_summary(run.summary, run.gate, folder / "summary.json", run.comparison, information)
    write_page(run, reader, page)
    with no_commands():
        if quiet:
            click.echo(run.gate.sentence)
        else:
            click.echo(render_run(run.summary, run.gate, run.details, report=os.path.relpath(page)), nl=False)
    return run


def write_page(run: FinishedRun, reader: RunReader, out: Path) -> None:
    """Write the page of a run; its conversations are read from the record one by one."""
    from evalkit.reporting import render_html

    render_html(run.summary, run.gate, (trial for trial in reader.trials() if trial.key.is_own), out, run.comparison)


def information_below(folder: Path) -> tuple[Information, ...]:
    """Return what the runs below a run tell that were played for information beside it."""
    from evalkit.runner.changed import folders_below
    from evalkit.store import RunReader

    return tuple(_as_information(read_finished(RunReader(each)), each) for each in folders_below(folder))


def _as_information(run: FinishedRun, folder: Path) -> Information:
    """Return what a run below another one says there."""
    from evalkit.records import Information

    refs = ", ".join(dict.fromkeys(suite.record.prompt_ref for suite in run.summary.suites))
    return Information(refs, run.gate.sentence, run.gate.reasons, run.gate.notes, folder.name)


def tell_unplayed(unplayed: Sequence[Information]) -> None:
    """Print what could not be played for information."""
    for each in unplayed:
        click.echo(f"ℹ️ {each.sentence}")


def links_of() -> Links:
    """Return where a comment links to: the repository's files at this commit, and the report's place-holder."""
    from evalkit.cli.project import find_root, folder_in_repository
    from evalkit.reporting import Links
    from evalkit.reporting.markdown import REPORT_URL

    server, repository, sha = (os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "SHA"))
    files = f"{server}/{repository}/blob/{sha}" if server and repository and sha else ""
    folder = ""
    if files or on_github():
        try:
            folder = folder_in_repository(find_root())
        except UsageError:  # a run that is given by its path, outside of any project
            folder = ""
    return Links(REPORT_URL, files, folder)


def write_ci_files(run: FinishedRun, folder: Path) -> None:
    """Write junit.xml and comment.md into the run's folder, each whole or not at all.

    What is told for information only has no JUnit file: readers of those know failures and passes.
    """
    from evalkit.records import RunVerdict
    from evalkit.reporting import render_comment, render_junit
    from evalkit.reporting.atomic import replacing

    contents = {COMMENT: render_comment(run).encode("utf-8", "replace")}
    if run.gate.verdict is not RunVerdict.INFORMATION:
        contents[JUNIT] = render_junit(run.summary, run.gate, run.details)
    for name, data in contents.items():
        with replacing(folder / name) as file:
            file.write(data)


def tell_github(run: FinishedRun) -> None:
    """Print annotations and append to the job's summary."""
    from evalkit.records import RunVerdict
    from evalkit.reporting import render_annotations, render_information, render_job_summary

    if run.gate.verdict is not RunVerdict.INFORMATION:
        click.echo(render_annotations(run.summary, run.gate, run.details, run.links.folder), nl=False)
    without_report = replace(run, links=replace(run.links, report=""))
    add_to_job_summary(render_job_summary(without_report))
    if run.information:
        add_to_job_summary(f"\n{render_information(run.information)}\n")


def tell_unaffected(sentence: str, out: Path | None) -> None:
    """Say that no suite is affected: on the terminal, in the comment of the folder asked for, in the job's summary."""
    from evalkit.reporting import render_unaffected

    click.echo(f"➖ {sentence}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / COMMENT).write_text(render_unaffected(sentence), "utf-8")
    if on_github():
        add_to_job_summary(render_unaffected(sentence, marker=False))
