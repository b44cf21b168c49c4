"""`[tool.evalkit]` of the project's pyproject.toml: defaults for options, and prices."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from evalkit.errors import FileProblems, UsageError
from evalkit.records import Place

KNOWN = frozenset({"max_cost", "max_time", "jobs", "platform", "prices"})


def load_config(root: Path) -> dict[str, Any]:
    """Return the table, empty when there is none; FileProblems when it can't be read or has an unknown key."""
    path = root / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("evalkit", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise FileProblems.at(Place("pyproject.toml"), f"not readable as TOML: {exc}") from exc
    unknown = sorted(set(table) - KNOWN)
    if unknown:
        known = ", ".join(sorted(KNOWN))
        msg = f"pyproject.toml: unknown key {unknown[0]!r} in [tool.evalkit]; expected one of {known}."
        raise UsageError(msg)
    return dict(table)
