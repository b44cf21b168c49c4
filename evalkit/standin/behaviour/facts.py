"""Which sentence of the prompt answers a question: the one that shares most of the question's words. Knows counting,
not meaning."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from .instructions import Instructions
from .tables import compiled, load_table
from .words import stems

_DURATION = re.compile(r"\b(\w+) (working )?(day|week|month|year|hour)s?\b")
_MONEY = re.compile(r"[£$€]\s?\d|\bfree\b", re.IGNORECASE)
_DENIAL = re.compile(r"\b(cannot|can't|not|no|never)\b", re.IGNORECASE)
_COMMON = 3  # a word in at least this many facts tells little


@dataclass(frozen=True)
class Fact:
    """A sentence of the prompt and how well it fits a question: shared words, common ones counted half."""

    text: str
    score: float


def best_fact(instructions: Instructions, question: str, ignoring: frozenset[str] = frozenset()) -> Fact | None:
    """Return the fact that fits a question best; the first of equals. None when no fact shares a word with it."""
    counts = Counter(word for fact in instructions.facts for word in stems(fact))
    asked = stems(question) - ignoring
    ranked = [Fact(fact, _score(fact, asked, counts, question)) for fact in instructions.facts]
    best = max(ranked, key=lambda fact: fact.score, default=None)
    return best if best and best.score > 0 else None


def _score(fact: str, asked: frozenset[str], counts: Counter[str], question: str) -> float:
    shared = asked & stems(fact)
    score = sum(0.5 if counts[word] >= _COMMON else 1.0 for word in shared)
    table = load_table("intents")
    if shared and compiled(table["quantity"]).search(question) and _DURATION.search(fact):
        score += 0.75
    if shared and compiled(table["amount"]).search(question) and _MONEY.search(fact):
        score += 0.75
    return score


def denial(instructions: Instructions, subject: frozenset[str], asked: frozenset[str]) -> str:
    """Return the fact that denies something about the subject under a circumstance that was mentioned; else empty."""
    for fact in instructions.facts:
        words = stems(fact)
        if _DENIAL.search(fact) and words & subject and words & asked:
            return fact
    return ""
