"""`evalkit report`: build the page of a finished run again, from its records alone, or sum up a production log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from evalkit.store import RunReader

FILES = {"html": "report.html", "md": "report.md", "junit": "junit.xml", "json": "summary.json", "csv": "cases.csv"}
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
    type=click.Choice([*FILES]),
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
    from evalkit.cli.project import root_for

    if is_log(run):
        if kind not in ("html", "json"):
            raise click.UsageError(f"{run} is a production log, which has no cases; -f {kind} needs a run.")
        page = report_log(Path(run), kind, out)
        if open_report and page is not None:
            click.launch(str(page))
        return
    from evalkit.store import RunReader, find_run

    reader = RunReader(find_run(run, root_for(run)))
    out = out or reader.folder / FILES[kind]
    _write(reader, kind, out)
    click.echo(str(out))
    if open_report:
        click.launch(str(out))


def _write(reader: RunReader, kind: str, out: Path) -> None:
    """Write one form of a run's report."""
    from evalkit.cli.finish import information_below, read_finished, write_page
    from evalkit.reporting import render_csv, render_job_summary, render_junit, render_summary
    from evalkit.reporting.atomic import replacing

    finished = read_finished(reader)
    if kind == "html":
        write_page(finished, reader, out)
        return
    finished = replace(finished, information=information_below(reader.folder))
    contents: dict[str, Callable[[], bytes]] = {
        "json": lambda: render_summary(finished.summary, finished.gate, finished.comparison, finished.information),
        "junit": lambda: render_junit(finished.summary, finished.gate, finished.details),
        "md": lambda: render_job_summary(finished).encode("utf-8", "replace"),
        "csv": lambda: render_csv(finished.summary).encode("utf-8", "replace"),
    }
    with replacing(out) as file:
        file.write(contents[kind]())


def is_log(name: str) -> bool:
    """Tell whether a path is a production log: a file whose first line says so, or a folder of such files."""
    from evalkit.store import RUN_FILE, read_lines, record_files

    path = Path(name)
    if not path.exists() or path.name == RUN_FILE or (path / RUN_FILE).exists():
        return False
    for file in record_files(path):
        _, first = next(read_lines(file), (0, {}))
        if first.get("line") == "run":
            return bool((first.get("settings") or {}).get("log"))
    return False


def report_log(path: Path, kind: str, out: Path | None) -> Path | None:
    """Print a log's summary and write its page, or print (with `out`: write) it as JSON; return what was written."""
    from evalkit.analysis.logs import summarise_logs
    from evalkit.reporting.html.page import render_log_html
    from evalkit.reporting.log_text import log_json, render_log
    from evalkit.store import record_files

    summary = summarise_logs(record_files(path))
    if kind == "json" and out is None:
        click.echo(log_json(summary))
        return None
    if out is None:
        out = path / "report.html" if path.is_dir() else path.with_suffix(".html")
    if kind == "json":
        out.write_text(log_json(summary) + "\n", encoding="utf-8")
    else:
        click.echo(render_log(summary))
        render_log_html(summary, out)
    click.echo(str(out))
    return out
