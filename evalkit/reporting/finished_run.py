"""A finished run as its reports see it: the addresses to link to, what to look at first, and how to run it again.

Knows the order of badness and which turn a score speaks of; nothing of how any of it is shown.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from evalkit.records import (
    CaseSummary,
    CaseVerdict,
    Decision,
    Details,
    GateResult,
    Information,
    Place,
    RunComparison,
    Score,
    Summary,
    Trial,
)
from evalkit.reporting.wording import row_in_words

_SAME_QUESTION = frozenset({"-p", "--prompt", "--model", "--via", "--set", "--tools"})


@dataclass(frozen=True)
class Links:
    """Where a reader gets more: `report` is the address of the page, `files` of the repository at this commit.

    `folder` is where the project stands inside the repository, `services/shop/`; empty at its top.
    """

    report: str = ""
    files: str = ""
    folder: str = ""

    def of(self, place: Place) -> str:
        """Return the address of a line; empty where none is known."""
        if not self.files or place.file.startswith(("/", "..")):
            return ""
        line = f"#L{place.line}" if place.line else ""
        return f"{self.files}/{quote(place.below(self.folder).file)}{line}"


@dataclass(frozen=True)
class FinishedRun:
    """A run with its verdict, the trials that show why cases did not pass, and how it stands beside its baselines.

    `information` tells of versions that are not live and were measured beside it.
    """

    summary: Summary
    gate: GateResult
    details: Details = field(default_factory=dict)
    comparison: RunComparison | None = None
    links: Links = field(default_factory=Links)
    information: tuple[Information, ...] = ()

    @property
    def decision(self) -> Decision | None:
        """What comparing it has come to."""
        return self.comparison.decision if self.comparison else None


@dataclass(frozen=True)
class Entry:
    """A case that did not pass, or several that were not measured for the same reason."""

    case: CaseSummary
    others: tuple[CaseSummary, ...] = ()


def list_broken(cases: Iterable[CaseSummary]) -> list[Entry]:
    """Return the cases that did not pass, worst first; those not measured for one reason are one entry.

    Critical failures, failures, not measured (critical first), unstable, and last the cases that the gate only watches.
    """
    run = [case for case in cases if case.skip is None and case.verdict is not CaseVerdict.PASS]
    entries: list[Entry] = []
    by_reason: dict[tuple[bool, bool, str], int] = {}
    for case in sorted(run, key=_badness):
        reason = (case.gated, case.critical, case.why)
        if case.verdict is CaseVerdict.NOT_MEASURED and reason in by_reason:
            at = by_reason[reason]
            entries[at] = Entry(entries[at].case, (*entries[at].others, case))
            continue
        if case.verdict is CaseVerdict.NOT_MEASURED:
            by_reason[reason] = len(entries)
        entries.append(Entry(case))
    return entries


def broken_cases(cases: Iterable[CaseSummary]) -> list[CaseSummary]:
    """Return the cases that did not pass, worst first, each by itself."""
    return [case for entry in list_broken(cases) for case in (entry.case, *entry.others)]


def _badness(case: CaseSummary) -> tuple[bool, bool, int, bool]:
    order = (CaseVerdict.FAIL, CaseVerdict.NOT_MEASURED, CaseVerdict.UNSTABLE, CaseVerdict.PASS)
    passed = case.verdict is CaseVerdict.PASS
    return passed, not passed and not case.gated, order.index(case.verdict), not passed and not case.critical


def sort_worst_first(cases: Sequence[CaseSummary]) -> list[CaseSummary]:
    """Return all cases, worst first, then in the order of the suites; skipped ones last."""
    return sorted(cases, key=lambda case: (case.skip is not None, *_badness(case)))


def weakest(cases: Iterable[CaseSummary], count: int = 3) -> list[CaseSummary]:
    """Return the measured cases nearest to breaking: fewest trials passed, then most warnings, then the dearest."""
    measured = [case for case in cases if case.passed]
    return sorted(measured, key=lambda c: (c.passed / len(c.trials), -len(c.warned), -(c.cost_usd or 0)))[:count]


def failed_scores(trial: Trial | None) -> list[Score]:
    """Return the scores that made a trial fail, in the order of the assertions."""
    scores = trial.score.scores if trial and trial.score else ()
    return [score for score in scores if score.fails_trial]


def turn_of(score: Score) -> int | None:
    """Return the turn a score speaks of, counted from 1; None for the whole conversation."""
    finding = score.finding
    return finding.spans[0].turn if finding.spans else finding.turn or score.assertion.turn


def marks_of(case: CaseSummary) -> list[str]:
    """Return what sets a case apart from the others, in words."""
    marks = [mark for mark, on in (("critical", case.critical), ("watched only", not case.gated)) if on]
    return [*marks, row_in_words(case)] if case.row else marks


def rerun_command(summary: Summary, case: CaseSummary) -> str:
    """Return the command line that runs the case again: same prompt, same source, same inputs."""
    return f"evalkit run {_shell_word(f'{case.suite}::{case.case_id}')}{rerun_options(summary)}"


def rerun_options(summary: Summary) -> str:
    """Return the options that every such command ends with, each after a space.

    They are those of the run's own command that change what is asked: not how many trials, not where reports go.
    """
    kept: list[str] = []
    words = iter(summary.header.command)
    for word in words:
        name, equals, value = word.partition("=")
        if word in _SAME_QUESTION:
            kept += [word, next(words, "")]
        elif equals and name.startswith("--") and name in _SAME_QUESTION:
            kept += [name, value]
        elif word.startswith("-p") and not word.startswith("--"):
            kept += ["-p", word[2:]]
    return "".join(f" {_shell_word(word if word != '--prompt' else '-p')}" for word in kept)


def _shell_word(word: str) -> str:
    return word if re.fullmatch(r"[\w@%+=:,./~-]+", word) else shlex.quote(word)
