"""Graders: one class for each kind of requirement on a conversation. A team's own are subclasses of `Grader` too."""

from evalkit.graders.grader import Fault, Grader, Mention, ReplyGrader, Requirement, limit_finding, not_measured
from evalkit.graders.registry import GRADERS, requirement_of

__all__ = [
    "GRADERS",
    "Fault",
    "Grader",
    "Mention",
    "ReplyGrader",
    "Requirement",
    "limit_finding",
    "not_measured",
    "requirement_of",
]
