"""Reading a request: words, statements, instructions, tools, arguments, conversation."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from evalkit.standin.behaviour.arguments import pattern_like, read_argument
from evalkit.standin.behaviour.dialogue import read_dialogue
from evalkit.standin.behaviour.instructions import read_instructions
from evalkit.standin.behaviour.placeholder import value_for
from evalkit.standin.behaviour.statements import cut_prompt
from evalkit.standin.behaviour.toolbook import read_toolbook
from evalkit.standin.behaviour.words import sentences, stem, stems

from .bikehire import TOOLS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("returning", "returns"),
        ("shipped", "ship"),
        ("deliveries", "delivery"),
        ("cancelled", "cancel"),
        ("addresses", "address"),
    ],
)
def test_endings_do_not_matter(one: str, other: str) -> None:
    """Forms of one word have one stem."""
    assert stem(one) == stem(other)


def test_synonyms_and_idioms_fold() -> None:
    """Words of one group, and idioms that stand for it, are the same."""
    assert stems("How much is it?") == stems("the price") == {"cost"}


def test_sentences_keep_quotations() -> None:
    """A quotation that ends in a full stop stays with its sentence, and `e.g.` ends none."""
    assert sentences('Say "Done." Then stop. Use a code, e.g. AB-1.') == [
        'Say "Done."',
        "Then stop.",
        "Use a code, e.g. AB-1.",
    ]


def test_examples_are_not_statements() -> None:
    """What stands in example tags or under an example heading is kept apart; text after the tags is read again."""
    parts = cut_prompt("# Rules\nBe brief.\n\n# Examples\n<example>\nUser: hi!\n</example>\nToday is 2026-01-02.")
    assert [each.text for each in parts.statements] == ["Be brief.", "Today is 2026-01-02."]
    assert "hi!" in parts.examples


@pytest.mark.parametrize(
    ("prompt", "strength"),
    [
        ("Be kind.", "absent"),
        ("Avoid emoji.", "stated"),
        ("Never use emoji.", "firm"),
        ("Never use emoji, for example a smile.", "shown"),
        ("Never use emoji.\n\n<example>\nUser: hi\nBot: Hello.\n</example>", "shown"),
        ("Never use emoji.\n\n<example>\nUser: hi\nBot: Hello 😊\n</example>", "firm"),
    ],
)
def test_strength_of_a_rule(prompt: str, strength: str) -> None:
    """A rule is absent, stated, firm, or shown by an example."""
    assert read_instructions(prompt).rules["no_emoji"] == strength


def test_limits_bans_and_dates_are_read() -> None:
    """Word limits, quoted bans, scope, closing words and today's date come out of plain sentences."""
    found = read_instructions(
        'Help riders with bikes and locks. Keep replies under 40 words. Never say "no problem" or "as an AI". '
        'Close with "Ride safely". Today is 2026-11-22.'
    )
    assert (found.max_words, found.scope, found.closing) == (40, "bikes and locks", "Ride safely")
    assert found.banned == ("no problem", "as an AI")
    assert str(found.today) == "2026-11-22"


def test_circumstances_for_a_person_are_read_from_lists() -> None:
    """List items under a sentence that hands over are circumstances, the words after `for example` left out."""
    found = read_instructions(
        "Hand over to a person when\n- a bike is stolen;\n- a rider is hurt, for example by a car."
    )
    assert [sorted(each.stems) for each in found.escalations] == [["bik", "stolen"], ["hurt", "rider"]]


def test_facts_are_what_the_prompt_tells_not_what_it_orders() -> None:
    """Sentences that say what is true are facts; orders and sentences about the assistant are not."""
    shop = "# Shop\nHelmets are free. Locks cost 2 euros. Never lend a pump. You work at night."
    found = read_instructions(f"{shop} Pumps are old.\n\n# Work\nBe brief.")
    assert found.facts == ("Helmets are free.", "Locks cost 2 euros.", "Pumps are old.")


def test_tools_have_kinds() -> None:
    """A tool reads, acts, or fetches a person."""
    assert [tool.kind for tool in read_toolbook({"tools": TOOLS}).tools] == ["read", "act", "person"]


@given(st.from_regex(r"\A[A-Z]{1,4}-\d{1,6}\Z|\A#?[A-Z]\d{4,8}\Z|\A[a-z]{2,6}_\d{1,4}\Z|\A\d[A-Z]{2}\d{3}\Z"))
def test_an_example_matches_its_own_pattern(example: str) -> None:
    """The pattern made from an example finds the example in a sentence, whole."""
    assert regex.findall(pattern_like(example), f"it is {example}.", regex.IGNORECASE) == [example]


def test_codes_are_found_as_the_schema_shows_them() -> None:
    """A code is found in any case where its example is in capitals; a pattern of the schema comes before an example."""
    shown = read_argument("ref", {"type": "string", "description": "Reference, like AB-123"}, True)
    assert shown.codes_in("my ab-123, not AB-1234") == ("AB-123",)
    own = read_argument("ref", {"type": "string", "pattern": "^Z[0-9]{2}$", "description": "like AB-123"}, True)
    assert own.codes_in("Z12 AB-123") == ("Z12",)


def test_a_slow_pattern_finds_nothing() -> None:
    """A pattern that would take for ever is given up and finds nothing."""
    slow = read_argument("ref", {"type": "string", "pattern": "(a+)+b"}, True)
    assert slow.codes_in("a" * 60) == ()


def test_conversation_is_read_with_its_results() -> None:
    """Calls are joined with their results; consecutive user messages are one; system messages join the prompt."""
    dialogue = read_dialogue(
        {
            "system": "Be kind.",
            "messages": [
                {"role": "user", "content": "one"},
                {"role": "user", "content": [{"type": "text", "text": "two"}]},
                {"role": "system", "content": "Be brief."},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {"a": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": '{"b": 2}'}]},
            ],
        }
    )
    assert dialogue.system == "Be kind.\n\nBe brief."
    assert dialogue.turn.user == "one\ntwo"
    assert [(call.name, call.input, call.data) for call in dialogue.turn.calls] == [("look", {"a": 1}, {"b": 2})]


def test_structured_output_fits_its_schema() -> None:
    """A value made for a schema holds the required properties with values of their types."""
    schema = {
        "type": "object",
        "properties": {
            "ok": {"type": "boolean"},
            "kind": {"enum": ["a", "b"]},
            "list": {"type": "array"},
            "more": {"type": "string"},
        },
        "required": ["ok", "kind", "list"],
    }
    assert value_for(schema) == {"ok": False, "kind": "a", "list": []}


def test_argument_without_description_is_explained_by_the_tools() -> None:
    """Where only the tool's description shows the form of a code, the form is found there."""
    described = "Look a parcel up. The parcel_id looks like PX-1234. Ask nothing else."
    schema = {"type": "object", "properties": {"parcel_id": {"type": "string"}}, "required": ["parcel_id"]}
    book = read_toolbook({"tools": [{"name": "find_parcel", "description": described, "input_schema": schema}]})
    assert book.tools[0].codes[0].codes_in("Where is px-9876?") == ("PX-9876",)
