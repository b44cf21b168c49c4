"""`[tool.evalkit]` of the project's pyproject.toml: defaults for options (`max_time` in seconds), and prices."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import Duration
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
    if isinstance(table.get("max_time"), str):
        try:
            table["max_time"] = Duration().convert(table["max_time"], None, None)
        except click.BadParameter as exc:
            raise UsageError(f"pyproject.toml: max_time in [tool.evalkit]: {exc.message}") from exc
    return dict(table)
