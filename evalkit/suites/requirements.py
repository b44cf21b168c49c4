"""What a suite file asks for, as requirements: each `expect` and `budget` taken apart into its graders.

Knows where things stand in the file, and which mappings hold graders' keys; what a grader demands is its own affair.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from evalkit.graders import Grader, Requirement
from evalkit.graders.grader import Fault
from evalkit.graders.judge import Criterion
from evalkit.graders.registry import made_from
from evalkit.graders.text import TextGrader
from evalkit.graders.tools import NoTools
from evalkit.records import Assertion, JsonObject, Place, Problem
from evalkit.suites.format import BudgetFile, Expect, NoToolsExpect
from evalkit.suites.values import JudgeSettings, ToolMention
from evalkit.yamlsource import FileModel, Source, ValuePath
from evalkit.yamlsource.source import ListNode


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

    def mention(self, name: str, path: ValuePath, given: JsonObject | None = None, *, key: bool = True) -> None:
        """Note that a tool is named by the key at a path (or its value), with an input that it is given there."""
        path = self._as_written(path)
        place = self.source.key_place(path) if key else self.source.place(path)
        self.mentions.append(ToolMention(name, place, given, path))

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
            grader = grader.put_to(self.judge.model, self.judge.votes, enforced=self.judge.enforce)
        return Requirement.of(grader, self.source.key_place(self._as_written(path)), turn)

    def _as_written(self, path: ValuePath) -> ValuePath:
        """Return a path without the index of an entry whose list of one the file leaves out."""
        node = self.source.node
        return tuple(
            step for n, step in enumerate(path) if isinstance(step, str) or isinstance(node(path[:n]), ListNode)
        )


def described(assertion: Assertion) -> JsonObject:
    """Return what an assertion demands without where it stands, for a case's hash."""
    return {"kind": assertion.kind, "params": assertion.params, "turn": assertion.turn, "level": assertion.level.value}
