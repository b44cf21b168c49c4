"""The stream of a message: its events in order, and that they fold back to the message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.standin.cache import CacheUse
from evalkit.standin.models import MODELS
from evalkit.standin.protocol.message import Call, FinishedMessage, encode_event, finish_message, message_events
from evalkit.standin.reply import Reply

MODEL = MODELS["claude-opus-4-6"]  # shows its thinking
TOOLS = [
    {"name": "look", "input_schema": {"type": "object"}},
    {"name": "eager", "input_schema": {"type": "object"}, "eager_input_streaming": True},
]
REQUEST: dict[str, Any] = {
    "model": MODEL.id,
    "max_tokens": 100_000,
    "thinking": {"type": "adaptive"},
    "tools": TOOLS,
    "messages": [{"role": "user", "content": "hi"}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(), lambda inner: st.lists(inner, max_size=3)
)
TEXT = st.text(min_size=1).map(lambda words: {"type": "text", "text": words})
THINKING = st.text().map(lambda words: {"type": "thinking", "thinking": words})
CALL = st.builds(
    lambda name, value: {"type": "tool_use", "name": name, "input": value},
    st.sampled_from(["look", "eager"]),
    st.dictionaries(st.text(), JSON, max_size=4),
)
REPLIES = st.lists(TEXT | THINKING | CALL, max_size=5).map(lambda content: Reply(tuple(content)))


def finish(reply: Reply, **changes: Any) -> FinishedMessage:
    """Return the finished message for a reply to the request of this file."""
    request = REQUEST | changes
    return finish_message(reply, Call(request, json.dumps(request).encode(), MODEL, 10), CacheUse(10), {})


def fold(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Put a message together from its events, the way the documentation describes."""
    message: dict[str, Any] = {}
    for event in events:
        if event["type"] == "message_start":
            message = json.loads(json.dumps(event["message"]))
        elif event["type"] == "content_block_start":
            assert event["index"] == len(message["content"])
            message["content"].append(event["content_block"] | {"json": ""})
        elif event["type"] == "content_block_delta":
            add_delta(message["content"][event["index"]], event["delta"])
        elif event["type"] == "message_delta":
            message |= event["delta"]
            message["usage"] |= event["usage"]
    for block in message["content"]:
        encoded = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(encoded or "{}")
    return message


def add_delta(block: dict[str, Any], delta: dict[str, Any]) -> None:
    """Add one delta to its block."""
    field = {"input_json_delta": ("json", "partial_json")}.get(
        delta["type"], (delta["type"].removesuffix("_delta"),) * 2
    )
    block[field[0]] += delta[field[1]]


@given(REPLIES)
def test_events_fold_back_to_the_message(reply: Reply) -> None:
    """Whatever the reply holds, its events add up to the message a plain request would get."""
    finished = finish(reply)
    assert fold(message_events(finished, REQUEST)) == finished.message


@given(REPLIES)
def test_frames_are_one_event_each(reply: Reply) -> None:
    """Each frame has an event line that repeats the type, JSON on one line, and a blank line."""
    for event in message_events(finish(reply), REQUEST):
        name, data, *rest = encode_event(event).split(b"\n")
        assert name == b"event: " + event["type"].encode()
        assert json.loads(data.removeprefix(b"data: ")) == json.loads(json.dumps(event))
        assert rest == [b"", b""]


@given(REPLIES)
def test_order_is_that_of_the_api(reply: Reply) -> None:
    """Start first, stop last, delta before it, one ping; the stop reason is null until the end."""
    events = message_events(finish(reply), REQUEST)
    kinds = [event["type"] for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("ping") == 1
    assert events[0]["message"]["stop_reason"] is None
    assert events[0]["message"]["content"] == []


def deltas(reply: Reply) -> list[dict[str, Any]]:
    """Return the deltas of a reply's stream."""
    return [e["delta"] for e in message_events(finish(reply), REQUEST) if e["type"] == "content_block_delta"]


@pytest.mark.parametrize(
    ("tool", "pieces"),
    [
        ("look", ["", '{"order_id": "TN-40000"', ', "deep": [1, 2]', "}"]),
        ("eager", ["", '{"order_id":', ' "TN-40000",', ' "deep": [1,', " 2]}"]),
    ],
)
def test_tool_input_comes_key_by_key_or_in_fragments(tool: str, pieces: list[str]) -> None:
    """Input is buffered to whole keys unless the tool asks for eager streaming."""
    call = {"type": "tool_use", "name": tool, "input": {"order_id": "TN-40000", "deep": [1, 2]}}
    assert [delta["partial_json"] for delta in deltas(Reply((call,)))] == pieces


@pytest.mark.parametrize("setting", [None, False, True])
def test_legacy_header_streams_every_tool_in_fragments(setting: bool | None) -> None:
    """The header makes tools stream eagerly, except those that say no."""
    tools = [{"name": "look", "input_schema": {"type": "object"}, "eager_input_streaming": setting}]
    call = {"type": "tool_use", "name": "look", "input": {"order_id": "TN-40000 and TN-40001"}}
    finished = finish(Reply((call,)), tools=tools)
    pieces = [
        [
            event
            for event in message_events(finished, {**REQUEST, "tools": tools}, eager=eager)
            if "delta" in event["type"]
        ]
        for eager in (False, True)
    ]
    assert (len(pieces[0]) > 3 + 1) == (setting is True)
    assert (len(pieces[1]) > 3 + 1) == (setting is not False)


def test_empty_tool_input_is_one_empty_delta() -> None:
    """A call without arguments streams an empty string, from which clients must make an empty object."""
    assert [d["partial_json"] for d in deltas(Reply(({"type": "tool_use", "name": "look", "input": {}},)))] == [""]


def test_signature_comes_last_in_its_block() -> None:
    """Thinking streams its text first and its signature as the last delta."""
    kinds = [delta["type"] for delta in deltas(Reply(({"type": "thinking", "thinking": "A long thought indeed."},)))]
    assert kinds == ["thinking_delta", "thinking_delta", "signature_delta"]


def test_text_is_cut_between_words() -> None:
    """Pieces of a normal sentence end where words end."""
    words = "The parcel is on its way and should arrive before the weekend."
    pieces = [delta["text"] for delta in deltas(Reply(({"type": "text", "text": words},)))]
    assert len(pieces) > 3
    assert all(piece.endswith((" ", ".")) for piece in pieces)
