"""The judge of a suite: which model answers its judge criteria, and whether it may fail a trial.

Knows that a judge is advice until people's labels show that it can be trusted, criterion by criterion; must not ask it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from evalkit.errors import FileProblems
from evalkit.graders.judge import Criterion
from evalkit.graders.judge_question import WORDING
from evalkit.labels import AGREEMENT_FLOOR, LABELS_FLOOR, labels_file, measure_agreement, read_labels
from evalkit.records import Problem
from evalkit.suites.format import JudgeFile
from evalkit.suites.values import Case, JudgeSettings
from evalkit.yamlsource import Source


def judge_settings(file: JudgeFile | None) -> JudgeSettings:
    """Return a suite's judge, with what is left out filled in."""
    file = file or JudgeFile.model_validate({})
    return JudgeSettings(file.model, file.votes, file.enforce, WORDING)


def criteria_of(cases: Iterable[Case]) -> tuple[str, ...]:
    """Return every statement that a judge answers in these cases, once, in order."""
    graders = (one.grader for case in cases for one in case.requirements)
    return tuple(dict.fromkeys(one.criterion for one in graders if isinstance(one, Criterion)))


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
