"""The verdict of one trial."""

from __future__ import annotations

from evalkit.records import Level, Transcript, TrialVerdict, Turn
from evalkit.scoring import score_trial
from tests.graders.build import broken_off, requirement, said

PASSED, FAILED, NOT_MEASURED = TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED
HOLDS = requirement("never_says", {"never_says": ["refund"]})
BROKEN = requirement("never_says", {"never_says": ["hello"]})
BROKEN_WARNING = requirement("never_says", {"never_says": ["hello"]}, level=Level.WARNING)
UNDECIDED = requirement("never_says", {"never_says": ["/(/"]})
UNDECIDED_WARNING = requirement("never_says", {"never_says": ["/(/"]}, level=Level.WARNING)
NO_PRICE = requirement("budget.cost_usd", {"cost_usd": 1})


def test_a_trial_passes_when_every_error_level_assertion_holds() -> None:
    """Warnings are scored and shown, and never fail the trial."""
    score = score_trial(said("hello"), [HOLDS, BROKEN_WARNING])
    assert (score.verdict, score.reason) == (PASSED, "")
    assert [one.finding.verdict for one in score.scores] == [PASSED, FAILED]


def test_one_broken_error_level_assertion_fails_the_trial() -> None:
    """Everything else may hold."""
    assert score_trial(said("hello"), [HOLDS, BROKEN]).verdict is FAILED


def test_an_incomplete_conversation_is_not_measured() -> None:
    """The reason names the turn, the kind of failure and the status, and no request: one outage reads the same."""
    score = score_trial(broken_off(said("fine")), [HOLDS, requirement("says", {"says": ["never said"]})])
    assert score.verdict is NOT_MEASURED
    assert score.reason == "turn 2: overloaded_error (status 529): Overloaded"


def test_a_proven_failure_stays_a_failure_in_an_incomplete_conversation() -> None:
    """What a complete turn said can't be unsaid by a later outage."""
    assert score_trial(broken_off(said("hello")), [BROKEN]).verdict is FAILED


def test_a_crash_of_evalkit_is_not_measured() -> None:
    """Our own mistake is never the prompt's."""
    score = score_trial(said("fine"), [HOLDS], crash="KeyError: 'x'")
    assert (score.verdict, score.reason) == (NOT_MEASURED, "evalkit broke: KeyError: 'x'")


def test_a_trial_without_assertions_is_not_measured() -> None:
    """A case that asks nothing proves nothing."""
    assert score_trial(said("fine"), []).reason == "nothing is asserted"


def test_a_trial_in_which_nothing_could_be_measured_is_not_measured() -> None:
    """The first reason is named."""
    score = score_trial(said("fine"), [NO_PRICE])
    assert score.verdict is NOT_MEASURED
    assert score.reason.startswith("no assertion could be measured: cost unknown")


def test_a_requirement_that_could_not_be_decided_is_no_pass() -> None:
    """A trial is not green while an error-level assertion about its content is open; a warning may be."""
    score = score_trial(said("fine"), [HOLDS, UNDECIDED])
    assert score.verdict is NOT_MEASURED
    assert "is not a regular expression" in score.reason
    assert score_trial(said("fine"), [HOLDS, UNDECIDED_WARNING]).verdict is PASSED


def test_a_budget_without_data_does_not_undo_the_rest() -> None:
    """A recording without prices can still pass on what it says."""
    assert score_trial(said("fine"), [HOLDS, NO_PRICE]).verdict is PASSED


def test_a_conversation_without_a_reply_is_not_measured() -> None:
    """Neither no turn nor an unanswered one can pass."""
    assert score_trial(Transcript("s", "p"), [HOLDS]).verdict is NOT_MEASURED
    unanswered = Transcript("s", "p", (Turn(1, "hello"),))
    assert score_trial(unanswered, [HOLDS]).reason == "the conversation has no reply"


def test_scoring_twice_gives_the_same() -> None:
    """Stored transcripts can be scored again for ever."""
    transcript, asked = broken_off(said("hello")), [HOLDS, BROKEN, UNDECIDED, NO_PRICE]
    assert score_trial(transcript, asked) == score_trial(transcript, asked)
