"""The comparison of a finished run, told again from its record: the same steps, the outcomes read instead of played.

The same records always come to the same decision. Calls nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evalkit.analysis import ArmTrials
from evalkit.analysis.arms import KINDS
from evalkit.gate.cases import Opponents, critical_beside, gate_cases, gate_settings
from evalkit.gate.evidence import Answer, Outcomes, count
from evalkit.gate.metrics import compare_metrics
from evalkit.gate.procedure import Ask, decide, decide_finished
from evalkit.gate.settings import GateCase
from evalkit.records import Arm, CaseKey, CaseRecord, Decision, Ground, Verdict


def compare_recorded(cases: Sequence[CaseRecord], opponents: Opponents, arms: ArmTrials) -> Decision | None:
    """Return the decision that a run's trials come to; None when there is nothing to compare with."""
    chosen = gate_cases(cases, opponents)
    if not chosen:
        return None
    player = _Recorded(arms)
    beside = critical_beside(cases, opponents, chosen)
    procedure = decide(chosen, gate_settings(opponents.suites), beside)
    try:
        ask = next(procedure)
        while True:
            ask = procedure.send(player.answer(ask))
    except StopIteration as done:
        decision: Decision = done.value
    return with_metrics(decision, chosen, opponents, arms)


def compare_finished(cases: Sequence[CaseRecord], opponents: Opponents, arms: ArmTrials) -> Decision | None:
    """Return the decision about trials to which none can be added: one look at what there is."""
    chosen = gate_cases(cases, opponents)
    if not chosen:
        return None
    answer: dict[tuple[Arm, CaseKey], Outcomes] = {}
    known = []
    for case in chosen:
        answer[Arm.CANDIDATE, case.key] = arms.outcomes(Arm.CANDIDATE, case.key)
        stored = case.stored if case.stored is not None else count(arms.outcomes(Arm.BASELINE, case.key))
        known.append(replace(case, stored=stored))
    decision = decide_finished(known, answer, gate_settings(opponents.suites))
    return with_metrics(decision, chosen, opponents, arms)


def with_metrics(decision: Decision, cases: Sequence[GateCase], opponents: Opponents, arms: ArmTrials) -> Decision:
    """Add cost, tokens and time; an increase that is proven to exceed its limit makes the comparison worse."""
    metrics = compare_metrics(cases, opponents, arms)
    decision = replace(decision, metrics=metrics)
    if not any(metric.over for metric in metrics) or decision.verdict is Verdict.NO_VERDICT:
        return decision
    return replace(decision, verdict=Verdict.WORSE, grounds=(*decision.grounds, Ground.BUDGET))


class _Recorded:
    """Answers asks from recorded outcomes; a stage with a trial missing was not played."""

    def __init__(self, arms: ArmTrials) -> None:
        self._arms = arms
        self._used: dict[tuple[Arm, CaseKey, str], int] = {}

    def answer(self, ask: Ask) -> Answer | None:
        kind = KINDS[ask.stage]
        told: dict[tuple[Arm, CaseKey], Outcomes] = {}
        for (arm, key), wanted in ask.trials.items():
            outcomes = self._arms.outcomes(arm, key, kind)
            start = self._used.get((arm, key, kind), 0)
            if len(outcomes) < start + wanted:
                return None
            told[arm, key] = outcomes[start : start + wanted]
        for (arm, key), wanted in ask.trials.items():
            self._used[arm, key, kind] = self._used.get((arm, key, kind), 0) + wanted
        return told
