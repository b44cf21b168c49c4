"""A voice file against itself: its `good` and `bad` examples are graded, so that a rule is tested like code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from evalkit.records import Problem, TrialVerdict
from evalkit.suites.values import Suite
from evalkit.suites.voice import Voice
from evalkit.yamlsource import shown


def check_examples(voice: Voice) -> list[Problem]:
    """Return a problem for every good example that breaks its rule and every bad one that keeps it."""
    problems = []
    for rule in voice.rules:
        for text, path, keeps in rule.examples:
            grader = rule.requirement().grader
            finding = grader.grade_text(text)  # type: ignore[attr-defined]
            if finding.verdict is TrialVerdict.NOT_MEASURED:
                message = f"rule {rule.id!r} can't be tried on this example: {finding.observed or finding.note}."
            elif (finding.verdict is TrialVerdict.PASSED) == keeps:
                continue
            elif keeps:
                found = f" ({finding.observed})" if finding.observed else ""
                message = f"a good example breaks rule {rule.id!r}{found}; change the rule or the example."
            else:
                message = f"a bad example keeps rule {rule.id!r}: {shown(text)}; change the rule or the example."
            problems.append(voice.source.problem(path, message))
    return problems


def unused_rules(voice: Voice, suites: Iterable[Suite]) -> list[Problem]:
    """Return a warning for every rule that applies to no case of the suites that name this voice file."""
    file = voice.source.file
    using = [suite for suite in suites if file in suite.files]
    if not using:
        return [voice.source.problem((), "no suite names this voice file; its rules are never applied.", "warning")]
    applied = {
        assertion.rule
        for suite in using
        for case in suite.cases
        for assertion in case.record.assertions
        if assertion.place.file == file
    }
    severity: Literal["error", "warning"] = "warning"
    return [
        voice.source.problem_at(rule.place, f"rule {rule.id!r} is switched off in every case; remove it.", severity)
        for rule in voice.rules
        if rule.id not in applied
    ]
