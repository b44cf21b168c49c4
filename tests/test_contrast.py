"""Two versions beside each other: what changed in a prompt, and where two conversations part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalkit.analysis import Examples, change_of
from evalkit.analysis.contrast import first_difference, word_difference
from evalkit.records import Arm
from tests.made_up_run import FAILED, PASSED, SUITE, prompt, score, tool_turn, trial, turn

KEY = (SUITE, "a")


def test_prompt_change_names_what_changed_beside_the_text() -> None:
    """Lines, words, model and tools are told apart; equal versions have no change."""
    before, after = (
        prompt("You are Mo.\nBe brief."),
        prompt("You are Mo.\nBe kind.", model="claude-haiku-5-5", tools=()),
    )
    change = change_of(before, after)

    assert "-Be brief." in change.lines
    assert "+Be kind." in change.lines
    assert "[-brief.-]{+kind.+}" in change.words
    assert any(line.startswith("model:") for line in change.beside)
    assert any(line.startswith("tools:") for line in change.beside)
    assert change_of(before, before).is_empty


@given(st.text(max_size=200), st.text(max_size=200))
def test_word_difference_shows_other_words(before: str, after: str) -> None:
    """Equal texts show nothing; texts of other words show what was taken out or put in."""
    found = word_difference(before, after)

    if before == after:
        assert found == ""
    if before.split() != after.split():
        assert found != ""


def test_first_difference_is_the_first_action_that_is_not_the_same() -> None:
    """A tool call that is missing is named before the words that follow from it."""
    one = trial("a", 1, score(PASSED), turns=[turn(), tool_turn(n=2)])
    other = trial("a", 1, score(FAILED), turns=[turn(), turn(2, "I guess it is in stock.")])
    found = first_difference(KEY, one, other)

    assert found is not None
    assert found.turn == 2
    assert found.baseline.startswith("calls find_lamp")
    assert "I guess" in found.candidate
    assert first_difference(KEY, one, one) is None


def test_examples_show_the_change() -> None:
    """Of a case that got worse, a passing baseline trial and a failing candidate trial are kept."""
    examples = Examples({KEY: True})
    for arm, number, verdict, reply in (
        (Arm.BASELINE, 1, FAILED, "Hm."),
        (Arm.BASELINE, 2, PASSED, "In stock."),
        (Arm.CANDIDATE, 1, PASSED, "In stock."),
        (Arm.CANDIDATE, 2, FAILED, "No idea."),
    ):
        examples.offer(trial("a", number, score(verdict), turns=[turn(1, reply)]), arm)
    (found,) = examples.differences()

    assert "In stock." in found.baseline
    assert "No idea." in found.candidate
