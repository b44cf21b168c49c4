"""What to look at first: the cases that did not pass, worst first; and when all passed, the weakest.

Knows the order of badness; nothing of how an entry is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalkit.records import CaseSummary, CaseVerdict

_REQUEST_ID = re.compile(r"\breq_\w+")


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
        reason = (case.gated, case.critical, _REQUEST_ID.sub("", case.why))
        if case.verdict is CaseVerdict.NOT_MEASURED and reason in by_reason:
            at = by_reason[reason]
            entries[at] = Entry(entries[at].case, (*entries[at].others, case))
            continue
        if case.verdict is CaseVerdict.NOT_MEASURED:
            by_reason[reason] = len(entries)
        entries.append(Entry(case))
    return entries


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
