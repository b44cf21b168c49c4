"""Which sentence of the prompt answers a question: the one that shares most of the question's words. Knows counting,
not meaning."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

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
    asked = stems(question) - ignoring
    best = None
    for text, words in _weighed(instructions.facts):
        shared = asked & words.keys()
        if shared:
            fact = Fact(text, _score(text, sum(map(words.__getitem__, shared)), question))
            best = fact if best is None or fact.score > best.score else best
    return best


@lru_cache(maxsize=64)
def _weighed(facts: tuple[str, ...]) -> list[tuple[str, dict[str, float]]]:
    """Return each fact with what its words weigh."""
    counts = Counter(word for fact in facts for word in stems(fact))
    return [(fact, {word: 0.5 if counts[word] >= _COMMON else 1.0 for word in stems(fact)}) for fact in facts]


def _score(fact: str, shared: float, question: str) -> float:
    score = shared
    table = load_table("intents")
    if compiled(table["quantity"]).search(question) and _DURATION.search(fact):
        score += 0.75
    if compiled(table["amount"]).search(question) and _MONEY.search(fact):
        score += 0.75
    return score


def denial(instructions: Instructions, subject: frozenset[str], asked: frozenset[str]) -> str:
    """Return the fact that denies something about the subject under a circumstance that was mentioned; else empty."""
    for fact in instructions.facts:
        words = stems(fact)
        if _DENIAL.search(fact) and words & subject and words & asked:
            return fact
    return ""
