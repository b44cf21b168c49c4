"""Pure functions of a transcript: text, brand voice, tool use, outcome, usage."""

from evalkit.graders.blocks import SCOPES, is_scope
from evalkit.graders.dispatch import KINDS, grade, grade_text_rule
from evalkit.graders.fixes import EDITS, action_fault
from evalkit.graders.language import LANGUAGES, primary
from evalkit.graders.matching import CHOICE_KEYS, is_choice
from evalkit.graders.readability import GRADES, formula_fault, parse_condition

__all__ = [
    "CHOICE_KEYS",
    "EDITS",
    "GRADES",
    "KINDS",
    "LANGUAGES",
    "SCOPES",
    "action_fault",
    "formula_fault",
    "grade",
    "grade_text_rule",
    "is_choice",
    "is_scope",
    "parse_condition",
    "primary",
]
