"""Graders: one class for each kind of requirement on a conversation."""

from evalkit.graders.dispatch import KINDS, grade, grade_text_rule, requirement_of
from evalkit.graders.grader import Grader, ReplyGrader, Requirement
from evalkit.graders.matching import CHOICE_KEYS, is_choice

__all__ = [
    "CHOICE_KEYS",
    "KINDS",
    "Grader",
    "ReplyGrader",
    "Requirement",
    "grade",
    "grade_text_rule",
    "is_choice",
    "requirement_of",
]
