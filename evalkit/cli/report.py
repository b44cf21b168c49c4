"""`evalkit report`: build the page of a finished run again, from its records alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from evalkit.store import RunReader

FILES = {
    "html": "report.html",
    "md": "report.md",
    "junit": "junit.xml",
    "json": "summary.json",
    "csv": "cases.csv",
}
"""What a form of the report is called beside its run."""


@click.command(
    epilog="""\b
Examples:
  evalkit report --open
  evalkit report reports/20261122-071455-7c1e -o /tmp/page.html"""
)
@click.argument("run", default="last", metavar="[RUN|LOG]")
@click.option(
    "-f",
    "--format",
    "kind",
    type=click.Choice(["html", "md", "junit", "json", "csv"]),
    default="html",
    help="The page, Markdown, JUnit XML, summary.json, or a row a case.",
)
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="[beside the run]")
@click.option("--open", "open_report", is_flag=True, help="Open it when done.")
def report(run: str, kind: str, out: Path | None, *, open_report: bool) -> None:
    """Rebuild or open the report of a run, or sum up a production log.

    RUN is a folder, a run id, a run.jsonl, or `last`; LOG is a file or a folder that ProductionLog wrote. Calls no
    model; the verdict is not this command's exit code.
    """
    from evalkit.cli.report_log import is_log, report_log

    if is_log(run):
        if kind not in ("html", "json"):
            raise click.UsageError(f"{run} is a production log, which has no cases; -f {kind} needs a run.")
        page = report_log(Path(run), kind, out)
        if open_report and page is not None:
            click.launch(str(page))
        return
    from evalkit.store import RunReader, find_run

    reader = RunReader(find_run(run, _root(run)))
    out = out or reader.folder / FILES[kind]
    _write(reader, kind, out)
    click.echo(str(out))
    if open_report:
        click.launch(str(out))


def _write(reader: RunReader, kind: str, out: Path) -> None:
    """Write one form of a run's report."""
    from evalkit.analysis import analyse
    from evalkit.cli.finish import information_below
    from evalkit.cli.project_root import labels_of
    from evalkit.gate import compare_run, judge
    from evalkit.reporting import (
        FinishedRun,
        render_csv,
        render_html,
        render_job_summary,
        render_junit,
        render_summary,
    )
    from evalkit.reporting.atomic import replacing

    analysis = analyse(reader, labels_of(suite.path for suite in reader.suites))
    compared = compare_run(reader)
    gate = judge(analysis.summary, compared)
    if kind == "html":
        render_html(
            analysis.summary, gate, (trial for trial in reader.trials() if trial.key.is_own), out, compared.told
        )
        return
    information = information_below(reader.folder)
    finished = FinishedRun(analysis.summary, gate, analysis.details, compared.told, information=information)
    contents: dict[str, Callable[[], bytes]] = {
        "json": lambda: render_summary(analysis.summary, gate, compared.told, information),
        "junit": lambda: render_junit(analysis.summary, gate, analysis.details),
        "md": lambda: render_job_summary(finished).encode("utf-8", "replace"),
        "csv": lambda: render_csv(analysis.summary).encode("utf-8", "replace"),
    }
    with replacing(out) as file:
        file.write(contents[kind]())


def _root(run: str) -> Path:
    """Return the project's folder; a run given by its path needs none."""
    from evalkit.cli.project_root import find_root

    return Path.cwd() if Path(run).exists() else find_root()
