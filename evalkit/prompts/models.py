"""What is known of the models a prompt may name: limits, thinking kinds, retirement; from `models.yaml`, no prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from evalkit.yamlsource import decode, parse_yaml

# Models that refuse to compact. Source: the Models API's capabilities, November 2026.
WITHOUT_COMPACTION = frozenset({"claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"})
_SUFFIX = re.compile(r"(@[0-9]{8}|-[0-9]{8}|-latest)?(-v[0-9]+(:[0-9]+)?)?$")


@dataclass(frozen=True)
class ModelFacts:
    """Limits of a model, in tokens; `characters` estimates how many characters make a token."""

    context: int
    output: int
    cacheable: int
    thinking: tuple[str, ...]
    effort: bool
    characters: float


def base_name(model: str) -> str:
    """Return a model's id without prefix, date or version of a platform (`us.anthropic.claude-...-v1:0`)."""
    start = model.find("claude-")
    return _SUFFIX.sub("", model[start:] if start > 0 else model)


def facts_of(model: str) -> ModelFacts | None:
    """Return what is known of a model, or None."""
    return known_models().get(base_name(model))


def retirement_of(model: str) -> str | None:
    """Return the day (YYYY-MM-DD) a deprecated model stops answering, or None."""
    day = _table()["retirement"].get(base_name(model))
    return str(day) if day else None


@cache
def known_models() -> Mapping[str, ModelFacts]:
    """Return every model of the table."""
    models: Mapping[str, Mapping[str, Any]] = _table()["models"]
    return {name: ModelFacts(**{**facts, "thinking": tuple(facts["thinking"])}) for name, facts in models.items()}


@cache
def _table() -> Mapping[str, Any]:
    file = files("evalkit.prompts") / "models.yaml"
    table: Mapping[str, Any] = parse_yaml(decode(file.read_bytes(), "models.yaml")).value()
    return table
