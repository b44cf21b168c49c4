"""The judge of a suite: which model answers its judge criteria, and whether it may fail a trial.

Knows that a judge is advice until people's labels show that it can be trusted, criterion by criterion; must not ask it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalkit.errors import FileProblems
from evalkit.graders import Requirement, requirement_of
from evalkit.graders.judge import KINDS, JudgeRule
from evalkit.graders.judge_question import WORDING
from evalkit.labels import AGREEMENT_FLOOR, LABELS_FLOOR, labels_file, measure_agreement, read_labels
from evalkit.records import Assertion, Level, Problem
from evalkit.suites.expect_schema import Expect
from evalkit.suites.schema import JudgeFile
from evalkit.suites.values import Case, JudgeSettings
from evalkit.yamlsource import Source, ValuePath


def judge_settings(file: JudgeFile | None) -> JudgeSettings:
    """Return a suite's judge, with what is left out filled in."""
    file = file or JudgeFile.model_validate({})
    return JudgeSettings(file.model, file.votes, file.enforce, WORDING)


def compile_judge(source: Source, expect: Expect, path: ValuePath) -> Iterator[Assertion]:
    """Yield the judge criteria of an `expect`; `Judged` says later who answers them."""
    for index, criterion in enumerate(expect.judge or ()):
        place = source.place((*path, "judge", index))
        yield Assertion("judge", {"criterion": criterion}, place, f'judge "{criterion}"', level=Level.WARNING)


@dataclass(frozen=True)
class Judged:
    """Completes judge criteria: who answers, and how much it weighs. One value for a rule that all cases share."""

    settings: JudgeSettings
    _made: dict[int, tuple[Assertion, Assertion]] = field(default_factory=dict)
    _rules: dict[int, tuple[Requirement, Requirement]] = field(default_factory=dict)

    def requirement(self, requirement: Requirement) -> Requirement:
        """Return the requirement, completed if a judge answers it."""
        if requirement.assertion.kind not in KINDS:
            return requirement
        return (
            self._rule(requirement, requirement.grader)
            if isinstance(requirement.grader, JudgeRule)
            else (requirement_of(self(requirement.assertion)))
        )

    def _rule(self, requirement: Requirement, rule: JudgeRule) -> Requirement:
        known = self._rules.get(id(requirement))
        if known is None:
            settings, assertion = self.settings, requirement.assertion
            asked = {"criterion": rule.message, "model": settings.model, "votes": settings.votes}
            grader = rule.model_copy(update=asked)
            level = assertion.level if settings.enforce else Level.WARNING
            known = requirement, Requirement(replace(assertion, params=grader.params(), level=level), grader)
            self._rules[id(requirement)] = known
        return known[1]

    def __call__(self, assertion: Assertion) -> Assertion:
        """Return the assertion, completed if a judge answers it."""
        if assertion.kind not in KINDS:
            return assertion
        known = self._made.get(id(assertion))
        if known is None:
            known = self._made[id(assertion)] = (assertion, self._completed(assertion))
        return known[1]

    def _completed(self, assertion: Assertion) -> Assertion:
        settings, given = self.settings, dict(assertion.params)
        params: dict[str, Any] = {"criterion": given.pop("message", None), **given}
        params |= {"model": settings.model, "votes": settings.votes}
        enforced = Level.ERROR if assertion.kind == "judge" else assertion.level
        return replace(assertion, params=params, level=enforced if settings.enforce else Level.WARNING)


def criteria_of(cases: Iterable[Case]) -> tuple[str, ...]:
    """Return every statement that a judge answers in these cases, once, in order."""
    judged = (one for case in cases for one in case.record.assertions if one.kind in KINDS)
    return tuple(dict.fromkeys(str(one.params["criterion"]) for one in judged))


def check_enforced(source: Source, root: Path, settings: JudgeSettings, cases: Iterable[Case]) -> list[Problem]:
    """Return a problem for each criterion that is enforced although labels don't show that its judge can be trusted."""
    if not settings.enforce:
        return []
    path = ("judge", "enforce")
    try:
        labels = read_labels(root, labels_file(source.file))
    except FileProblems as error:
        return list(error.problems)
    problems = []
    for criterion in criteria_of(cases):
        found = measure_agreement(labels, criterion, settings.model, settings.wording)
        if not found.trusted:
            rate = "" if found.agreement is None else f" and agreement {found.agreement:.2f}"
            message = (
                f"{settings.model!r} has {found.labels} labels{rate} on {criterion!r}; enforcing a judge needs "
                f"{LABELS_FLOOR} labels and agreement {AGREEMENT_FLOOR:.2f} for this model and this wording. "
                "Label its answers with evalkit label, or leave `enforce` out."
            )
            problems.append(source.problem(path, message))
    return problems
