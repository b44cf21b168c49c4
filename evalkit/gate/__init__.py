"""Summary, and the trials of two arms -> verdicts with reasons. Calls no model and reads no file."""

from evalkit.gate.absolute import judge
from evalkit.gate.cases import Opponents, gate_cases, gate_settings
from evalkit.gate.evidence import Answer, Outcomes
from evalkit.gate.procedure import Ask, Procedure, decide, decide_finished
from evalkit.gate.recorded import compare_finished, compare_recorded
from evalkit.gate.settings import GateCase, GateSettings, usual_rounds

__all__ = [
    "Answer",
    "Ask",
    "GateCase",
    "GateSettings",
    "Opponents",
    "Outcomes",
    "Procedure",
    "compare_finished",
    "compare_recorded",
    "decide",
    "decide_finished",
    "gate_cases",
    "gate_settings",
    "judge",
    "usual_rounds",
]
