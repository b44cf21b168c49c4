"""Scripted replies: what a case's `stand_in` says instead of behaviour."""

from __future__ import annotations

import pytest

from evalkit.standin.behaviour import answer

REQUEST = {"messages": [{"role": "user", "content": "hi"}]}


def test_say_and_call_become_blocks() -> None:
    """A say is a text that ends the turn; a call, and calls, are tool calls that do not."""
    said = answer(REQUEST, 1, [{"say": "Hello."}])
    assert (said.content, said.stop_reason) == (({"type": "text", "text": "Hello."},), "end_turn")
    both = answer(REQUEST, 1, [{"calls": [{"call": "a", "input": {"x": 1}}, {"call": "b"}]}])
    assert [(block["name"], block["input"]) for block in both.content] == [("a", {"x": 1}), ("b", {})]
    assert both.stop_reason == "tool_use"


def test_unknown_step_is_an_error() -> None:
    """A step that is none of these is refused with its keys."""
    with pytest.raises(ValueError, match="shout"):
        answer(REQUEST, 1, [{"shout": "Hello"}])


def test_schema_of_the_request_is_followed() -> None:
    """A request for structured output gets JSON that fits the schema."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    reply = answer({**REQUEST, "output_config": {"format": {"type": "json_schema", "schema": schema}}}, 1, [])
    assert reply.content[0]["text"] == '{"n":0}'
