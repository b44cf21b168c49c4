"""Plays prompt versions that a change brings and that are not live: for information, with what the gated run has left.

Evidence comes early, the gate when a version goes live. Knows runs and their limits; must not judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson

from evalkit.errors import EvalkitError
from evalkit.records import Information
from evalkit.runner.project import Asked, Project
from evalkit.runner.settings import RunSettings
from evalkit.runner.spending import spent_in
from evalkit.runner.start import start_run
from evalkit.store import RUN_FILE, RunReader


def play_versions(
    project: Project, asked: Asked, versions: Mapping[str, tuple[str, ...]], beside: Path | None
) -> tuple[Path | None, tuple[Information, ...]]:
    """Play each version on its suites, in folders below `beside`; without one the first version's takes its place.

    Returns that folder (None when nothing could be played) and what could not be played. Money and time of all of them
    together stay within the limits that were asked for.
    """
    missing: list[Information] = []
    folders = [beside] if beside else []
    for ref, targets in versions.items():
        settings = _with_rest(replace(asked.settings, prompt=ref, targets=targets, information=True), folders)
        out = beside / ref if beside else asked.out
        if settings.max_cost_usd == 0 or settings.max_time_s == 0:
            missing.append(_unplayed(ref, "no money or time is left for it"))
            continue
        try:
            again = (*asked.command, "-p", ref)
            folders.append(start_run(project, Asked(settings, out, again)))
        except EvalkitError as exc:
            first, *more = str(exc).splitlines()
            missing.append(_unplayed(ref, f"{first}{f' and {len(more)} more' if more else ''}"))
            continue
        beside = beside or folders[0]
        if is_interrupted(folders[-1]):
            break
    return beside, tuple(missing)


def _unplayed(ref: str, why: str) -> Information:
    return Information(ref, f"{ref}, not live yet: not measured, {why} (for information)")


def folders_below(folder: Path) -> tuple[Path, ...]:
    """Return the runs that stand below a run's folder: the versions that were played for information beside it."""
    return tuple(sorted(path.parent for path in folder.glob(f"*/{RUN_FILE}") if _is_information(path)))


def _is_information(file: Path) -> bool:
    """Return whether a record's first line says that it was played for information."""
    with file.open("rb") as lines:
        first = lines.readline()
    try:
        return bool(orjson.loads(first)["settings"]["information"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False


def is_interrupted(folder: Path) -> bool:
    """Return whether a run was stopped by hand."""
    end = RunReader(folder).end
    return end is not None and end.reason == "interrupted"


def _with_rest(settings: RunSettings, played: list[Path]) -> RunSettings:
    """Return the settings with what the runs before have left of their limits."""
    readers = [RunReader(folder) for folder in played]
    spent = sum(spent_in(reader) for reader in readers) if settings.max_cost_usd is not None else 0.0
    took = sum(reader.end.elapsed_s for reader in readers if reader.end)
    return replace(
        settings,
        max_cost_usd=None if settings.max_cost_usd is None else max(0.0, settings.max_cost_usd - spent),
        max_time_s=None if settings.max_time_s is None else max(0.0, settings.max_time_s - took),
    )
