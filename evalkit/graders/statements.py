"""Ready-made statements for judges, by name, in wordings that never change once they are out.

Labels belong to a text, so a name without a version means the newest wording and a name with one stays what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from evalkit.yamlsource import decode, did_you_mean, parse_yaml, shown

PREFIX = "builtin/"


@dataclass(frozen=True)
class ReadyStatement:
    """A wording: its name with its version, what it demands in a few words, where it belongs, and what is asked."""

    name: str
    title: str
    place: str
    text: str


@cache
def ready_statements() -> Mapping[str, ReadyStatement]:
    """Return every wording by each name that a suite may use: `builtin/complete@v1`, and for the newest without it."""
    data = (files("evalkit.graders") / "statements.yaml").read_bytes()
    value: Mapping[str, Any] = parse_yaml(decode(data, "statements.yaml")).value()
    found: dict[str, ReadyStatement] = {}
    for name, versions in value.items():
        for version, wording in versions.items():
            made = ReadyStatement(f"{PREFIX}{name}@{version}", **wording)
            found |= {made.name: made, f"{PREFIX}{name}": made}
    return found


def fault_of(statement: str) -> str:
    """Return what is wrong with a statement that names a ready-made one; empty where nothing is."""
    known = ready_statements() if statement.startswith(PREFIX) else {}
    if not known or statement in known:
        return ""
    newest = ", ".join(name for name in known if "@" not in name)
    return f"no ready-made statement {shown(statement)}{did_you_mean(statement, known)}; there are {newest}."


def text_of(statement: str) -> str:
    """Return what a judge is asked: the text behind the name of a ready-made statement, or the statement itself."""
    ready = ready_statements().get(statement) if statement.startswith(PREFIX) else None
    return ready.text if ready else statement


def short_text(criterion: str) -> str:
    """Return what a judge was asked as reports show it: a ready-made text by its name and what it demands."""
    ready = (one for one in ready_statements().values() if one.text == criterion)
    return next((f"{one.name} ({one.title})" for one in ready), criterion)
