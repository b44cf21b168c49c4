"""Summary, and the trials of two arms -> verdicts with reasons. Calls no model and reads no file."""

from evalkit.gate.absolute import judge
from evalkit.gate.evidence import Answer, Outcomes
from evalkit.gate.procedure import Ask, Procedure, decide, decide_finished
from evalkit.gate.settings import GateCase, GateSettings, usual_rounds

__all__ = [
    "Answer",
    "Ask",
    "GateCase",
    "GateSettings",
    "Outcomes",
    "Procedure",
    "decide",
    "decide_finished",
    "judge",
    "usual_rounds",
]
