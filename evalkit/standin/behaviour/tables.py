"""The stand-in's tables (YAML beside this file), read once. Knows their shape; must not know what they are used
for."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def load_table(name: str) -> dict[str, Any]:
    """Return the table `name`.yaml of this package."""
    text = (files(__package__) / f"{name}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of our own tables; patterns from prompts and tools never come here."""
    return re.compile(pattern, re.IGNORECASE)


def matches_any(patterns: list[str], text: str) -> bool:
    """Say whether one of the table's patterns occurs in the text."""
    return any(compiled(pattern).search(text) for pattern in patterns)


def phrase(name: str) -> str:
    """Return one phrase of phrases.yaml."""
    return str(load_table("phrases")[name])


def habit(name: str) -> str:
    """Return one habitual phrase of phrases.yaml."""
    return str(load_table("phrases")["habits"][name])
