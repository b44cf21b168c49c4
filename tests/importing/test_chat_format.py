"""Reading one recorded conversation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.importing.chat_format import INVALID_JSON, Malformed, parse_conversation
from tests.importing.recorded import asks, line, recording, result, says, user

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["id", "messages", "role", "content", "tool_calls", "function", "arguments", "name", "tool_call_id", "type"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def test_both_spellings_of_a_tool_call_are_the_same() -> None:
    """Arguments may be an object or JSON text, flat or inside `function`."""
    flat = {"id": "c1", "name": "look", "arguments": {"id": "ü"}}
    nested = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"id": "ü"}'}}
    calls = [
        parse_conversation(line(recording(user("hi"), says(None, call)))).messages[1].calls for call in (flat, nested)
    ]
    assert calls[0] == calls[1]
    assert calls[0][0].input == {"id": "ü"}


@pytest.mark.parametrize("arguments", ['{"id": ', "[1]", "look", '"x"'])
def test_arguments_that_are_no_object_are_kept_as_text(arguments: str) -> None:
    """The model's broken JSON is what happened, not a mistake of the file."""
    call = {"id": "c1", "name": "look", "arguments": arguments}
    found = parse_conversation(line(recording(user("hi"), says(None, call))))
    assert found.messages[1].calls[0].input == {INVALID_JSON: arguments}


@pytest.mark.parametrize("arguments", [None, "", {}, "{}"])
def test_no_arguments_are_an_empty_object(arguments: Any) -> None:
    """A call without arguments is written in several ways."""
    call = {"id": "c1", "name": "look", "arguments": arguments}
    assert parse_conversation(line(recording(says(None, call)))).messages[0].calls[0].input == {}


@pytest.mark.parametrize(
    ("message", "is_error"),
    [
        (result("Error: no such order"), True),
        (result("Error: expected", is_error=False), False),
        (result("fine", is_error=True), True),
        (result("fine"), False),
        (result("An Error"), False),
        (result(None), False),
    ],
)
def test_a_tool_error_is_what_says_so_or_begins_with_error(message: dict[str, Any], is_error: bool) -> None:
    """A recorded is_error wins over the text."""
    found = parse_conversation(line(recording(says(None, asks("look")), message)))
    assert found.messages[1].is_error is is_error


def test_leading_system_messages_are_the_system_prompt() -> None:
    """Later ones stay where they are."""
    system = {"role": "system", "content": "Be kind."}
    found = parse_conversation(line(recording(system, {**system, "role": "developer"}, user("hi"), system)))
    assert found.system == "Be kind.\n\nBe kind."
    assert [message.role for message in found.messages] == ["user", "system"]


def test_parts_are_joined_and_what_is_no_text_is_named() -> None:
    """An image stays visible as a word in brackets."""
    parts = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "x"}}]
    found = parse_conversation(line(recording({"role": "user", "content": parts})))
    assert found.messages[0].text == "Look:\n\n[image_url]"


def test_a_refusal_is_what_the_user_read() -> None:
    """Text in `refusal` counts when there is no content."""
    found = parse_conversation(line(recording({"role": "assistant", "content": None, "refusal": "I can't."})))
    assert (found.messages[0].text, found.messages[0].refused) == ("I can't.", True)


@pytest.mark.parametrize(
    ("more", "case", "case_id"),
    [
        ({}, "a b#1", "a-b-1"),
        ({"case": "-late/1"}, "-late/1", "late/1"),
        ({"case": "späti"}, "späti", "späti"),
    ],
)
def test_a_case_is_named_as_a_suite_may_name_it(more: dict[str, Any], case: str, case_id: str) -> None:
    """Without a case the id names it; characters a suite does not allow become hyphens."""
    found = parse_conversation(line(recording(user("hi"), id="a b#1", **more)))
    assert (found.case, found.case_id) == (case, case_id)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{", "not JSON: "),
        (b'"x"', "'x'; expected a JSON object"),
        (b"[]", "a list; expected a JSON object"),
        (b'{"id": "a", "messages": "\xff"}', "not JSON: "),
        (line({"id": "a"}), "`messages` is missing; expected a list"),
        (line({"id": "a", "messages": []}), "`messages` is a list; expected a list of at least one"),
        (line({"messages": [user("x")]}), "`id` is missing; expected a text."),
        (line(recording(user("x"), id=" ")), "`id` is ' '; expected a text."),
        (line(recording(user("x"), case=7)), "`case` is 7; expected a text."),
        (line(recording(user("x"), case="#!")), "'#!' can't name a case; expected letters or digits."),
        (line(recording(user("x"), trial=True)), "`trial` is a truth value; expected a whole number."),
        (line(recording(user("x"), trial=-1)), "`trial` is -1"),
        (line(recording(user("x"), model={})), "`model` is an object"),
        (line(recording({"role": "bot", "content": "x"})), "message 1: `role` is 'bot'; expected system, user"),
        (line(recording(user("x"), {"role": "user", "content": 5})), "message 2: `content` is 5"),
        (line(recording({"role": "user", "content": [{}]})), "message 1: a part of `content` is an object"),
        (line(recording({"role": "assistant", "content": "", "tool_calls": {}})), "`tool_calls` is an object"),
        (line(recording(says(None, {"id": "a"}))), "message 1, tool call 1: expected texts as `id` and `name`"),
        (line(recording(says(None, {"id": "a", "name": "f", "arguments": 3}))), "`arguments` is 3"),
        (line(recording(user("x"), result("ok"))), "message 2 is a tool's result for 'c1'; no open call"),
        (line(recording(says(None, asks("f")), result("ok"), result("ok"))), "message 3 is a tool's result"),
        (line(recording(says(None, asks("f")), result("ok", is_error="no"))), "`is_error` is 'no'"),
        (line(recording({"role": "tool", "content": "x"})), "message 1: `tool_call_id` is missing"),
        (line(recording(7)), "message 1 is 7"),  # type: ignore[arg-type]
    ],
)
def test_a_malformed_line_says_what_is_wrong(raw: bytes, message: str) -> None:
    """The message names the message, the key and the value."""
    with pytest.raises(Malformed) as caught:
        parse_conversation(raw)
    assert message in str(caught.value)


@given(json_values | st.builds(lambda messages: {"id": "a", "messages": messages}, st.lists(json_values, max_size=4)))
def test_any_json_is_a_conversation_or_malformed(value: Any) -> None:
    """No shape of JSON brings the reader down."""
    try:
        found = parse_conversation(line(value))
    except Malformed:
        return
    assert found.id
