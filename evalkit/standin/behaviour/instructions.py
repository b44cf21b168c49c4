"""What a system prompt asks for, read from its statements: rules and how firmly they are stated, limits, banned
words, what to hand over, what is true. Knows the tables; must not know any prompt of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

from .statements import Parts, Statement, cut_prompt, quoted
from .tables import compiled, load_table, matches_any
from .words import stems

Strength = Literal["absent", "stated", "firm", "shown"]

_BANNING = re.compile(
    r"\b(never (say|use|write)|avoid|do(n't| not) (say|use|write)|words to avoid|banned)\b", re.IGNORECASE
)
_OPENING = re.compile(r"\b(open|begin|start)\b.{0,40}\bwith\b", re.IGNORECASE)
_CLOSING = re.compile(r"\b(close|end|finish|sign off)\b.{0,60}\bwith\b", re.IGNORECASE)
_WORD_LIMIT = re.compile(
    r"\b(under|at most|fewer than|less than|no more than|within|max(?:imum)?(?: of)?)\s+(\d+)\s+words\b", re.I
)
_SCOPE = re.compile(r"\bhelp (?:\w+ )?with (?!those|that|this|it\b)([^.;:]+)", re.IGNORECASE)
_TODAY = re.compile(r"\b(20\d\d-\d\d-\d\d)\b")
_HANDING = re.compile(r"\b(hand|escalat|transfer|pass)\w*\b.*\b(when|if|whenever)\b", re.IGNORECASE)
_DENIAL = re.compile(r"\b(never|cannot|can't|not|no|don't|nothing)\b", re.IGNORECASE)
_ABOUT_ITSELF = re.compile(r"\b(you|your|the (agent|assistant|bot|model|user|customer))\b", re.IGNORECASE)
_ORDERS = re.compile(
    r"^(never|always|do(n't| not)?|if|when|you|your|say|tell|ask|call|use|look|keep|stay|write|read|give|answer|decline"
    r"|then|avoid|be|apologi[sz]e|plain|these instructions|help|offer|check|make sure|close|open|start|begin|end"
    r"|respond|reply|speak|most)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Escalation:
    """One circumstance in which the prompt hands over to a person."""

    stems: frozenset[str]
    strength: Strength


@dataclass(frozen=True)
class Instructions:
    """All that the stand-in takes from a system prompt."""

    text: str
    parts: Parts
    rules: Mapping[str, Strength]
    facts: tuple[str, ...]
    escalations: tuple[Escalation, ...]
    banned: tuple[str, ...]
    max_words: int | None
    scope: str
    opening: str
    closing: str
    today: date | None

    def strength_of_denial(self, named: str) -> Strength:
        """Say how firmly the prompt denies something that `named` (a pattern of the tables) finds."""
        pattern = compiled(named)
        found = [each for each in self.parts.statements if pattern.search(each.text) and _DENIAL.search(each.text)]
        return _strength(found, shown=False)


@lru_cache(maxsize=64)
def read_instructions(system: str) -> Instructions:
    """Read a system prompt; an empty one gives instructions in which every rule is absent."""
    parts = cut_prompt(system)
    texts = [each.text for each in parts.statements]
    limits = [int(match.group(2)) for text in texts for match in _WORD_LIMIT.finditer(text)]
    scopes = [match.group(1).strip() for text in texts for match in _SCOPE.finditer(text)]
    days = _TODAY.findall(" ".join(text for text in texts if re.search(r"\b(today|date)\b", text, re.IGNORECASE)))
    return Instructions(
        text=system,
        parts=parts,
        rules={name: _rule_strength(rule, parts) for name, rule in load_table("rules")["rules"].items()},
        facts=_facts(parts.statements),
        escalations=_escalations(parts.statements),
        banned=tuple(phrase for text in texts if _BANNING.search(text) for phrase in quoted(text)),
        max_words=min(limits) if limits else None,
        scope=re.sub(r"^(their|your|our|the)\s+", "", scopes[0]) if scopes else "",
        opening=_first_quote(texts, _OPENING),
        closing=_first_quote(texts, _CLOSING),
        today=date.fromisoformat(days[-1]) if days else None,
    )


def _rule_strength(rule: Mapping[str, object], parts: Parts) -> Strength:
    stated, shown, never_shown = rule.get("stated"), rule.get("shown"), rule.get("never_shown")
    patterns = [str(pattern) for pattern in stated] if isinstance(stated, list) else []
    found = [each for each in parts.statements if matches_any(patterns, each.text)]
    by_example = bool(shown and re.search(str(shown), parts.examples, re.IGNORECASE | re.MULTILINE))
    unbroken = bool(never_shown and parts.examples and not compiled(str(never_shown)).search(parts.examples))
    return _strength(found, shown=by_example or unbroken)


def _strength(found: Iterable[Statement], *, shown: bool) -> Strength:
    statements = list(found)
    if not statements:
        return "absent"
    table = load_table("rules")
    firm = any(compiled(table["firm"]).search(each.text) for each in statements)
    with_example = any(compiled(table["example"]).search(each.group) for each in statements)
    if shown or with_example or (firm and len({each.group for each in statements}) > 1):
        return "shown"
    return "firm" if firm else "stated"


def _first_quote(texts: Iterable[str], asked: re.Pattern[str]) -> str:
    return next((phrase for text in texts if asked.search(text) for phrase in quoted(text)), "")


def _escalations(statements: Iterable[Statement]) -> tuple[Escalation, ...]:
    found = []
    for each in statements:
        inline = _HANDING.search(each.text)
        if inline:
            words = each.text[inline.start(2) :]
        elif _HANDING.search(each.lead):
            words = each.text
        else:
            continue
        words = compiled(load_table("rules")["example"]).split(words)[0]
        found.append(Escalation(stems(words), _strength([each], shown=False)))
    return tuple(each for each in found if each.stems)


def _is_order(text: str) -> bool:
    return bool(_ORDERS.match(text) or _ABOUT_ITSELF.search(text) or "`" in text)


def _facts(statements: Iterable[Statement]) -> tuple[str, ...]:
    """Return the sentences that say what is true, from the sections that mostly do; a list item stays whole."""
    sections: dict[str, list[Statement]] = {}
    for each in statements:
        sections.setdefault(each.section, []).append(each)
    facts: dict[str, None] = {}
    for section in sections.values():
        told = [each for each in section if not (_is_order(each.text) or _HANDING.search(each.lead))]
        if len(told) * 2 > len(section):
            whole = {each.group for each in told if each.lead} - {each.group for each in section if each not in told}
            facts.update(dict.fromkeys(each.group if each.group in whole else each.text for each in told))
    return tuple(fact for fact in facts if re.search(r"[a-z]\.$|\d\.$", fact) and not _TODAY.search(fact))
