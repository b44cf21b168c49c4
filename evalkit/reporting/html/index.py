"""The cases of a run as columns of JSON: what the page needs to list, filter and sort them without their conversations.

Knows the shape that `script/index.js` reads; the two must change together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.records import CaseKey, CaseSummary, CaseVerdict, Place, Summary, TrialVerdict
from evalkit.reporting.html.against import Was
from evalkit.reporting.html.packs import Packs
from evalkit.reporting.rerun import rerun_options
from evalkit.reporting.safe_text import one_line, shorten_middle, visible

VERDICTS = tuple(CaseVerdict)
TRIAL_LETTERS = {TrialVerdict.PASSED: "p", TrialVerdict.FAILED: "f", TrialVerdict.NOT_MEASURED: "n"}

REASON_ROOM = 140


@dataclass
class _Names:
    """Strings by number, so that a name stands in the file once."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))


def index_cases(
    summary: Summary, cases: Sequence[CaseSummary], packs: Packs, was: Mapping[CaseKey, Was]
) -> dict[str, Any]:
    """Return the columns, one entry per case in the order given; `at` says where each trial's conversation is packed.

    `verdict` counts in `verdicts`, which has "skipped" as its last entry. Costs are USD, times milliseconds. `was` and
    `change` are None in a run that was compared with nothing.
    """
    names, suites = _Names(), _Names()
    return {
        "run": summary.header.run_id,
        "verdicts": [*(verdict.value for verdict in VERDICTS), "skipped"],
        "id": [one_line(case.case_id) for case in cases],
        "suite": [suites.number(one_line(case.suite)) for case in cases],
        "verdict": [len(VERDICTS) if case.skip is not None else VERDICTS.index(case.verdict) for case in cases],
        "why": [short_reason(case.why) for case in cases],
        "trials": ["".join(TRIAL_LETTERS[outcome.verdict] for outcome in case.trials) for case in cases],
        "needed": [case.min_pass for case in cases],
        "critical": [int(case.critical) for case in cases],
        "watched": [int(not case.gated) for case in cases],
        "was": [was[case.key].words if case.key in was else "" for case in cases] if was else None,
        "change": [was[case.key].chip if case.key in was else "" for case in cases] if was else None,
        "tags": [_numbers(names, case.tags) for case in cases],
        "rules": [_numbers(names, (*case.broken, *case.warned)) for case in cases],
        "cost": [_rounded(case.cost_usd, 8) for case in cases],
        "cached": [_rounded(case.cached_share, 4) for case in cases],
        "first": [_rounded(case.first_token_ms, 1) for case in cases],
        "time": [_rounded(case.total_ms, 1) for case in cases],
        "place": [line_of(case.place) for case in cases],
        "options": visible(rerun_options(summary)),
        "at": [_where(packs, case.key) for case in cases],
        "names": list(names.numbers),
        "suites": list(suites.numbers),
    }


def short_reason(why: str) -> str:
    """Return a case's reason as its row shows it."""
    return shorten_middle(one_line(why), REASON_ROOM)


def line_of(place: Place) -> str:
    """Return file and line; the column is of no use in a table."""
    return one_line(str(place).rpartition(":")[0] if place.line else place.file)


def _numbers(names: _Names, words: Iterable[str]) -> list[int]:
    return [names.number(one_line(word)) for word in words]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _where(packs: Packs, case: CaseKey) -> list[tuple[int, int, int]]:
    return sorted(packs.where.get(case, []))
