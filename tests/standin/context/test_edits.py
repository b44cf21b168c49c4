"""What the model still sees after context edits, and what the response says was cleared."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.standin.context import CLEARED, apply_edits
from evalkit.standin.models import MODELS

HAIKU = MODELS["claude-haiku-5-5"]
BETA = "context-management-2025-06-27"
RESULT = "The order left the warehouse on Tuesday and is with the courier now. " * 10


def conversation(calls: int, thinking: bool = False) -> list[dict[str, Any]]:
    """Return a conversation of one tool call a turn."""
    messages: list[dict[str, Any]] = []
    for number in range(calls):
        call = {
            "type": "tool_use",
            "id": f"toolu_{number}",
            "name": ("look", "pay")[number % 2],
            "input": {"n": number},
        }
        thought = [{"type": "thinking", "thinking": f"Hm {number}.", "signature": "c2lnbmVk"}] if thinking else []
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": f"{number} {RESULT}"}
        messages += [
            {"role": "user", "content": f"question {number}"},
            {"role": "assistant", "content": [*thought, call]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": [{"type": "text", "text": "There it is."}]},
        ]
    return [*messages, {"role": "user", "content": "Thanks."}]


def request_with(edit: dict[str, Any], messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a request with one edit."""
    return {"model": HAIKU.id, "messages": messages, "context_management": {"edits": [edit]}}


def results(request: dict[str, Any]) -> list[str]:
    """Return what the tool results of a request say."""
    blocks = (
        block for message in request["messages"] if isinstance(message["content"], list) for block in message["content"]
    )
    return [block["content"] for block in blocks if block["type"] == "tool_result"]


def clear_tools(**settings: Any) -> dict[str, Any]:
    """Return an edit that clears tool uses beyond one."""
    trigger = {"type": "tool_uses", "value": 1}
    return {"type": "clear_tool_uses_20250919", "trigger": trigger, **settings}


def test_old_results_are_cleared_beyond_the_trigger() -> None:
    """All results but the last three become a placeholder, and the tokens they took are reported."""
    messages = conversation(5)
    edited = apply_edits(request_with(clear_tools(), messages), HAIKU)
    assert [each == CLEARED for each in results(edited.request)] == [True, True, False, False, False]
    (applied,) = edited.applied
    assert applied["cleared_tool_uses"] == 2
    assert applied["cleared_input_tokens"] == edited.original_tokens - edited.prompt.total_tokens > 300


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"keep": {"type": "tool_uses", "value": 0}}, 0),
        ({"exclude_tools": ["look"], "keep": {"type": "tool_uses", "value": 0}}, 3),
        ({"clear_at_least": {"type": "input_tokens", "value": 100_000}}, 5),
        ({"trigger": {"type": "tool_uses", "value": 5}}, 5),
        ({"trigger": {"type": "input_tokens", "value": 100}, "keep": {"type": "tool_uses", "value": 1}}, 1),
        ({"trigger": {"type": "input_tokens", "value": 100_000}}, 5),
    ],
)
def test_settings_of_clearing_tools(settings: dict[str, Any], kept: int) -> None:
    """Keep, exclusions, the least amount and both kinds of trigger decide how many results stay."""
    edited = apply_edits(request_with(clear_tools(**settings), conversation(5)), HAIKU)
    assert sum(each != CLEARED for each in results(edited.request)) == kept
    assert bool(edited.applied) == (kept < 5)


@pytest.mark.parametrize(("wanted", "emptied"), [(False, set()), (True, {0, 1}), (["pay"], {1})])
def test_inputs_are_cleared_when_asked(wanted: Any, emptied: set[int]) -> None:
    """The inputs of cleared calls stay, go, or go for the named tools."""
    edited = apply_edits(request_with(clear_tools(clear_tool_inputs=wanted), conversation(5)), HAIKU)
    calls = [
        message["content"][0]
        for message in edited.request["messages"]
        if "toolu" in str(message) and message["role"] == "assistant"
    ]
    assert {number for number, call in enumerate(calls) if not call["input"]} == emptied


@pytest.mark.parametrize(("keep", "left"), [(None, 1), ({"type": "thinking_turns", "value": 2}, 2), ("all", 4)])
def test_old_thinking_is_cleared(keep: Any, left: int) -> None:
    """Thinking of all but the newest turns goes; `all` keeps it."""
    edit = {"type": "clear_thinking_20251015", **({"keep": keep} if keep else {})}
    edited = apply_edits(request_with(edit, conversation(4, thinking=True)), HAIKU)
    assert str(edited.request).count("'thinking':") == left
    assert [each.get("cleared_thinking_turns") for each in edited.applied] == ([4 - left] if left < 4 else [])


def test_system_messages_may_be_for_one_user_turn_only() -> None:
    """A message with clear_at is seen until the user speaks again; one without stays."""
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "Be brief.", "clear_at": "next_user_message"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "and?"},
        {"role": "system", "content": "Be kind.", "clear_at": "next_user_message"},
    ]
    seen = apply_edits({"model": HAIKU.id, "messages": messages}, HAIKU).request["messages"]
    assert [message["content"] for message in seen] == ["hi", "Hello.", "and?", "Be kind."]
    lasting = [{key: value for key, value in message.items() if key != "clear_at"} for message in messages]
    assert apply_edits({"model": HAIKU.id, "messages": lasting}, HAIKU).request["messages"] == lasting


@given(st.integers(0, 6), st.integers(0, 6), st.integers(1, 6))
def test_clearing_never_lengthens_and_reports_what_it_took(calls: int, keep: int, trigger: int) -> None:
    """Whatever the settings, tokens before are tokens after plus what was cleared, and pairs stay whole."""
    settings = {"keep": {"type": "tool_uses", "value": keep}, "trigger": {"type": "tool_uses", "value": trigger}}
    edited = apply_edits(request_with(clear_tools(**settings), conversation(calls)), HAIKU)
    cleared = sum(each["cleared_input_tokens"] for each in edited.applied)
    assert edited.prompt.total_tokens + cleared == edited.original_tokens
    assert len(results(edited.request)) == calls


def test_response_reports_edits_and_counts_what_is_left(client: anthropic.Anthropic) -> None:
    """Through the SDK: usage counts the shortened prompt, streams report at the end, count_tokens gives both."""
    asked: Any = {
        "model": HAIKU.id,
        "messages": conversation(5),
        "tools": [{"name": name, "input_schema": {"type": "object"}} for name in ("look", "pay")],
        "context_management": {"edits": [clear_tools()]},
        "betas": [BETA],
    }
    plain = client.beta.messages.create(max_tokens=99, **asked)
    with client.beta.messages.stream(max_tokens=99, **asked) as stream:
        streamed = stream.get_final_message()
    counted = client.beta.messages.count_tokens(**asked)
    assert plain.context_management is not None
    assert streamed.context_management == plain.context_management
    (applied,) = plain.context_management.applied_edits
    assert counted.input_tokens == plain.usage.input_tokens
    assert counted.context_management is not None
    assert counted.context_management.original_input_tokens == counted.input_tokens + applied.cleared_input_tokens
