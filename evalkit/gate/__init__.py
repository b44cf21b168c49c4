"""Summary, and the trials of two arms -> verdicts with reasons. Calls no model and reads no file."""

from evalkit.gate.absolute import Compared, judge
from evalkit.gate.evidence import Answer, Outcomes
from evalkit.gate.power import Offer, Outlook, outlook, outlook_in_words
from evalkit.gate.procedure import Procedure, StagePlan, decide, decide_finished
from evalkit.gate.recorded import compare_finished, compare_recorded, compare_run, cost_per_trial
from evalkit.gate.settings import (
    GateCase,
    GateSettings,
    Opponents,
    critical_beside,
    gate_cases,
    gate_settings,
)
from evalkit.gate.words import decision_in_words, interval_in_words, remarks

__all__ = [
    "Answer",
    "Compared",
    "GateCase",
    "GateSettings",
    "Offer",
    "Opponents",
    "Outcomes",
    "Outlook",
    "Procedure",
    "StagePlan",
    "compare_finished",
    "compare_recorded",
    "compare_run",
    "cost_per_trial",
    "critical_beside",
    "decide",
    "decide_finished",
    "decision_in_words",
    "gate_cases",
    "gate_settings",
    "interval_in_words",
    "judge",
    "outlook",
    "outlook_in_words",
    "remarks",
]
