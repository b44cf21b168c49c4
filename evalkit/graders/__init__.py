"""Pure functions of a transcript: text, brand voice, tool use, usage."""

from evalkit.graders.dispatch import KINDS, grade, grade_text_rule

__all__ = ["KINDS", "grade", "grade_text_rule"]
