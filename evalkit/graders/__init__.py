"""Pure functions of a transcript: text, brand voice, tool use, outcome, usage."""

from evalkit.graders.dispatch import KINDS, grade, grade_text_rule
from evalkit.graders.fixes import EDITS, action_fault
from evalkit.graders.matching import CHOICE_KEYS, is_choice

__all__ = [
    "CHOICE_KEYS",
    "EDITS",
    "KINDS",
    "action_fault",
    "grade",
    "grade_text_rule",
    "is_choice",
]
