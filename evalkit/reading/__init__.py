"""What a text consists of: sentences, blocks, facts, units, patterns, language. No verdicts: those are the graders'."""

from evalkit.reading.blocks import SCOPES, is_scope
from evalkit.reading.language import LANGUAGES, primary
from evalkit.reading.readability import GRADES, formula_fault, parse_condition

__all__ = [
    "GRADES",
    "LANGUAGES",
    "SCOPES",
    "formula_fault",
    "is_scope",
    "parse_condition",
    "primary",
]
