"""`evalkit bless`: accept a run as the baseline, after showing what that changes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.cli.terminal import QUIT_KEYS, next_key
from evalkit.wording import plural

if TYPE_CHECKING:
    from evalkit.records import Baseline
    from evalkit.runner.blessing import Blessing

KEYS = "[a]ccept  [s]kip  [q]uit"


@click.command(
    epilog="""\b
Examples:
  evalkit run && evalkit bless
  evalkit bless reports/20261122-071455-7c1e --replies"""
)
@click.argument("run", default="last", metavar="[RUN]")
@click.option("--replies", is_flag=True, help="Keep the replies too, beside the baseline: NAME.replies.jsonl.")
@click.option("-y", "--yes", is_flag=True, help="Accept every case and write without asking.")
@click.option("--force", is_flag=True, help="Write even in CI, where nobody reviews it.")
def bless(run: str, *, replies: bool, yes: bool, force: bool) -> None:
    """Accept a run as the baseline.

    On a terminal, goes through the cases that changed: accept, skip (the old entry stays), or quit and write nothing.
    Writes suites/NAME.baseline.json for each suite of RUN (a folder, a run id, or `last`): passes and trials of every
    case, with hashes, in a form whose diff is the review. Plays more rounds when a case has fewer than five.
    """
    from evalkit.cli.project import find_root, load_config, make_project
    from evalkit.errors import UsageError
    from evalkit.runner.blessing import prepare_blessing
    from evalkit.store import find_run

    if os.environ.get("CI") and not force:
        raise UsageError(
            "bless: this is CI (the variable CI is set), where a baseline would be accepted unseen; "
            "bless on a desk and commit the file, or use --force."
        )
    root = find_root()
    project = make_project(root, load_config(root), quiet=False)
    blessing = prepare_blessing(project, find_run(run, root))
    for line in changes(blessing):
        click.echo(line)
    if not (yes or force):
        decided = review(blessing) if sys.stdin.isatty() and sys.stdout.isatty() else blessing
        if decided is None or (decided is blessing and not click.confirm("Write?", default=False)):
            click.echo("nothing written")
            return
        blessing = decided
    for path in write(blessing, root, replies=replies):
        click.echo(f"{os.path.relpath(path)} written")


def review(blessing: Blessing) -> Blessing | None:
    """Ask about each case whose entry would change; None when the person quits, the same blessing when none would.

    A skipped case keeps its old entry; where that could not be compared with any more, skipping is not offered.
    """
    from evalkit.baseline import keep_entries

    reviewed = []
    waiting = sum(len(_differing(old, new)) for _, new, old in blessing.baselines if old)
    if not waiting:
        return blessing
    for name, new, old in blessing.baselines:
        kept: list[str] = []
        for case_id in _differing(old, new) if old else ():
            assert old is not None  # noqa: S101 - there is nothing to differ from without one
            answer = _ask(old, new, case_id, waiting)
            waiting -= 1
            if answer == "q":
                return None
            kept += [case_id] if answer == "s" else []
        reviewed.append((name, keep_entries(new, old, kept) if old and kept else new, old))
    return replace(blessing, baselines=tuple(reviewed))


def _differing(old: Baseline, new: Baseline) -> list[str]:
    """Return the cases with entries in both whose hash or pass rate differs."""
    pairs = [(case_id, old.cases[case_id], case) for case_id, case in new.cases.items() if case_id in old.cases]
    return [
        case_id
        for case_id, before, after in pairs
        if before.sha != after.sha or before.passed * after.trials != after.passed * before.trials
    ]


def _ask(old: Baseline, new: Baseline, case_id: str, left: int) -> str:
    """Show one case and return `a`, `s` or `q`."""
    from evalkit.baseline import why_not_kept

    before, after = old.cases[case_id], new.cases[case_id]
    click.echo(
        f"\n{new.suite}::{case_id}   {before.passed}/{before.trials} → {after.passed}/{after.trials}   ({left} to go)"
    )
    for rule in sorted({*before.broken, *after.broken}):
        click.echo(f"  {rule}: broke in {before.broken.get(rule, 0)} → {after.broken.get(rule, 0)}")
    why_not = why_not_kept(old, new, case_id)
    click.echo(f"  {why_not}: [a]ccept  [q]uit" if why_not else f"  {KEYS}")
    while True:
        key = next_key()
        if key in QUIT_KEYS:
            return "q"
        if key == "a" or (key == "s" and not why_not):
            return key
        click.echo(f"  skipping is not possible: {why_not}" if key == "s" else f"  {key!r} is none of {KEYS}")


def changes(blessing: Blessing) -> Iterator[str]:
    """Yield what a blessing changes, a line for each suite and each case that differs."""
    for name, new, old in blessing.baselines:
        size = f"{plural(len(new.cases), 'case')} × {plural(new.rounds, 'round')}"
        yield f"{name}   {new.prompt_ref} ({new.template_sha[:7]})   {size}   {new.conditions.source_name}"
        if old is None:
            yield f"  new baseline, pass rate {_rate(new):.2f}"
            continue
        better, worse = list(_moved(old, new, up=True)), list(_moved(old, new, up=False))
        moved = f"{plural(len(better), 'case')} better, {len(worse)} worse"
        yield f"  {moved}, pass rate {_rate(old):.2f} → {_rate(new):.2f}"
        yield from (f"  ↓ {line}" for line in worse)
        yield from (f"  ↑ {line}" for line in better)
        yield from (f"  + {case_id} (new)" for case_id in new.cases if case_id not in old.cases)
        yield from (f"  - {case_id} (gone)" for case_id in old.cases if case_id not in new.cases)
        before: Mapping[str, str] = vars(old.conditions)
        for key, after in vars(new.conditions).items():
            if before[key] != after:
                yield f"  {key.replace('_', ' ')}: {before[key] or 'none'} → {after or 'none'}"
        if old.template_sha != new.template_sha:
            yield f"  prompt: {old.prompt_ref} ({old.template_sha[:7]}) → {new.prompt_ref} ({new.template_sha[:7]})"


def _moved(old: Baseline, new: Baseline, *, up: bool) -> Iterator[str]:
    for case_id, case in new.cases.items():
        before = old.cases.get(case_id)
        if before is None or not before.trials or not case.trials:
            continue
        change = case.passed / case.trials - before.passed / before.trials
        if change and (change > 0) == up:
            note = "" if before.sha == case.sha else "   the case itself changed"
            yield f"{case_id}   {before.passed}/{before.trials} → {case.passed}/{case.trials}{note}"


def _rate(baseline: Baseline) -> float:
    rates = [case.passed / case.trials for case in baseline.cases.values() if case.trials]
    return sum(rates) / len(rates) if rates else 0.0


def write(blessing: Blessing, root: Path, *, replies: bool) -> Iterator[Path]:
    """Write the baselines, whole or not at all, and yield what was written."""
    from evalkit.baseline import render_baseline, replies_name
    from evalkit.reporting.atomic import replacing
    from evalkit.store import copy_sessions

    for name, new, _ in blessing.baselines:
        with replacing(root / name) as file:
            file.write(render_baseline(new).encode())
        yield root / name
        if replies:
            path = root / replies_name(new.suite)
            with replacing(path) as file:
                for line in copy_sessions(blessing.runs[0], new.suite):
                    file.write(line)
            yield path
