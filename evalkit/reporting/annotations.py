"""What GitHub shows at the lines of a pull request: one annotation for each case that did not pass, worst first.

GitHub keeps ten errors and ten warnings of a step and drops the rest in silence, so nine are given and the tenth says
how many more there are. Source: docs.github.com, workflow commands, read November 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evalkit import github
from evalkit.records import CaseSummary, CaseVerdict, Details, GateResult, Place, RunVerdict, Summary, Trial
from evalkit.reporting.finished_run import broken_cases, failed_scores, marks_of
from evalkit.reporting.safe_text import one_line, shorten_middle
from evalkit.reporting.wording import row_in_words, seen_in_words, trials_in_words

SHOWN = 9
LENGTH = 1000


@dataclass(frozen=True)
class Annotation:
    """One remark at a line."""

    severity: Literal["error", "warning"]
    place: Place
    title: str
    message: str


def render_annotations(summary: Summary, gate: GateResult, details: Details, folder: str = "") -> str:
    """Return the workflow commands, a line each: what turned the run red as errors, what is only shown as warnings.

    `folder` is where the project stands inside its repository, from whose top GitHub counts: `services/shop/`.
    """
    found = [_annotation(case, details.get(case.key)) for case in broken_cases(summary.cases)]
    errors = [each for each in found if each.severity == "error"]
    warnings = [each for each in found if each.severity == "warning"]
    if gate.verdict is not RunVerdict.PASSED and not errors:
        errors = [Annotation("error", Place(""), "evalkit", gate.sentence)]
    shown = (*_at_most(errors), *_at_most(warnings))
    return "".join(f"{workflow_command(replace(each, place=each.place.below(folder)))}\n" for each in shown)


def workflow_command(annotation: Annotation) -> str:
    """Return an annotation as GitHub's runner reads it; nothing in it can begin another command."""
    message = shorten_middle(one_line(annotation.message), LENGTH)
    return github.annotation(annotation.severity, annotation.place, one_line(annotation.title), message)


def _annotation(case: CaseSummary, trial: Trial | None) -> Annotation:
    weighs = case.gated and case.verdict is not CaseVerdict.UNSTABLE
    score = next(iter(failed_scores(trial)), None)
    marks = "".join(f"{mark}, " for mark in marks_of(case) if case.gated or mark == row_in_words(case))
    why = f"{score.assertion.label}: {seen_in_words(score.finding)}" if score else case.why
    return Annotation(
        "error" if weighs else "warning",
        score.assertion.place if score else case.place,
        case.case_id,
        f"{case.verdict}, {marks}{trials_in_words(case)}. {why}",
    )


def _at_most(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Return nine annotations, and a tenth that counts the rest."""
    if len(annotations) <= SHOWN + 1:
        return [*annotations]
    rest = f"{len(annotations) - SHOWN} more cases like these did not pass; the report has them all."
    return [*annotations[:SHOWN], Annotation(annotations[0].severity, Place(""), "evalkit", rest)]
