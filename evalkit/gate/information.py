"""The verdict of a run that was played for information: of a prompt version that is not live, and can't fail anything.

Knows only words and results; why such a run is played is the runner's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalkit.errors import ExitCode
from evalkit.records import GateResult, RunVerdict, SuiteSummary
from evalkit.wording import first_of


def why_in_words(reasons: Sequence[str]) -> str:
    """Return the first reason, and how many more there are."""
    return first_of(reasons, 1)


def as_information(result: GateResult, suites: Iterable[SuiteSummary]) -> GateResult:
    """Return a result that tells the same and ends with 0; an interrupted run stays interrupted."""
    if result.verdict is RunVerdict.INTERRUPTED:
        return result
    refs = ", ".join(dict.fromkeys(suite.record.prompt_ref for suite in suites)) or "nothing"
    why = why_in_words(result.reasons)
    found = {
        RunVerdict.PASSED: "it would pass",
        RunVerdict.NO_VERDICT: f"no verdict, {why}",
        RunVerdict.NOTHING_SELECTED: "no case was selected",
    }.get(result.verdict, why)
    rest = result.sentence.removeprefix(f"{result.verdict.value.capitalize()}: ").removeprefix(f"{why}; ")
    sentence = f"{refs}, not live yet: {found} (for information); {rest}"
    return GateResult(ExitCode.PASSED, RunVerdict.INFORMATION, sentence, result.reasons, result.notes)
