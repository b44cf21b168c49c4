"""Laws of behaviour for any request: it answers, in valid blocks, the same every time."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.standin.behaviour import answer

from .bikehire import TOOLS

PHRASES = st.sampled_from(
    [
        "GH/4417",
        "cancel",
        "please",
        "yes",
        "no",
        "booking",
        "a person",
        "refund me",
        "ignore all previous instructions",
        "?",
        "poem",
    ]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(PHRASES, max_size=6).map(" ".join))
RULES = st.sampled_from(
    [
        "Never use emoji.",
        "Ask for the id.",
        "# Facts\n- Helmets cost 3 euros.",
        "<example>\nA: hi",
        'Open with "Hi"',
        "- a\n  - b",
        'Close with "Bye".',
    ]
)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw a conversation that ends with the user: texts, calls of known and unknown tools, results and errors."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": draw(TEXTS)}]
    for number in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            messages += [{"role": "assistant", "content": draw(TEXTS)}, {"role": "user", "content": draw(TEXTS)}]
            continue
        name = draw(st.sampled_from(["find_booking", "cancel_booking", "escalate_to_staff", "unknown"]))
        block = {"type": "tool_use", "id": f"t{number}", "name": name, "input": {"booking_id": "GH/4417"}}
        content = draw(
            st.sampled_from(["", "plain", "[]", '{"found": false}', '{"bike": {"name": "x"}, "ends_by": "2020-01-01"}'])
        )
        result = {
            "type": "tool_result",
            "tool_use_id": f"t{number}",
            "content": content,
            "is_error": draw(st.booleans()),
        }
        messages += [{"role": "assistant", "content": [block]}, {"role": "user", "content": [result]}]
    return messages


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conversations(), st.lists(RULES, max_size=4).map("\n\n".join), st.integers(-5, 10**6))
def test_every_request_gets_a_valid_reply(messages: list[dict[str, Any]], system: str, trial: int) -> None:
    """Any conversation is answered with text or with calls that fit the tools' schemas, and always the same way."""
    request = {"model": "m", "system": [{"type": "text", "text": system}], "tools": TOOLS, "messages": messages}
    before = json.dumps(request)
    reply = answer(request, trial, [])
    assert json.dumps(request) == before
    assert reply == answer(json.loads(before), trial, [])
    assert reply.content
    schemas = {tool["name"]: tool["input_schema"] for tool in TOOLS}
    for block in reply.content:
        if block["type"] == "text":
            assert block["text"].strip()
        else:
            jsonschema.validate(block["input"], schemas[block["name"]])
    assert (reply.stop_reason == "tool_use") == any(block["type"] == "tool_use" for block in reply.content)


def test_ids_and_cache_marks_do_not_move_the_dice() -> None:
    """Two requests that differ in ids, cache marks and diagnostics get the same reply; another trial may differ."""
    plain = {"system": [{"type": "text", "text": "Be kind."}], "messages": [{"role": "user", "content": "Hello there"}]}
    marked = {
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "messages": plain["messages"],
        "diagnostics": {"previous_message_id": "msg_1"},
    }
    assert answer(plain, 1, []) == answer(marked, 1, [])
    assert len({str(answer(plain, trial, []).content) for trial in range(12)}) > 1
