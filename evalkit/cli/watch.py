"""`evalkit run --watch`: plays again what a saved file affects, failing cases first, until Ctrl-C.

A live run is asked for with Enter each time, because saving a file must not cost money.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING

import click

from evalkit.errors import EvalkitError, ExitCode, FileProblems

if TYPE_CHECKING:
    from evalkit.runner import RunSettings
    from evalkit.runner.changed import SuiteWatch

Play = Callable[["RunSettings"], tuple[Path, int]]
"""Plays a run and prints its result; returns its folder and its exit code."""

Allow = Callable[["RunSettings"], bool]
"""Whether a run may begin now."""


def watch(watched: SuiteWatch, settings: RunSettings, play: Play, allow: Allow, changes: Iterable[set[Path]]) -> int:
    """Play everything asked for, then what each change affects; return the last run's exit code."""
    code = _play(watched, [settings], play)
    shown = _look(watched, settings, [])
    for changed in changes:
        if code == ExitCode.INTERRUPTED:
            break
        _find(watched, settings)
        suites = watched.affected(changed)
        if not suites:
            continue
        rounds = watched.rounds(settings, suites)
        if allow(rounds[-1]):
            code = _play(watched, rounds, play)
        shown = _look(watched, settings, shown)
    return code


def changes_of(root: Path) -> Iterator[set[Path]]:
    """Listen from now on, and yield the files that change below the project as they are saved; never ends."""
    import watchfiles

    folders = [folder for folder in (root / "suites", root / "prompts", root / "pyproject.toml") if folder.exists()]
    saved: Queue[set[Path]] = Queue()

    def listen() -> None:
        for found in watchfiles.watch(*folders, raise_interrupt=False):
            saved.put({Path(path) for _, path in found})

    Thread(target=listen, name="evalkit-watch", daemon=True).start()  # hears what is saved while a run goes on, too
    return iter(saved.get, None)


def ask_before_paying(forecast: Callable[[RunSettings], str]) -> Allow:
    """Return how a live run is asked for: what it would cost, and Enter."""

    def allow(settings: RunSettings) -> bool:
        try:
            told = forecast(settings)
        except EvalkitError as error:
            _tell(error)
            return False
        click.echo(f"{told} Enter to run, s and Enter to skip: ", nl=False, err=True)
        return sys.stdin.readline().strip() == ""

    return allow


def _play(watched: SuiteWatch, rounds: Iterable[RunSettings], play: Play) -> int:
    """Play one run after the other; a file that is wrong is told, and the next change tries again."""
    code: int = ExitCode.NO_VERDICT
    for settings in rounds:
        try:
            folder, code = play(settings)
        except EvalkitError as error:
            _tell(error)
            return int(error.exit_code)
        watched.played(folder)
        if code == ExitCode.INTERRUPTED:
            break
    return code


def _look(watched: SuiteWatch, settings: RunSettings, shown: list[str]) -> list[str]:
    """Find what is to be watched now, and print it when it is not what was printed last."""
    _find(watched, settings)
    files = watched.files()
    if files != shown:
        click.echo(f"watching {len(files)} files: {', '.join(files)}", err=True)
    else:
        click.echo("watching", err=True)
    return files


def _find(watched: SuiteWatch, settings: RunSettings) -> None:
    """Find the inputs again; while a file is wrong, those of before are watched, and the run tells what is wrong."""
    try:
        watched.look(settings)
    except EvalkitError:
        return


def _tell(error: EvalkitError) -> None:
    if isinstance(error, FileProblems):
        from evalkit.cli.problems import print_problems

        print_problems(error.problems)
        return
    click.echo(f"error: {error}", err=True)
