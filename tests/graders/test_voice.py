"""Graders of brand voice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records import TrialVerdict
from tests.graders.build import assertion, finding, grade_text, said, verdict

PASSED, FAILED = TrialVerdict.PASSED, TrialVerdict.FAILED


def marked(kind: str, params: dict[str, Any], reply: str) -> list[str]:
    found = grade_text(assertion(f"voice.{kind}", params), reply)
    return [reply[span.start : span.end] for span in found.spans]


@pytest.mark.parametrize(
    ("params", "reply", "expected"),
    [
        ({"tokens": ["as stated"]}, "As stated, as stated.", ["as stated"]),
        ({"tokens": ["as stated"], "ignorecase": True}, "As stated, as stated.", ["As stated", "as stated"]),
        ({"tokens": ["cat"]}, "concatenate the cat", ["cat"]),
        ({"tokens": ["[\U0001f300-\U0001faff]"], "nonword": True}, "Hi 🎉 there", ["🎉"]),
        ({"tokens": [r"[\U0001F300-\U0001FAFF]"], "nonword": True}, "Hi 🎉 there", ["🎉"]),
        ({"tokens": ["^And", "^But"]}, "And so.\nBut no. And", ["And", "But"]),
        ({"tokens": ["(?i)utili[sz]e", "via"]}, "UTILISE it, VIA", ["UTILISE"]),
        ({"tokens": ["purchase"], "exceptions": ["purchase order"]}, "a purchase order, a purchase", ["purchase"]),
        ({"tokens": [r"\w+ order"], "exceptions": ["purchase"]}, "a purchase order, any order", ["any order"]),
        ({"tokens": ["sorry", "so sorry"]}, "We are so sorry.", ["so sorry"]),
    ],
)
def test_existence_marks_what_vale_would(params: dict[str, Any], reply: str, expected: list[str]) -> None:
    """Tokens stand between word boundaries unless nonword, case counts unless ignored, exceptions shield."""
    assert marked("existence", params, reply) == expected


@pytest.mark.parametrize(
    ("params", "reply", "expected"),
    [
        ({"swap": {"utili[sz]e": "use"}}, "Utilise or utilize", ["utilize"]),
        ({"swap": {"order": "request", "in order to": "to"}}, "in order to order", ["in order to", "order"]),
        ({"swap": {"github": "GitHub"}, "ignorecase": True}, "GitHub, Github, github", ["Github", "github"]),
        ({"swap": {"e-?mail": "email"}, "ignorecase": True}, "Email, email, E-mail, EMAIL", ["E-mail", "EMAIL"]),
        ({"swap": {"primary|master": "primary|main"}}, "primary, master", ["master"]),
        ({"swap": {"set( |-)up": "(?:setup|set-up)"}}, "set up, set-up", ["set up"]),
        (
            {"swap": {"purchase(d)?": "bought"}, "exceptions": ["purchase order"]},
            "purchase order purchased",
            ["purchased"],
        ),
    ],
)
def test_substitution_marks_what_has_a_better_word(params: dict[str, Any], reply: str, expected: list[str]) -> None:
    """The longest key wins, and text that equals its replacement already is fine."""
    assert marked("substitution", params, reply) == expected


def test_substitution_names_both_words() -> None:
    """The message says what to write and what not to, group references filled in."""
    params = {"swap": {"color(s?)": "colour$1"}, "message": "Write '%s', not '%s'"}
    found = grade_text(assertion("voice.substitution", params), "Nice colors and color.")
    assert found.note == "Write 'colours', not 'colors'\nWrite 'colour', not 'color'"
    assert (found.observed, found.expected) == ('"colors", "color"', '"colours", "colour"')


@pytest.mark.parametrize(
    ("action", "reply", "told"),
    [
        ({"name": "remove"}, "Wow, nice", "Hype: 'Wow'; leave it out"),
        ({"name": "replace", "params": ["Good", "Fine"]}, "Wow!", 'Hype: \'Wow\'; write "Good" or "Fine" instead'),
        ({"name": "edit", "params": ["regex", "(W)o(w)", "$2-$1"]}, "Wow!", "Hype: 'Wow'; write \"w-W\" instead"),
        ({"name": "edit", "params": ["trim_right", "w"]}, "Wow!", "Hype: 'Wow'; write \"Wo\" instead"),
        ({"name": "edit", "params": ["trim", "Ww"]}, "Wow!", "Hype: 'Wow'; write \"o\" instead"),
        ({"name": "edit", "params": ["remove", "ow"]}, "Wow!", "Hype: 'Wow'; write \"W\" instead"),
        ({"name": "edit", "params": ["truncate", "ow"]}, "Wow!", "Hype: 'Wow'; write \"W\" instead"),
        ({"name": "edit", "params": ["trim", "Wow"]}, "Wow!", "Hype: 'Wow'"),
        ({"name": "suggest", "params": ["spellings"]}, "Wow!", "Hype: 'Wow'"),
    ],
)
def test_an_action_says_what_to_write(action: dict[str, Any], reply: str, told: str) -> None:
    """A rule's action ends its message with what could be written; one that can't be told adds nothing."""
    params = {"tokens": ["Wow"], "message": "Hype: '%s'", "action": action}
    assert grade_text(assertion("voice.existence", params), reply).note == told


def test_replacing_takes_the_preferred_words() -> None:
    """Without words of its own a substitution's action names those that the rule prefers."""
    params = {"swap": {"utilize": "use|apply"}, "message": "'%s', not '%s'", "action": {"name": "replace"}}
    found = grade_text(assertion("voice.substitution", params), "We utilize it.")
    assert found.note == "'use|apply', not 'utilize'; write \"use\" or \"apply\" instead"


