"""`evalkit init`: a small project that runs at once, and on request the workflows for GitHub."""

from __future__ import annotations

import shlex
from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  evalkit init shop
  evalkit init --ci"""
)
@click.argument("folder", default=".", type=click.Path(path_type=Path), metavar="[DIR]")
@click.option("--ci", is_flag=True, help="Add workflows for GitHub Actions.")
def init(folder: Path, *, ci: bool) -> None:
    """Start a project that runs at once.

    Writes a prompt with two tools, a suite in which one case fails on purpose, and a voice file; in a project that has
    prompts or suites, only what goes around them. Overwrites nothing.
    """
    from evalkit.project import start_project

    done = start_project(folder, ci=ci)
    for mark, names in (("wrote", done.written), ("added to", done.added_to), ("kept", done.kept)):
        for name in names:
            click.echo(f"{mark:8}  {folder / name}")
    if "requirements-evals.txt" in done.written:
        click.echo("The workflow installs requirements-evals.txt: name there where your evalkit comes from.")
    enter = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    click.echo(f"Next: {enter}evalkit run")
