"""The first line of a run: what it takes to repeat it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from evalkit.distribution import installed_versions
from evalkit.records import RunHeader, Source
from evalkit.runner.project import Asked, Project


def utc_now() -> str:
    """Return the time as RFC 3339 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_header(run_id: str, source: Source, project: Project, asked: Asked) -> RunHeader:
    """Return the header of a run that starts now."""
    commit, dirty = _git_state(project.root)
    return RunHeader(
        run_id=run_id,
        started=utc_now(),
        source=source,
        command=asked.command,
        settings=asked.settings.to_json(),
        versions=installed_versions(),
        git_commit=commit,
        git_dirty=dirty,
        prices=project.prices,
    )


def _git_state(root: Path) -> tuple[str | None, bool]:
    """Return the commit and whether files differ from it; None where there is no git repository."""
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None, False
    return commit, bool(_git(root, "status", "--porcelain", "--", "prompts", "suites", "pyproject.toml"))


def _git(root: Path, *args: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(root), *args],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
