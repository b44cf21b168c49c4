"""What a run leaves for CI: files in its folder, and on GitHub annotations and the job's summary.

Knows GitHub's environment variables and talks to no network: the workflow uploads and comments.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from evalkit.reporting import FinishedRun, Links

JUNIT, COMMENT = "junit.xml", "comment.md"


def links_of(environment: Mapping[str, str] = os.environ) -> Links:
    """Return where a comment links to: the repository's files at this commit, and the report's place-holder."""
    from evalkit.cli.repository import current_folder
    from evalkit.reporting import Links
    from evalkit.reporting.markdown import REPORT_URL

    server, repository, sha = (environment.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "SHA"))
    files = f"{server}/{repository}/blob/{sha}" if server and repository and sha else ""
    on_github = files or environment.get("GITHUB_ACTIONS") == "true"
    return Links(REPORT_URL, files, current_folder(environment) if on_github else "")


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


def tell_github(run: FinishedRun, environment: Mapping[str, str] = os.environ) -> None:
    """On GitHub print annotations and append to the job's summary; nothing elsewhere."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    from dataclasses import replace

    from evalkit.records import RunVerdict
    from evalkit.reporting import render_annotations, render_information, render_job_summary

    if run.gate.verdict is not RunVerdict.INFORMATION:
        click.echo(render_annotations(run.summary, run.gate, run.details, run.links.folder), nl=False)
    without_report = replace(run, links=replace(run.links, report=""))
    add_to_job_summary(render_job_summary(without_report), environment)
    if run.information:
        add_to_job_summary(f"\n{render_information(run.information)}\n", environment)


def tell_unaffected(sentence: str, out: Path | None, environment: Mapping[str, str] = os.environ) -> None:
    """Say that no suite is affected: on the terminal, in the comment of the folder asked for, in the job's summary."""
    from evalkit.reporting import render_unaffected

    click.echo(f"➖ {sentence}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / COMMENT).write_text(render_unaffected(sentence), "utf-8")
    if environment.get("GITHUB_ACTIONS") == "true":
        add_to_job_summary(render_unaffected(sentence, marker=False), environment)


def add_to_job_summary(markdown: str, environment: Mapping[str, str] = os.environ) -> None:
    """Append Markdown to the file that GitHub shows as the job's summary, if it named one."""
    path = environment.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8", errors="replace") as file:
            file.write(markdown)


@contextmanager
def no_commands(environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Keep GitHub's runner from reading commands in what is printed meanwhile: a model may say `::add-mask::`."""
    if environment.get("GITHUB_ACTIONS") != "true":
        yield
        return
    token = secrets.token_hex(16)
    click.echo(f"::stop-commands::{token}")
    try:
        yield
    finally:
        click.echo(f"::{token}::")
