"""The verdict of one trial: its transcript, its assertions, and what they add up to.

Knows graders and records; never the engine, so scoring stored transcripts again costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.graders import Requirement
from evalkit.records import Failure, Level, Score, Transcript, TrialScore, TrialVerdict


def score_trial(transcript: Transcript, requirements: Sequence[Requirement], crash: str | None = None) -> TrialScore:
    """Grade every requirement and return the trial's verdict.

    Failed: an error-level assertion is broken in a complete turn, even if the conversation broke off later. Not
    measured: the conversation is incomplete (`crash` says that evalkit itself broke), nothing at all could be
    measured, or an error-level assertion could not be decided; budgets are excepted from the last, because a single
    request has no cache share and a model without a price no cost. Passed: everything else. Warnings never fail.
    """
    scores = tuple(requirement.score(transcript) for requirement in requirements)
    if any(score.fails_trial for score in scores):
        return TrialScore(TrialVerdict.FAILED, scores)
    reason = _incomplete(transcript, crash) or _undecided(scores)
    return TrialScore(TrialVerdict.NOT_MEASURED if reason else TrialVerdict.PASSED, scores, reason)


def _incomplete(transcript: Transcript, crash: str | None) -> str:
    if crash:
        return f"evalkit broke: {crash}"
    user = next((message.request for message in transcript.simulated if message.ended == "failed"), None)
    if user is not None:
        nothing = f"{user.model} said nothing (stop reason {user.stop_reason!r})"
        return f"the simulated user failed: {_described(user.failure) if user.failure else nothing}"
    if not transcript.requests:
        return "the conversation has no reply"
    failed = ((turn.n, turn.failure) for turn in transcript.turns if turn.failure)
    return next((f"turn {n}: {_described(failure)}" for n, failure in failed), "")


def _described(failure: Failure) -> str:
    status = f" (status {failure.status})" if failure.status is not None else ""
    return f"{failure.kind}{status}: {failure.message}"


def _undecided(scores: Sequence[Score]) -> str:
    if not scores:
        return "nothing is asserted"
    undecided = [score for score in scores if score.finding.verdict is TrialVerdict.NOT_MEASURED]
    if len(undecided) == len(scores):
        return f"no assertion could be measured: {undecided[0].finding.note}"
    for score in undecided:
        if score.assertion.level is Level.ERROR and not score.assertion.kind.startswith("budget."):
            return f"{score.assertion.label}: {score.finding.note}"
    return ""
