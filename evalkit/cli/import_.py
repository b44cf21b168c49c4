"""`evalkit import`: conversations that other programs recorded become a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evalkit.wording import plural


@click.group(name="import")
def import_() -> None:
    """Turn recorded conversations into a run that suites can score."""


@import_.command(
    epilog="""\b
Examples:
  evalkit import transcripts support-november.jsonl --suite suites/recorded.yaml
  evalkit run suites/recorded.yaml --via last"""
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.jsonl")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="DIR", help="[reports/<time>-<hash>]")
@click.option("-p", "--prompt", default="imported", metavar="REF", help="How reports call the prompt.  [imported]")
@click.option("--model", metavar="NAME", help="Only the conversations of this model.")
@click.option(
    "--suite", type=click.Path(path_type=Path), metavar="FILE", help="Write a suite with the cases, to fill in."
)
def transcripts(file: Path, out: Path | None, prompt: str, model: str | None, suite: Path | None) -> None:
    """Import conversations in Chat Completions form, one JSON object a line.

    Each line has `id` and `messages`, and may have `case`, `trial` and `model`. Tool results are errors when they say
    `is_error`, or when they do not and their text begins with "Error".
    """
    from datetime import UTC, datetime

    from evalkit.cli.project import find_root
    from evalkit.importing import ImportSettings, import_transcripts
    from evalkit.store import new_run_id

    now = datetime.now(UTC)
    run_id = new_run_id(now)
    started = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    folder = out or find_root() / "reports" / run_id
    if out is None and folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())  # as short as it can be written from here
    command = ("evalkit", *sys.argv[1:])
    done = import_transcripts(ImportSettings(file, folder, run_id, started, prompt, model, suite, command))
    models = f" with {', '.join(done.models)}" if done.models != ("unknown",) else ""
    click.echo(f"{plural(done.conversations, 'conversation')} of {plural(done.cases, 'case')}{models}: {folder}")
    click.echo(f"Score them with: evalkit run {suite or 'SUITE'} --via {folder}", err=True)


@import_.command(
    epilog="""\b
Examples:
  evalkit import vale styles
  evalkit import vale .github/styles --out suites/brand.yaml"""
)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("suites/voice-vale.yaml"),
    metavar="FILE",
    help="The voice file to write.  [suites/voice-vale.yaml]",
)
def vale(folder: Path, out: Path) -> None:
    """Import the rules of a team's Vale styles as a voice file.

    What can't be brought over (rules that need a dictionary, parts of speech or a program) is listed with the reason.
    """
    from evalkit.errors import UsageError
    from evalkit.importing.vale import import_vale_styles

    if out.exists():
        raise UsageError(f"{out} exists already; choose another file with --out.")
    done = import_vale_styles(folder)
    for name, reason in (*done.left, *done.changed):
        left = "left out" if (name, reason) in done.left else "changed"
        click.echo(f"{name}: {left}: {reason}", err=True)
    if not done.rules:
        raise UsageError(f"none of the rules in {folder} could be brought over.")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(done.text, encoding="utf-8")
    click.echo(f"{plural(len(done.rules), 'rule')} in {out}, {plural(len(done.left), 'rule')} left out")
