"""How hard a text is to read: counts of words, syllables and so on, and formulas over them.

Formulas are the published ones; counts are made by rule, without a dictionary, so a word's syllables are an estimate:
runs of vowels, a silent final e left out. English only. Names of counts and grades are Vale's.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import repeat

from evalkit.reading.blocks import prose
from evalkit.reading.sentences import sentences

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# A syllable is a run of vowels; endings that are written and not spoken (`make`, `asked`) have none.
_VOWELS = re.compile(r"[aeiouyáéíóúäöüàèìòùâêîôû]+")
_SILENT = re.compile(r"(?:[^laeiouy]e|[^td]ed|[^sxzcg]es)$")
_HEADINGS = re.compile(r"heading\.(h[1-6])")
_OPERATORS: Mapping[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
"""What a condition may compare by."""

COUNTS = (
    *("words", "sentences", "paragraphs", "characters", "syllables", "polysyllabic_words", "complex_words"),
    *("long_words", "list", "blockquote", "pre", *(f"heading_h{level}" for level in range(1, 7))),
)
"""The names that a formula may use."""

GRADES: Mapping[str, str] = {
    "Flesch-Kincaid": "0.39 * (words / sentences) + 11.8 * (syllables / words) - 15.59",
    "Gunning Fog": "0.4 * (words / sentences + 100 * (complex_words / words))",
    "Coleman-Liau": "0.0588 * (100 * characters / words) - 0.296 * (100 * sentences / words) - 15.8",
    "SMOG": "1.0430 * math.sqrt(polysyllabic_words * 30 / sentences) + 3.1291",
    "Automated Readability": "4.71 * (characters / words) + 0.5 * (words / sentences) - 21.43",
    "LIX": "words / sentences + 100 * (long_words / words)",
}
"""School grades by name (LIX: its own scale); Kincaid 1975, Gunning 1952, Coleman 1975, McLaughlin 1969, Björnsson."""

_OF_WORDS = ("characters", "syllables", "polysyllabic_words", "complex_words", "long_words")


@lru_cache(maxsize=512)
def counts(reply: str) -> Mapping[str, float]:
    """Return how many words, sentences, syllables and so on the prose of a reply has."""
    blocks = prose(reply)
    found = [_measured(word) for block in blocks for word in _WORD.findall(block.text)]
    kinds = [block.kind for block in blocks]
    return {
        "words": len(found),
        "sentences": sum(len(sentences(block.text)) for block in blocks),
        "paragraphs": kinds.count("paragraph"),
        **dict(zip(_OF_WORDS, map(sum, zip(*found, strict=True)) if found else repeat(0), strict=False)),
        "list": kinds.count("list"),
        "blockquote": kinds.count("blockquote"),
        "pre": reply.count("```") // 2,
        **{f"heading_h{level}": kinds.count(f"heading.h{level}") for level in range(1, 7)},
    }


@lru_cache(maxsize=8192)
def _measured(word: str) -> tuple[int, ...]:
    """Return what a word adds to each of these counts; kept, since the words of a language are few."""
    number = syllables(word)
    is_complex = False
    if number > 2 and not word[0].isupper() and "-" not in word:
        stem = re.sub(r"(?:es|ed|ing)$", "", word.lower())
        # A word that has three syllables only by its ending is not complex.
        is_complex = stem == word.lower() or syllables(stem) > 2
    return sum(char.isalnum() for char in word), number, number > 2, is_complex, len(word) > 6


def syllables(word: str) -> int:
    """Return an estimate of a word's syllables, at least one."""
    small = word.lower()
    return max(1, len(_VOWELS.findall(small)) - (1 if _SILENT.search(small) else 0))


def formula_fault(formula: str) -> str:
    """Return what is wrong with a formula, as the end of a sentence; "" when it is sound."""
    try:
        tree = _parsed(formula)
    except SyntaxError:
        return "is no formula; expected names, numbers, + - * / and parentheses."
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in (*COUNTS, "math"):
            return f"has the unknown name {node.id!r}; known: {', '.join(COUNTS)}."
    try:
        _value(tree, dict.fromkeys(COUNTS, 1.0))
    except (ValueError, ArithmeticError) as error:
        return f"is no formula: {error}."
    return ""


def parse_condition(condition: str) -> tuple[str, float] | None:
    """Return the comparison and the number of a condition such as `> 8`, or None."""
    found = re.fullmatch(r"\s*(>=|<=|==|!=|>|<)\s*(-?\d+(?:\.\d+)?)\s*", condition)
    return (found.group(1), float(found.group(2))) if found else None


def evaluate(formula: str, values: Mapping[str, float]) -> float | None:
    """Return a formula's value, or None where it divides by zero."""
    try:
        return _value(_parsed(formula), values)
    except ArithmeticError:
        return None


@lru_cache(maxsize=256)
def _parsed(formula: str) -> ast.expr:
    if len(formula) > 1000:
        raise SyntaxError("too long")
    try:
        return ast.parse(_HEADINGS.sub(r"heading_\1", " ".join(formula.split())), mode="eval").body
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from error


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    """Compute a parsed formula; only arithmetic is understood, so nothing is executed."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.Name(id=name) if name in values:
            return float(values[name])
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, values)
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATORS:
            return _OPERATORS[type(operation)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr="sqrt"), args=[inner], keywords=[]):
            return math.sqrt(_value(inner, values))
    raise ValueError(f"{ast.unparse(node)!r} is not arithmetic")
