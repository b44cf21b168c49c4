"""`--changed-since`: narrows what was asked for to the suites that a change affects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.runner.changed import ChangeImpact


def narrow_targets(targets: Sequence[str], affected: ChangeImpact, root: Path) -> tuple[str, ...]:
    """Return the targets that are affected, or every affected suite when none was named; empty when nothing is left.

    A target that names no file stays, so that the run tells what is wrong with it.
    """
    suites = {(root / path).resolve(): path for path in affected.suites}
    if not targets:
        return tuple(str(path) for path in suites)
    return tuple(target for target in targets if _file(target, root) in (None, *suites))


def narrow_versions(targets: Sequence[str], affected: ChangeImpact, root: Path) -> dict[str, tuple[str, ...]]:
    """Return the versions that are measured for information, each with what was asked for of its suites."""
    if not targets:
        return {ref: tuple(str(root / path) for path in suites) for ref, suites in affected.versions.items()}
    chosen = {}
    for ref, suites in affected.versions.items():
        files = {(root / path).resolve() for path in suites}
        wanted = tuple(target for target in targets if _file(target, root) in files)
        if wanted:
            chosen[ref] = wanted
    return chosen


def _file(target: str, root: Path) -> Path | None:
    name = target.partition("::")[0]
    return next((path.resolve() for path in (Path(name), root / name) if path.is_file()), None)
