"""Where the project begins: the folder that holds `suites/` or `prompts/`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.labels import Label


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder, from `start` (the current one) upwards, that looks like a project.

    A project has `suites/`, `prompts/`, or a pyproject.toml with a `[tool.evalkit]` table. Raises UsageError when there
    is none.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if _is_project(folder):
            return folder
    raise UsageError(f"{start}: no project here or above; expected a folder with suites/ or prompts/.")


def labels_of(suites: Iterable[str]) -> dict[str, tuple[Label, ...]]:
    """Return what people said about the judged replies of these suites; nothing outside of a project."""
    from evalkit.labels import labels_file, read_labels

    try:
        root = find_root()
    except UsageError:
        return {}
    return {suite: read_labels(root, labels_file(suite)) for suite in suites if not Path(suite).is_absolute()}


def _is_project(folder: Path) -> bool:
    if any((folder / name).is_dir() and not (folder / name / "__init__.py").exists() for name in ("suites", "prompts")):
        return True
    try:
        return "evalkit" in tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("tool", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
