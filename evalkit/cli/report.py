"""`evalkit report`: build the page of a finished run again, from its records alone."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  evalkit report --open
  evalkit report reports/20261122-071455-7c1e -o /tmp/page.html"""
)
@click.argument("run", default="last", metavar="[RUN|LOG]")
@click.option(
    "-f", "--format", "kind", type=click.Choice(["html", "json"]), default="html", help="The page, or summary.json."
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
        page = report_log(Path(run), kind, out)
        if open_report and page is not None:
            click.launch(str(page))
        return
    from evalkit.analysis import analyse
    from evalkit.cli.project_root import labels_of
    from evalkit.gate import compare_run, judge
    from evalkit.reporting import render_html, write_summary
    from evalkit.store import RunReader, find_run

    reader = RunReader(find_run(run, _root(run)))
    summary = analyse(reader, labels_of(suite.path for suite in reader.suites)).summary
    gate = judge(summary, compare_run(reader))
    if kind == "json":
        out = out or reader.folder / "summary.json"
        write_summary(summary, gate, out)
    else:
        out = out or reader.folder / "report.html"
        render_html(summary, gate, (trial for trial in reader.trials() if trial.key.is_own), out)
    click.echo(str(out))
    if open_report:
        click.launch(str(out))


def _root(run: str) -> Path:
    """Return the project's folder; a run given by its path needs none."""
    from evalkit.cli.project_root import find_root

    return Path.cwd() if Path(run).exists() else find_root()
