"""Graders of how hard a reply is to read: metric (any formula) and readability (a mean of known grades)."""

from __future__ import annotations

import math

from evalkit.graders.findings import not_measured
from evalkit.graders.voice import message
from evalkit.reading.readability import COMPARISONS, GRADES, counts, evaluate, parse_condition
from evalkit.records import Finding, JsonObject, Span, TrialVerdict


def metric(params: JsonObject, reply: str, turn: int) -> Finding:
    """Hold a formula over the reply's counts against a condition that must not come true.

    Why: replies grow. Example: `formula: words / sentences`, `condition: "> 20"`. Instead of a formula for a single
    count, use `count`.
    """
    value = evaluate(str(params["formula"]), counts(reply))
    if value is None:
        return not_measured("the reply has no word to compute with", turn)
    operation, limit = parse_condition(str(params["condition"])) or (">", math.inf)
    holds = not COMPARISONS[operation](value, limit)
    return _finding(params, reply, turn, (value, f"not {operation} {limit:g}", holds))


def readability(params: JsonObject, reply: str, turn: int) -> Finding:
    """Limit the mean of reading grades.

    Why: customers read in a hurry. Example: `metrics: [Flesch-Kincaid]`, `grade: 8`. Instead of a grade for replies of
    a few words, for which it says little, use `max_sentence_words`.
    """
    counted = counts(reply)
    found = [evaluate(GRADES[name], counted) for name in params["metrics"] if counted["words"]]
    values = [value for value in found if value is not None]
    if not values:
        return not_measured("the reply has no word to compute with", turn)
    value, limit = sum(values) / len(values), float(params["grade"])
    return _finding(params, reply, turn, (value, f"grade at most {limit:g}", value <= limit))


def _finding(params: JsonObject, reply: str, turn: int, result: tuple[float, str, bool]) -> Finding:
    value, expected, holds = result
    if holds:
        return Finding(TrialVerdict.PASSED, f"{value:.2f}", expected, turn=turn)
    start = len(reply) - len(reply.lstrip())
    span = Span(turn, start, len(reply.rstrip()))
    return Finding(TrialVerdict.FAILED, f"{value:.2f}", expected, (span,), turn, message(params, f"{value:.2f}"))
