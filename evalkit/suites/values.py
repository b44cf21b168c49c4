"""A suite as the runner takes it: frozen values, each knowing its line; no reading, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.content import UserContent
from evalkit.graders import Requirement
from evalkit.records import UNLABELLED, CaseRecord, Enforce, JsonObject, Place
from evalkit.suites.inputs import SuiteInputs
from evalkit.world import World
from evalkit.yamlsource import Source, ValuePath


@dataclass(frozen=True)
class Fixture:
    """What a tool answers when a call's input contains `when`: `returns` (a JSON value), or the message of an `error`.

    `times` is how many calls it answers before the next fixture is looked at; None means every call.
    """

    tool: str
    when: JsonObject
    returns: Any | None
    error: str | None
    times: int | None
    delay_ms: int
    place: Place


@dataclass(frozen=True)
class Simulation:
    """A user that a model plays: what it wants, who it is, and how many messages it may say.

    `script` is what it says on the stand-in, where nothing would be made up.
    """

    goal: str
    persona: str
    max_turns: int
    model: str
    script: tuple[str, ...] = ()


@dataclass(frozen=True)
class JudgeSettings:
    """Who answers a suite's judge criteria: the model, how many votes, whether it may fail a trial, in which words.

    `enforce` is False, True (labels vouch for the judge) or `unlabelled` (it may all the same).
    """

    model: str
    votes: int
    enforce: Enforce
    wording: str

    @property
    def unlabelled(self) -> str | None:
        """Its model, where it may fail a trial although no labels vouch for it."""
        return self.model if self.enforce == UNLABELLED else None


@dataclass(frozen=True)
class Case:
    """A case that can be played.

    `requirements` are its record's assertions, each with its grader. `fixtures` are by tool, the case's own before the
    suite's; `world` answers after them. `messages` are what the user says, `history` what was said before: Messages API
    messages, whose files may have keys of evalkit's own (see `evalkit/content`). `script` holds the steps of the
    stand-in. `origin` is where the case came from, as its author wrote it. `inputs` are those its prompt is rendered
    with, the suite's among them.
    """

    record: CaseRecord
    requirements: tuple[Requirement, ...]
    fixtures: Mapping[str, tuple[Fixture, ...]]
    messages: tuple[UserContent, ...] = ()
    history: tuple[JsonObject, ...] = ()
    script: tuple[JsonObject, ...] = ()
    origin: str = ""
    simulate: Simulation | None = None
    inputs: SuiteInputs = field(default_factory=SuiteInputs)
    world: World | None = None


@dataclass(frozen=True)
class Gate:
    """The limits of a suite: share of cases that must pass (0 to 1), dollars and seconds of a whole run.

    Against a baseline: how many cases may be clearly worse, how much more of each metric is allowed (0.1 for 10 %),
    whether cases may break when the suite as a whole is not worse, whether to go in stages, whether to go on until the
    margin is decided, and how many trials that may take.
    """

    pass_rate: float | None = None
    cost_usd: float | None = None
    time_s: float | None = None
    max_regressions: int | None = None
    max_increase: Mapping[str, float] | None = None
    trade_offs: bool | None = None
    adaptive: bool | None = None
    resolve: bool | None = None
    max_trials: int | None = None


@dataclass(frozen=True)
class ToolMention:
    """A tool's name in a suite, with an input it is given there; `path` leads to the input in the suite's file.

    `known` says that the name is a mention of its own, above this one.
    A `whole` input is all that the tool got, not only the arguments that matter.
    """

    name: str
    place: Place
    input: JsonObject | None
    path: ValuePath
    known: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Suite:
    """A suite file with its voice file, ready to run.

    `path` is relative to the project's root, `sha` is over the bytes of the suite file, `files` maps every file that
    was read to the SHA-256 of its bytes. `inputs` and `trials` are the suite's own; each case has its own. `voice_file`
    is empty without one; `rules` describes each brand-voice rule by id. `judge` is None when no criterion needs one.
    `mentions` lists every place that names a tool, for `check_against_prompt`. `fixtures` and `world` are the suite's
    own, without those of its cases.
    """

    path: str
    sha: str
    description: str
    prompt_ref: str
    inputs: Mapping[str, Any]
    gate: Gate
    trials: int
    cases: tuple[Case, ...]
    files: Mapping[str, str]
    place: Place
    fixtures: Mapping[str, tuple[Fixture, ...]] = field(default_factory=dict)
    world: World | None = None
    voice_file: str = ""
    rules: Mapping[str, JsonObject] = field(default_factory=dict)
    mentions: tuple[ToolMention, ...] = ()
    judge: JudgeSettings | None = None
    source: Source | None = field(default=None, compare=False, repr=False)
