"""What a recorded run was compared with and what came of it, from its reader: the one way all commands take.

Knows the shape of a reader, not the store.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Protocol

from evalkit.analysis import ArmTrials, RecordedRun, collect_arms, compare_rules, compare_tags
from evalkit.gate.absolute import Compared
from evalkit.gate.by_suite import compare_suites
from evalkit.gate.cases import Opponents, gate_cases
from evalkit.gate.evidence import count
from evalkit.gate.outlook import Outlook, outlook
from evalkit.gate.promises import tell_broken, tell_promises, wants_proof
from evalkit.gate.recorded import compare_finished, compare_recorded
from evalkit.records import Arm, BaselineRecord

LIVE_SOURCES = ("live", "stand-in")
"""Runs that could play more trials when their comparison asked for them; others have what they have."""


class ComparedRun(RecordedRun, Protocol):
    """A run that knows what it was compared with; `store.RunReader` is one."""

    @property
    def baselines(self) -> Sequence[BaselineRecord]:
        """What each suite was compared with."""


def compare_run(run: ComparedRun) -> Compared:
    """Return the comparison of a run with its baselines, told from its record; without baselines an empty one."""
    baselines = tuple(run.baselines)
    opponents = Opponents(baselines, tuple(run.suites))
    if not opponents.usable:
        promises = tell_promises(run.cases, collect_arms(run.trials())) if wants_proof(run.cases) else ()
        return Compared(None, baselines, None, compare_suites(None, opponents, ArmTrials()), promises)
    arms = collect_arms(run.trials())
    compare = compare_recorded if run.header.source.kind in LIVE_SOURCES else compare_finished
    decision = compare(run.cases, opponents, arms)
    promises = tell_promises(run.cases, arms)
    if decision is not None and decision.must_pass_failed:
        promises = (*tell_broken(run.trials(), decision.must_pass_failed), *promises)
    compared = decision.cases if decision else ()
    return Compared(
        decision,
        baselines,
        outlook_of(run, opponents, arms),
        compare_suites(decision, opponents, arms),
        promises,
        tags=compare_tags(run.cases, compared),
        rules=compare_rules(compared, baselines, arms),
    )


def outlook_of(run: RecordedRun, opponents: Opponents, arms: ArmTrials) -> Outlook | None:
    """Return what the comparison sees, with prices from what the run's own trials cost."""
    cases = gate_cases(run.cases, opponents)
    played = [count(arms.outcomes(Arm.BASELINE, case.key)) for case in cases]
    counts = [case.stored or counted for case, counted in zip(cases, played, strict=True)]
    rounds = [len(arms.outcomes(Arm.CANDIDATE, case.key)) for case in cases]
    if not cases or not any(rounds):
        return None
    return outlook([(c.passed, c.valid) for c in counts], statistics.fmean(rounds), cost_per_trial(arms))


def cost_per_trial(arms: ArmTrials) -> float | None:
    """Return what a trial of the candidate cost on average, in US dollars; None when that is not known."""
    costs = [cost for (arm, _), usage in arms.usage.items() if arm is Arm.CANDIDATE for cost in usage.cost_usd]
    return statistics.fmean(costs) if costs else None