@given(st.text(alphabet="ab% s'", max_size=12))
def test_a_message_is_filled_once(matched: str) -> None:
    """A match that itself holds %s is shown as it is, not filled again."""
    params = {"tokens": ["x.*x"], "nonword": True, "message": "Blames: '%s'"}
    found = grade_text(assertion("voice.existence", params), f"x{matched}x")
    assert found.note == f"Blames: 'x{matched}x'"


@pytest.mark.parametrize(
    ("reply", "expected"), [("Hi.", FAILED), ("Hi!", PASSED), ("Hi!!", PASSED), ("Hi! Yes! No!", FAILED)]
)
def test_occurrence_counts_in_each_reply(reply: str, expected: TrialVerdict) -> None:
    """Fewer than min and more than max are broken."""
    assert verdict(said(reply), "voice.occurrence", {"token": "!", "min": 1, "max": 2}) is expected


def test_occurrence_does_not_add_replies_up() -> None:
    """One exclamation mark in each of two replies is one, not two."""
    assert verdict(said("Hi!", "Bye!"), "voice.occurrence", {"token": "!", "max": 1}) is PASSED


def test_length_marks_long_sentences_and_what_is_too_much() -> None:
    """Each limit is told apart, and the offending text is marked."""
    reply = "Short one. This one is clearly longer."
    found = grade_text(assertion("voice.length", {"max_words": 6, "max_sentence_words": 4}), reply)
    assert found.observed == "7 words, a sentence of 5 words"
    assert [reply[span.start : span.end] for span in found.spans] == ["This one is clearly longer.", "longer"]


def test_length_can_ask_for_more() -> None:
    """A reply below min_words is broken, one on the limit is not."""
    assert verdict(said("one two"), "voice.length", {"min_words": 3}) is FAILED
    assert verdict(said("one two three"), "voice.length", {"min_words": 3}) is PASSED


def test_a_rule_may_speak_of_the_first_sentence_only() -> None:
    """What stands later is not looked at, and spans count in the whole reply."""
    params = {"tokens": ["sorry"], "scope": "first_sentence"}
    assert marked("existence", params, "- Right. We are sorry.") == []
    assert marked("existence", params, "- We are sorry. Right.") == ["sorry"]


def test_a_rule_is_silent_in_turns_where_it_is_switched_off() -> None:
    """Skipped turns are not judged; a rule that is off everywhere holds."""
    params = {"tokens": ["bad"]}
    assert finding(said("bad", "bad"), "voice.existence", {**params, "skip_turns": [1]}).turn == 2
    assert verdict(said("bad"), "voice.existence", {**params, "skip_turns": [1]}) is PASSED


letters = st.text(alphabet="abc ", min_size=1, max_size=20).filter(lambda text: bool(text.strip()))


@given(reply=letters, tokens=st.lists(st.text(alphabet="abc", min_size=1, max_size=3), min_size=1, max_size=4))
def test_every_span_is_a_forbidden_token(reply: str, tokens: list[str]) -> None:
    """Existence marks tokens and nothing else, in order and apart, and all of them."""
    found = marked("existence", {"tokens": tokens}, reply)
    assert sorted(found) == sorted(word for word in reply.split() if word in tokens)
