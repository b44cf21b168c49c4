"""What a comparison is about and how careful it is: the cases of both arms, levels, margins, numbers of trials.

Made from a run's records: which of its cases stand beside which baseline, and what the suites' gates ask for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.records import BaselineRecord, CaseKey, CaseRecord, Counts, SuiteRecord

SCREEN_SHARE, EXTEND_SHARE, CONFIRM_SHARE = 0.4, 0.3, 0.3
"""How the false alarms allowed to one decision are divided between its looks; together 1."""


@dataclass(frozen=True)
class GateSettings:
    """The gate's dials.

    `alpha` bounds false alarms per decision. `margin` is the fall of the mean pass rate (0 to 1) that a pass excludes.
    `confirm` trials of each arm look closer at a suspect, `extend` more rounds follow a first look that leaned bad
    (None: what suits the number of cases). `drift_level` is where today's baseline counts as lower than the stored one.
    `rounds_fixed` is the least number of rounds without stages, `rounds_fresh` with nothing stored; below `fixed_below`
    cases stages would save nothing. `resolve` goes on until the margin is decided. `breadth_only` accepts that some
    cases break while others improve: only the sum counts. `max_trials` None means no limit. `tolerated` is, by suite,
    how many clearly worse cases are accepted.

    Numbers of trials may depend on the number of cases, never on what was seen: that keeps the looks at their levels.
    """

    alpha: float = 0.05
    margin: float = 0.05
    confirm: int | None = None
    extend: int | None = None
    suspect_p: float = 0.20
    extend_p: float = 0.25
    drift_level: float = 0.05
    rounds_fixed: int = 5
    rounds_fresh: int = 2
    fixed_below: int = 20
    adaptive: bool = True
    resolve: bool = False
    breadth_only: bool = False
    max_trials: int | None = None
    tolerated: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class GateCase:
    """A case that both arms have: how many rounds of it are played, and what is stored of its baseline.

    `stored` None means that the baseline's rounds are played now. `least` is how many trials a critical case has at
    least; those beyond its rounds count for nothing but its promise to pass always.
    """

    key: CaseKey
    rounds: int
    stored: Counts | None = None
    critical: bool = False
    cluster: str | None = None
    least: int = 0


def usual_confirm(cases: int) -> int:
    """Return how often a suspect is played again in each arm: more in large suites, whose screen is a single round."""
    return 8 if cases <= 100 else 10


def usual_extend(cases: int) -> int:
    """Return how many rounds follow a first look that leaned bad: many in small suites, whose rounds are cheap."""
    return 2 if cases >= 100 else 10


def usual_must_pass(rounds: int) -> int:
    """Return how many trials of a critical case a comparison wants: five clean ones prove a pass rate of 55 %."""
    return max(rounds, 5)


def suspect_cap(cases: int) -> int:
    """Return how many suspects are looked at more closely."""
    return max(5, math.ceil(0.15 * cases))


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
