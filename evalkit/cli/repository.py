"""Where a project stands inside its repository, so that GitHub finds the lines that are meant.

Asks git, and GitHub's own variable where git can't tell.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def folder_in_repository(root: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Return a project's folder from the top of its repository, as `services/shop/`; empty where it is the top."""
    from evalkit.prompts.git import top_of

    workspace = environment.get("GITHUB_WORKSPACE")
    top = top_of(root) or (Path(workspace) if workspace else None)
    if top is None or not root.resolve().is_relative_to(top.resolve()):
        return ""
    inside = root.resolve().relative_to(top.resolve()).as_posix()
    return "" if inside == "." else f"{inside}/"


def current_folder(environment: Mapping[str, str] = os.environ) -> str:
    """Return the same for the project of the current folder; empty where there is none."""
    from evalkit.cli.project_root import find_root
    from evalkit.errors import UsageError

    try:
        return folder_in_repository(find_root(), environment)
    except UsageError:
        return ""
