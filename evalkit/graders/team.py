"""A team's own graders: functions that installed packages register, named in suites, called like any other grader.

A package registers a function under the entry point group `evalkit.graders`. It takes a transcript and, if it wants
any, parameters whose type (a pydantic model or a dataclass) stands in its annotation, and returns a Finding. The
package's code is trusted as far as it was installed; what it breaks is told and never ends a run.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import orjson

from evalkit.graders.findings import not_measured
from evalkit.records import Assertion, Finding, JsonObject, Transcript

GROUP = "evalkit.graders"


@dataclass(frozen=True)
class TeamGrader:
    """A registered function, ready to be called; `params_type` is None when it takes a transcript only."""

    name: str
    function: Callable[..., Any]
    params_type: Any | None


@dataclass(frozen=True)
class BadParams:
    """What is wrong with one of a grader's parameters; `path` leads to it, `known` are the keys that there are."""

    path: tuple[str | int, ...]
    message: str
    known: tuple[str, ...] = ()
    is_unknown: bool = False


class Unusable(Exception):
    """A team's grader can't be called; the text says why."""


def team_graders() -> tuple[str, ...]:
    """Return the names of all graders that installed packages register."""
    return tuple(sorted(_registered(tuple(sys.path))))


def find_team_grader(name: str) -> TeamGrader:
    """Import and return a registered grader; Unusable when there is none or it can't be used."""
    return _load(name, tuple(sys.path))


def params_problems(grader: TeamGrader, given: JsonObject) -> Iterator[BadParams]:
    """Yield what is wrong with parameters, as a suite gives them."""
    known = _names(grader.params_type)
    if known is not None:
        unknown = [key for key in given if key not in known]
        yield from (BadParams((key,), f"unknown key {key!r}", known, is_unknown=True) for key in unknown)
        given = {key: value for key, value in given.items() if key in known}
    if grader.params_type is None:
        return
    from pydantic import ValidationError

    try:
        _read(grader.params_type, given)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            yield BadParams(tuple(item["loc"]), str(item["msg"]))


def team(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require what a team's own function requires.

    Why: some of what a team checks is nobody else's. Example: `team: [{grader: polite_close, with: {words: 3}}]`. An
    error in it leaves the assertion not measured. Instead of a function for what a rule can say, write the rule.
    """
    name, given = str(assertion.params["grader"]), assertion.params["with"]
    try:
        grader = find_team_grader(name)
        arguments = () if grader.params_type is None else (_read(grader.params_type, given),)
        found = grader.function(transcript, *arguments)
    except Unusable as exc:
        return not_measured(str(exc), assertion.turn)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - another team's code: whatever it raises, the run goes on
        return not_measured(f"grader {name!r} broke: {type(exc).__name__}: {exc}", assertion.turn)
    wrong = _misfit(found, transcript)
    return not_measured(f"grader {name!r} {wrong}", assertion.turn) if wrong else found


def _misfit(found: object, transcript: Transcript) -> str:
    """Return why a grader's answer can't stand, or an empty text."""
    if not isinstance(found, Finding):
        return f"returned {type(found).__name__}; expected an evalkit.records.Finding"
    lengths = {turn.n: len(turn.reply) for turn in transcript.turns}
    for span in found.spans:
        if not 0 <= span.start <= span.end <= lengths.get(span.turn, -1):
            return f"marked characters {span.start} to {span.end} of turn {span.turn}, which are not there"
    return ""


@lru_cache(maxsize=8)
def _registered(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Return the entry points by name, read once for each search path."""
    del path
    return {entry.name: entry for entry in entry_points(group=GROUP)}


@lru_cache(maxsize=256)
def _load(name: str, path: tuple[str, ...]) -> TeamGrader:
    registered = _registered(path)
    if name not in registered:
        raise Unusable(f"no installed package registers a grader {name!r}")
    try:
        function = registered[name].load()
        return TeamGrader(name, function, _params_type(function))
    except Unusable as exc:
        raise Unusable(f"grader {name!r} {exc}") from exc
    except (Exception, SystemExit) as exc:
        raise Unusable(f"grader {name!r} can't be loaded: {type(exc).__name__}: {exc}") from exc


def _params_type(function: object) -> Any | None:
    """Return the type of a grader's second parameter; None when it has only the first."""
    if not callable(function):
        raise Unusable("is no function")
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [one for one in inspect.signature(function).parameters.values() if one.kind in positional]
    if len(parameters) == 1:
        return None
    annotation = typing.get_type_hints(function).get(parameters[1].name) if len(parameters) == 2 else None
    if annotation is None or _names(annotation) is None:
        raise Unusable("must take a transcript and a pydantic model or dataclass, or a transcript alone")
    return annotation


def _names(params_type: Any | None) -> tuple[str, ...] | None:
    """Return the keys that parameters of a type may have; None when it is not a type for parameters."""
    if params_type is None:
        return ()
    if is_dataclass(params_type):
        return tuple(field.name for field in fields(params_type))
    from pydantic import BaseModel

    if isinstance(params_type, type) and issubclass(params_type, BaseModel):
        return tuple(field.alias or name for name, field in params_type.model_fields.items())
    return None


def _read(params_type: Any, given: JsonObject) -> Any:
    """Return parameters as their type, without converting one kind of value into another."""
    return _adapter(params_type).validate_json(orjson.dumps(given, default=dict), strict=True)


@lru_cache(maxsize=256)
def _adapter(params_type: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(params_type)
