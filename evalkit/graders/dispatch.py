"""An assertion as a record has it, and its grader."""

from __future__ import annotations

import orjson

from evalkit.errors import EvalkitError
from evalkit.graders.grader import ReplyGrader, Requirement
from evalkit.graders.registry import BY_KIND
from evalkit.records import Assertion, Finding, Score, Transcript

KINDS = frozenset(BY_KIND)
"""Every kind of assertion that can be graded."""


def requirement_of(assertion: Assertion) -> Requirement:
    """Return an assertion with its grader; its `params` are the grader's keys as a suite file has them.

    Raises EvalkitError for a kind without a grader.
    """
    if assertion.kind not in BY_KIND:
        known = ", ".join(sorted(KINDS))
        raise EvalkitError(f"{assertion.place}: there is no grader for {assertion.kind!r}; expected one of {known}")
    grader = BY_KIND[assertion.kind]
    return Requirement(assertion, grader.model_validate_json(orjson.dumps(assertion.params, default=dict)))


def grade(transcript: Transcript, assertion: Assertion) -> Score:
    """Judge one assertion about one transcript."""
    return requirement_of(assertion).score(transcript)


def grade_text_rule(assertion: Assertion, text: str) -> Finding:
    """Judge one text by a text or voice assertion, as if it were the reply of turn 1.

    Raises EvalkitError when the assertion does not speak of a text.
    """
    grader = requirement_of(assertion).grader
    if not isinstance(grader, ReplyGrader):
        raise EvalkitError(
            f"{assertion.place}: {assertion.kind!r} can't judge a single text; expected a text or voice rule"
        )
    return grader.grade_text(text)
