"""What is known of the models that a prompt may name: limits, what they take, their defaults, the day they retire.

Reads `models.yaml`, the one table, and knows how platforms spell a model's id. No prices (`evalkit/pricing.py`), and
nothing of prompts: what a prompt's settings come to on a model is `evalkit/prompts/fitting.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from evalkit.yamlsource import decode, did_you_mean, parse_yaml

_SUFFIX = re.compile(r"(@[0-9]{8}|-[0-9]{8}|-latest)?(-v[0-9]+(:[0-9]+)?)?$")


@dataclass(frozen=True)
class ModelFacts:
    """What a model takes and what it does where a request does not say.

    `context`, `output` and `cacheable` (the shortest prefix that is cached) are in tokens; `characters` estimates how
    many characters make one. `effort` is the level it works at where none is asked for, None for a model that takes
    none. `thinks` says whether it thinks where nothing is said about thinking.
    """

    context: int
    output: int
    cacheable: int
    thinking: tuple[str, ...]
    thinks: bool
    effort: str | None
    forced_tools: Literal["accepted", "not while thinking", "rejected"]
    sampling: bool
    compacts: bool
    characters: float


def base_name(model: str) -> str:
    """Return a model's id without prefix, date or version of a platform (`us.anthropic.claude-...-v1:0`)."""
    start = model.find("claude-")
    return _SUFFIX.sub("", model[start:] if start > 0 else model)


def facts_of(model: str) -> ModelFacts | None:
    """Return what is known of a model, or None."""
    return known_models().get(base_name(model))


def retirement_of(model: str) -> date | None:
    """Return the day from which a model answers no more; None for one that no end is known of."""
    day = _table()["retirement"].get(base_name(model))
    return date.fromisoformat(str(day)) if day else None


def problems_of_model(model: str, today: date) -> Iterator[tuple[str, Literal["error", "warning"]]]:
    """Yield what is to be said of a model that is retired, will be, or is not in the table; with its severity."""
    last = retirement_of(model)
    if last is not None and last <= today:
        yield f"model {model!r} is retired: it has not answered since {_day(last)}. Choose a newer one.", "error"
    elif last is not None:
        message = f"model {model!r} is deprecated: it answers until {_day(last)}. Try a newer one in time: "
        yield f"{message}evalkit compare PROMPT PROMPT+MODEL.", "warning"
    elif facts_of(model) is None:
        hint = did_you_mean(model, known_models())
        yield f"model {model!r} is not in the table of models{hint}; its limits can't be checked.", "warning"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


@cache
def known_models() -> Mapping[str, ModelFacts]:
    """Return every model of the table, the newest first."""
    usual: Mapping[str, Any] = _table()["usual"]
    return {name: _facts({**usual, **own}) for name, own in _table()["models"].items()}


def _facts(line: Mapping[str, Any]) -> ModelFacts:
    effort = None if line["effort"] == "none" else line["effort"]
    return ModelFacts(**{**line, "thinking": tuple(line["thinking"]), "effort": effort})


@cache
def _table() -> Mapping[str, Any]:
    file = files("evalkit.prompts") / "models.yaml"
    table: Mapping[str, Any] = parse_yaml(decode(file.read_bytes(), "models.yaml")).value()
    return table
