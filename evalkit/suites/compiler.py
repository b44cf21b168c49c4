"""From a suite's keys to what they mean: requirements, fixtures and worlds, each at its place, and all problems.

Knows graders and the file's models; what a whole case is made of is in `cases.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from evalkit.graders import Grader, Requirement
from evalkit.graders.grader import Fault
from evalkit.graders.judge import Criterion
from evalkit.graders.matching import value_faults, without_choices
from evalkit.graders.registry import made_from
from evalkit.graders.text import TextGrader
from evalkit.graders.tools import NoTools
from evalkit.records import JsonObject, Place, Problem
from evalkit.suites.format import (
    CaseFile,
    Expect,
    FixtureFile,
    NoToolsExpect,
    SuiteFile,
)
from evalkit.suites.limits import BudgetFile
from evalkit.suites.values import Fixture, JudgeSettings, ToolMention
from evalkit.world import World, WorldFile, read_world
from evalkit.yamlsource import FileModel, Source, ValuePath
from evalkit.yamlsource.nodes import ListNode


class Compiler:
    """Compiles one suite file; collects what is wrong with it, and every tool that it names."""

    def __init__(self, source: Source, judge: JudgeSettings) -> None:
        self.source = source
        self.judge = judge
        self.problems: list[Problem] = []
        self.mentions: list[ToolMention] = []

    def problem(
        self, path: ValuePath, message: str, severity: Literal["error", "warning"] = "error", *, key: bool = False
    ) -> None:
        """Note a problem of the value at a path, or of its key."""
        self.problems.append(self.source.problem(path, message, severity, key=key))

    def fault(self, path: ValuePath, fault: Fault) -> None:
        """Note what a grader finds wrong with its values; `path` is that of the mapping it stands in."""
        self.problem(self._as_written((*path, *fault.path)), fault.message, key=fault.on_key)

    def mention(
        self, name: str, path: ValuePath, given: JsonObject | None = None, *, key: bool = True, known: bool = False
    ) -> None:
        """Note that a tool is named by the key at a path (or its value), with an input that it is given there.

        `known`: its name is a mention of its own.
        """
        path = self._as_written(path)
        place = self.source.key_place(path) if key else self.source.place(path)
        self.mentions.append(ToolMention(name, place, given, path, known))

    def expect(self, expect: Expect | None, path: ValuePath, turn: int | None = None) -> tuple[Requirement, ...]:
        """Return what one `expect` demands of turn `turn`, or of the whole conversation."""
        if expect is None:
            return ()
        made = [*self._mapping(expect, "", path, turn)]
        if expect.normalise and not any(isinstance(one.grader, TextGrader) for one in made):
            message = "`normalise` says how texts are read, but nothing is expected of a text here."
            self.problem((*path, "normalise"), message, key=True)
        if isinstance(expect.tools, NoToolsExpect):
            made.append(self._requirement(NoTools(), (*path, "tools"), turn))
        elif expect.tools is not None:
            made.extend(self._mapping(expect.tools, "tools", (*path, "tools"), turn))
        if expect.outcome is not None:
            if turn is not None:
                message = "'outcome' is about the whole conversation; move it to the expect of the case."
                self.problem((*path, "outcome"), message, key=True)
            # Named here and not by graders: the key may stand beside any of them, and two of them share it.
            for n, name in enumerate(expect.outcome.write_tools or ()):
                self.mention(name, (*path, "outcome", "write_tools", n))
            made.extend(self._mapping(expect.outcome, "outcome", (*path, "outcome"), turn))
        return tuple(made)

    def budget(
        self, suite: BudgetFile | None, case: BudgetFile | None, case_path: ValuePath
    ) -> tuple[Requirement, ...]:
        """Return the limits of a case: the suite's, key by key under its own."""
        given: dict[str, Any] = {}
        places: dict[str, Place] = {}
        for budget, path in ((suite, ("budget",)), (case, (*case_path, "budget"))):
            for name in budget.model_fields_set if budget else ():
                given[name], places[name] = getattr(budget, name), self.source.key_place((*path, name))
        if not given:
            return ()
        # Not validated again: the values come from two budgets that have been read already.
        graders = made_from(BudgetFile.model_construct(**given), "budget")
        made = [Requirement.of(part, places[grader.key()]) for grader in graders for _, part in grader.parts()]
        return tuple(sorted(made, key=lambda one: one.assertion.kind))

    def _mapping(self, values: FileModel, mapping: str, path: ValuePath, turn: int | None) -> Iterator[Requirement]:
        """Yield what the keys of a mapping demand."""
        for grader in made_from(values, mapping):
            for at, part in grader.parts():
                yield self._requirement(part, (*path, *at), turn)
            for fault in grader.problems():
                self.fault(path, fault)
            for name, at, given in grader.mentions():
                self.mention(name, (*path, *at), given)

    def _requirement(self, grader: Grader, path: ValuePath, turn: int | None) -> Requirement:
        if isinstance(grader, Criterion):
            grader = grader.put_to(self.judge.model, self.judge.votes, enforced=bool(self.judge.enforce))
        return Requirement.of(grader, self.source.key_place(self._as_written(path)), turn)

    def _as_written(self, path: ValuePath) -> ValuePath:
        """Return a path without the index of an entry whose list of one the file leaves out."""
        nodes = self.source.along(path)
        lists = [isinstance(node, ListNode) for node in nodes] + [False] * len(path)
        return tuple(step for step, in_list in zip(path, lists, strict=False) if in_list or isinstance(step, str))


