"""A team's own graders: classes that installed packages register, named in suites, graded like any other.

A package registers a subclass of `Grader` under the entry point group `evalkit.graders`; its fields are the keys that
stand under `with`. The package's code is trusted as far as it was installed; what it breaks is told and never ends a
run.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from functools import cached_property, lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import ClassVar, Literal

import orjson
from pydantic import Field, ValidationError

from evalkit.graders.grader import Fault, Grader, Mention, not_measured
from evalkit.records import Finding, Level, Transcript
from evalkit.yamlsource import FileModel, JsonMap, Text, did_you_mean

GROUP = "evalkit.graders"


class Unusable(Exception):
    """A team's grader can't be called; the text says why."""


class TeamGrader(FileModel):
    """A grader of the team's own, registered by an installed package."""

    called: ClassVar[str] = "a team grader"
    grader: Text = Field(
        min_length=1, description="Its name in the entry point group evalkit.graders.", examples=["polite_close"]
    )
    with_: JsonMap = Field({}, alias="with", description="Its keys.", examples=[{"words": 3}])
    level: Literal["error", "warning"] = Field(
        "error", description="error fails the trial; warning is counted and shown.", examples=["warning"]
    )

    def made(self) -> Grader:
        """Return the grader with its keys; raises Unusable, ValidationError, or what the package's own code raises."""
        return find_team_grader(self.grader).model_validate_json(orjson.dumps(self.with_, default=dict))

    def faults(self) -> Iterator[Fault]:
        """Yield why it can't be called like this, `path` from its own mapping."""
        try:
            kind = find_team_grader(self.grader)
        except Unusable as exc:
            known = [] if self.grader in team_graders() else team_graders()
            hint = did_you_mean(self.grader, known) or (f"; there are {', '.join(known)}" if known else "")
            yield Fault(("grader",), f"{exc}{hint}.")
            return
        keys = [field.alias or name for name, field in kind.model_fields.items()]
        for key in self.with_.keys() - keys:
            message = f"grader {self.grader!r}: unknown key {key!r}{did_you_mean(key, keys)}."
            yield Fault(("with", key), message, on_key=True)
        given = {key: value for key, value in self.with_.items() if key in keys}
        try:
            made = kind.model_validate_json(orjson.dumps(given, default=dict))
        except ValidationError as error:
            for item in error.errors(include_url=False):
                where = "".join(f"{step}." for step in item["loc"]).removesuffix(".")
                message = f"{where}: {item['msg']}" if where else item["msg"]
                yield Fault(("with", *item["loc"]), f"grader {self.grader!r}: {message}.")
        else:
            yield from (Fault(("with", *path), message, on_key) for path, message, on_key in made.problems())


class Team(Grader):
    """Require what a team's own grader requires.

    Why: some of what a team checks is nobody else's. Example: `team: [{grader: polite_close, with: {words: 3}}]`. An
    error in it leaves the assertion not measured. Instead of a class for what a rule can say, write the rule.
    """

    kind = "team"
    apart = True
    team: list[TeamGrader] = Field(min_length=1, examples=[[{"grader": "polite_close", "with": {"words": 3}}]])

    def label(self) -> str:
        return f"team {self.team[0].grader}"

    def severity(self) -> Level:
        return Level(self.team[0].level)

    def problems(self) -> Iterator[Fault]:
        for n, one in enumerate(self.team):
            yield from (Fault(("team", n, *path), message, on_key) for path, message, on_key in one.faults())

    def mentions(self) -> Iterator[Mention]:
        for n, one in enumerate(self.team):
            if not any(one.faults()):
                mentions = one.made().mentions()
                yield from (Mention(name, ("team", n, "with", *path), given) for name, path, given in mentions)

    @cached_property
    def its_own(self) -> Grader:
        """The team's grader itself."""
        return self.team[0].made()

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        name = self.team[0].grader
        try:
            found = self.its_own.grade(transcript, turn)
        except Unusable as exc:
            return not_measured(str(exc), turn)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - another team's code: whatever it raises, the run goes on
            return not_measured(f"grader {name!r} broke: {type(exc).__name__}: {exc}", turn)
        wrong = _misfit(found, transcript)
        return not_measured(f"grader {name!r} {wrong}", turn) if wrong else found


def team_graders() -> tuple[str, ...]:
    """Return the names of all graders that installed packages register."""
    return tuple(sorted(_registered(tuple(sys.path))))


def find_team_grader(name: str) -> type[Grader]:
    """Import and return a registered grader; Unusable when there is none or it can't be used."""
    return _load(name, tuple(sys.path))


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
def _load(name: str, path: tuple[str, ...]) -> type[Grader]:
    registered = _registered(path)
    if name not in registered:
        raise Unusable(f"no installed package registers a grader {name!r}")
    try:
        kind = registered[name].load()
    except (Exception, SystemExit) as exc:
        raise Unusable(f"grader {name!r} can't be loaded: {type(exc).__name__}: {exc}") from exc
    if not (isinstance(kind, type) and issubclass(kind, Grader)):
        raise Unusable(f"grader {name!r} is no subclass of evalkit.graders.Grader")
    if inspect.isabstract(kind):
        raise Unusable(f"grader {name!r} has no `grade`")
    return kind
