"""`evalkit check`: every problem of suites, voice files and prompts, without calling a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from evalkit.wording import plural

if TYPE_CHECKING:
    from evalkit.suites.check import CheckResult


@click.command(
    epilog="""\b
Examples:
  evalkit check
  evalkit check suites/returns.yaml prompts/support/v4.md
  evalkit check -f github"""
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("-f", "--format", "form", type=click.Choice(["text", "github"]), default="text", show_default=True,
              help="github: annotations for a pull request.")  # fmt: skip
@click.pass_context
def check(ctx: click.Context, paths: tuple[Path, ...], form: Literal["text", "github"]) -> None:
    """Check suites, voice files and prompts without calling a model.

    Without a PATH everything in suites/ and prompts/ is checked. Lists every problem of every file; exits 2 if one of
    them is an error.
    """
    from evalkit.cli.project import find_root, folder_in_repository
    from evalkit.cli.terminal import print_problems
    from evalkit.errors import ExitCode, NothingSelected
    from evalkit.suites.check import check_project

    root = find_root(paths[0].absolute().parent if paths else None)
    checked = check_project(root, paths)
    if not (checked.suites or checked.voices or checked.prompts):
        raise NothingSelected(f"{root}: nothing to check; expected files in suites/ and prompts/.")
    folder = folder_in_repository(root) if form == "github" else ""
    print_problems(checked.problems, form, err=False, folder=folder)
    click.echo(summary(checked), err=form == "github")
    ctx.exit(ExitCode.WRONG_INPUT if checked.errors else ExitCode.PASSED)


def summary(checked: CheckResult) -> str:
    """Return the last line: what was checked and what was found."""
    what = ", ".join(
        part
        for part in (
            f"{plural(checked.suites, 'suite')} with {plural(checked.cases, 'case')}" if checked.suites else "",
            plural(checked.voices, "voice file") if checked.voices else "",
            plural(checked.prompts, "prompt version") if checked.prompts else "",
        )
        if part
    )
    found = ", ".join(
        plural(count, word) for count, word in ((checked.errors, "error"), (checked.warnings, "warning")) if count
    )
    return f"{what}: {found or 'no problems'}"