Fixtures = Mapping[str, tuple[Fixture, ...]]
ANY_TEXT = "/./"
"""An input that may be anything: texts between slashes stand for any value (`against_prompt.py`)."""


def compile_fixtures(
    compiler: Compiler, tools: Mapping[str, list[FixtureFile]], path: ValuePath
) -> dict[str, tuple[Fixture, ...]]:
    """Return the fixtures of one `tools` block, by tool."""
    made: dict[str, tuple[Fixture, ...]] = {}
    for tool, entries in tools.items():
        compiler.mention(tool, (*path, tool))
        if not entries:
            compiler.problem((*path, tool), f"tool {tool!r} has no answers; expected at least one.")
        fixtures: list[Fixture] = []
        for index, entry in enumerate(entries):
            at = (*path, tool, index)
            if entry.when:
                compiler.mention(tool, (*at, "when"), without_choices(entry.when), known=True)
                for fault in value_faults(entry.when, ("when",)):
                    compiler.fault(at, fault)
            place = compiler.source.place(at)
            fixture = Fixture(tool, entry.when, entry.returns, entry.error, entry.times, entry.delay_ms, place)
            earlier = next((one for one in fixtures if one.times is None and _contains(entry.when, one.when)), None)
            if earlier is not None:
                what = "the same calls" if earlier.when else "every call"
                line = earlier.place.line
                message = f"never reached: the entry on line {line} answers {what} first. Move it up or remove it."
                compiler.problem(at, message, "warning")
            fixtures.append(fixture)
        made[tool] = tuple(fixtures)
    return made


def _contains(whole: Any, part: Any) -> bool:
    """Say whether `part` is a subset of `whole`: mappings key by key, everything else equal with its type."""
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and _contains(whole[key], value) for key, value in part.items())
    return type(whole) is type(part) and bool(whole == part)


def compile_world(
    compiler: Compiler,
    file: WorldFile | None,
    path: ValuePath,
    inputs_of: Sequence[SuiteFile | CaseFile],
    *,
    base: World | None = None,
    over: Iterable[CaseFile] = (),
) -> World | None:
    """Return the world at a path, over `base`; `over` are the cases whose own worlds will stand over it.

    Its templates may use the inputs of `inputs_of`; their values are the case's.
    """
    if file is None:
        return base
    givers = [
        *inputs_of,
        *(variant for one in inputs_of if isinstance(one, CaseFile) for variant in one.variants or ()),
    ]
    names = {name for one in givers for name in one.inputs}
    worlds = [one.world for one in over if one.world]
    read = read_world(compiler.source, path, file, base=base, inputs=names, over=worlds)
    compiler.problems += read.problems
    for used in read.used:
        given = {used.input: ANY_TEXT} if used.input else None
        compiler.mention(used.tool, used.path, given, known=given is not None)
    return read.world
