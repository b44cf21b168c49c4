"""`--changed-since` with versions that are not live: played after what is gated, told with it, failing nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.errors import ExitCode

if TYPE_CHECKING:
    from evalkit.records import Information
    from evalkit.runner import Invocation, Project, RunSettings

Versions = Mapping[str, tuple[str, ...]]
"""By prompt reference, the suites to play it on."""


def run_with_versions(project: Project, invocation: Invocation, versions: Versions, options: Mapping[str, Any]) -> int:
    """Play what is gated, if anything is, then the versions that are not live; return the exit code of the gate."""
    from evalkit.cli.finish import finish_run
    from evalkit.runner import start_run
    from evalkit.runner.changed import folders_below, is_interrupted, play_versions

    folder: Path | None = start_run(project, invocation) if invocation.settings.targets else None
    unplayed: Sequence[Information] = ()
    if folder is None or not is_interrupted(folder):
        folder, unplayed = play_versions(project, invocation, versions, folder)
    if folder is None:
        for each in unplayed:
            click.echo(f"ℹ️ {each.sentence}")
        return ExitCode.PASSED
    code = finish_run(
        folder,
        quiet=options["quiet"],
        open_report=options["open_report"],
        strict=options["strict"],
        unplayed=unplayed,
    )
    if code == ExitCode.PASSED and any(is_interrupted(each) for each in folders_below(folder)):
        return ExitCode.INTERRUPTED
    return code


def forecasts_of(settings: RunSettings, versions: Versions) -> list[RunSettings]:
    """Return what would be played, one after the other."""
    gated = [settings] if settings.targets else []
    return [*gated, *(replace(settings, prompt=ref, targets=targets) for ref, targets in versions.items())]
