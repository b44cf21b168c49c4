"""Replies that have to be calls, and the placeholders they are filled with."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.standin.behaviour import answer
from evalkit.standin.behaviour.pattern_text import text_matching
from evalkit.standin.behaviour.placeholder import value_for

from .bikehire import INTRO, TOOLS, calls


def forced(
    message: str, choice: dict[str, Any], tools: list[dict[str, Any]] | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the one call of a reply to a message under a tool choice."""
    request = {"system": INTRO, "tools": tools or TOOLS, "tool_choice": choice}
    reply = answer({**request, "messages": [{"role": "user", "content": message}]}, 1, [])
    assert reply.stop_reason == "tool_use"
    (call,) = calls(reply)
    return call


@pytest.mark.parametrize(
    ("message", "choice", "name"),
    [
        ("When does GH/4417 start?", {"type": "any"}, "find_booking"),
        ("I want to talk to a person.", {"type": "any"}, "escalate_to_staff"),
        ("Good morning!", {"type": "tool", "name": "escalate_to_staff"}, "escalate_to_staff"),
        ("Good morning!", {"type": "tool", "name": "cancel_booking"}, "cancel_booking"),
        ("Good morning!", {"type": "any"}, "find_booking"),
        ("Summarise our conversation.", {"type": "any"}, "find_booking"),
    ],
)
def test_forced_reply_is_a_call_that_fits_the_schema(message: str, choice: dict[str, Any], name: str) -> None:
    """The named tool is called, else the best fitting one, and its input is valid whatever the user said."""
    called, given_input = forced(message, choice)
    assert called == name
    jsonschema.validate(given_input, next(tool for tool in TOOLS if tool["name"] == name)["input_schema"])


def test_arguments_come_from_the_conversation_first() -> None:
    """A code that the user named is passed on; only what nobody said is a placeholder."""
    _, given_input = forced("It is about GH/4417.", {"type": "tool", "name": "cancel_booking"})
    assert given_input["booking_id"] == "GH/4417"
    _, unknown = forced("It is about my bike.", {"type": "tool", "name": "cancel_booking"})
    assert unknown["booking_id"] != "GH/4417"


SCHEMAS: list[dict[str, Any]] = [
    {"type": "string", "pattern": "^TN-[0-9]{5}$"},
    {"type": "string", "pattern": r"^(GH|AB)/\d{2,4}[a-f]?x+$"},
    {"type": "string", "pattern": r"^[^a-z]{3}\.\w+$"},
    {"type": "string", "minLength": 20},
    {"type": "string", "maxLength": 3},
    {"type": "string", "format": "date"},
    {"type": "integer", "minimum": 5},
    {"type": "integer", "exclusiveMinimum": 10, "multipleOf": 4},
    {"type": "number", "maximum": -1.5},
    {"type": "integer", "exclusiveMaximum": -3},
    {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2},
    {"type": ["null", "string"]},
    {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
    {"$ref": "#/$defs/code", "$defs": {"code": {"type": "string", "pattern": "^[A-Z]{2}$"}}},
    {
        "type": "object",
        "required": ["a", "b"],
        "properties": {"a": {"const": 3}, "b": {"type": "object", "properties": {}}, "c": {"type": "string"}},
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_placeholders_fit_their_schema(schema: dict[str, Any]) -> None:
    """Patterns, lengths, limits, formats, lists, unions and references are respected."""
    jsonschema.validate(value_for(schema), schema)


@pytest.mark.parametrize("pattern", ["(?=a)b", "a(?!b)", "[", "(", "^(a|b", "a{1000}", "[^z-a]", "(" * 5000])
def test_patterns_that_are_not_understood_give_nothing(pattern: str) -> None:
    """Rather than a wrong text there is none."""
    assert text_matching(pattern) is None


def test_broken_schemas_still_get_a_call() -> None:
    """What no validator could use is filled with something, and the reply is a call all the same."""
    odd = {
        "a": {"type": "string", "pattern": "["},
        "b": {"type": "integer", "minimum": "x", "multipleOf": 0},
        "c": {"type": "array", "minItems": 10**12},
        "d": {"type": "string", "minLength": 10**12},
    }
    schema = {"type": "object", "properties": odd, "required": list(odd)}
    name, given_input = forced("Hello", {"type": "any"}, [{"name": "odd", "input_schema": schema}])
    assert (name, given_input.keys()) == ("odd", odd.keys())


@given(st.text(alphabet=r"ab1()[]{}|^$.*+?\dwsDWS-,2", max_size=14))
def test_texts_for_patterns_match_them(pattern: str) -> None:
    """Whatever the pattern, a text that is made is one in which Python's own engine finds it too."""
    try:
        compiled = re.compile(pattern)
    except (re.error, FutureWarning):
        return
    made = text_matching(pattern)
    if made is not None:
        assert compiled.search(made)
