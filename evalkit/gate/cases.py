"""Which cases of a run are compared with which baseline, and how careful the comparison is: from the run's records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalkit.gate.settings import GateCase, GateSettings, usual_must_pass
from evalkit.records import BaselineRecord, CaseKey, CaseRecord, SuiteRecord


@dataclass(frozen=True)
class Opponents:
    """What a run is compared with: one baseline a suite, and the suites with their gates."""

    baselines: tuple[BaselineRecord, ...]
    suites: tuple[SuiteRecord, ...]

    @property
    def usable(self) -> tuple[BaselineRecord, ...]:
        """The baselines that there is something to compare with in."""
        return tuple(baseline for baseline in self.baselines if baseline.use != "none")


def gate_cases(cases: Iterable[CaseRecord], opponents: Opponents) -> list[GateCase]:
    """Return the cases that both arms have, in the order of the run; watched and skipped ones stay out."""
    by_suite = {baseline.suite: baseline for baseline in opponents.usable}
    found = []
    for case in cases:
        baseline = by_suite.get(case.suite)
        if baseline is None or case.skip is not None or not case.gated:
            continue
        stored = baseline.cases.get(case.case_id)
        if baseline.use == "stored" and stored is None:
            continue
        if baseline.use == "fresh" and case.case_id in (*baseline.new, *baseline.changed):
            continue
        counts = stored.counts if stored is not None and baseline.use == "stored" else None
        key = (case.suite, case.case_id)
        found.append(GateCase(key, case.trials, counts, case.critical, case.cluster, _least(case)))
    return found


def critical_beside(cases: Iterable[CaseRecord], opponents: Opponents, compared: Iterable[GateCase]) -> list[GateCase]:
    """Return the critical cases of compared suites that have no baseline of their own: new ones, and changed ones."""
    suites = {baseline.suite for baseline in opponents.usable}
    known: set[CaseKey] = {case.key for case in compared}
    return [
        GateCase((case.suite, case.case_id), case.trials, critical=True, least=_least(case))
        for case in cases
        if case.critical and case.gated and case.skip is None and case.suite in suites
        if (case.suite, case.case_id) not in known
    ]


def _least(case: CaseRecord) -> int:
    """Return how many trials a case has at least; what a critical case states itself is enough."""
    return case.trials if case.own_trials or not case.critical else usual_must_pass(case.trials)


def gate_settings(suites: Sequence[SuiteRecord]) -> GateSettings:
    """Return the settings that the suites' gates ask for.

    Trade-offs are accepted only when every suite does, stages are left out and doubts resolved when one suite wants it.
    Limits of trials add up; where a suite has none there is none.
    """
    tolerated = {suite.path: int(suite.gate.get("max_regressions") or 0) for suite in suites}
    lenient = bool(suites) and all(suite.gate.get("trade_offs") for suite in suites)
    limits = [int(suite.gate.get("max_trials") or 0) for suite in suites]
    return GateSettings(
        breadth_only=lenient,
        adaptive=all(suite.gate.get("adaptive") is not False for suite in suites),
        resolve=any(suite.gate.get("resolve") for suite in suites),
        max_trials=sum(limits) if limits and all(limits) else None,
        tolerated={path: count for path, count in tolerated.items() if count},
    )
