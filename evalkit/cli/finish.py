"""What every run ends with: numbers and verdict from the records, the page, the text, the exit code."""

from __future__ import annotations

import os
from pathlib import Path

import click


def finish_run(folder: Path, *, quiet: bool = False, open_report: bool = False, strict: bool = False) -> int:
    """Write the reports beside the records, print the result, tell GitHub, return the exit code."""
    from evalkit.analysis import analyse
    from evalkit.cli.ci_files import links_of, no_commands, tell_github, write_ci_files
    from evalkit.cli.project_root import labels_of
    from evalkit.gate import compare_run, judge
    from evalkit.reporting import FinishedRun, render_html, render_run, write_summary
    from evalkit.store import RunReader

    reader = RunReader(folder)
    analysis = analyse(reader, labels_of(suite.path for suite in reader.suites))
    compared = compare_run(reader)
    gate = judge(analysis.summary, compared, strict=strict)
    finished = FinishedRun(analysis.summary, gate, analysis.details, compared.told, links_of())
    page = folder / "report.html"
    write_summary(analysis.summary, gate, folder / "summary.json", compared.told)
    render_html(analysis.summary, gate, (trial for trial in reader.trials() if trial.key.is_own), page, compared.told)
    write_ci_files(finished, folder)
    with no_commands():
        if quiet:
            click.echo(gate.sentence)
        else:
            text = render_run(analysis.summary, gate, analysis.details, report=os.path.relpath(page))
            click.echo(text, nl=False)
    tell_github(finished)
    if open_report:
        click.launch(str(page))
    return int(gate.exit_code)
