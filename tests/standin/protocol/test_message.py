"""From reply to message: ids, limits, thinking, usage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.standin.cache import CacheUse
from evalkit.standin.models import MODELS, Model
from evalkit.standin.protocol.message import Call, FinishedMessage, finish_message
from evalkit.standin.reply import Reply

HAIKU = MODELS["claude-haiku-5-5"]
SAID = {"type": "text", "text": "The parcel is on its way. STOP It should arrive before the weekend."}
CALL = {"type": "tool_use", "name": "look", "input": {"order_id": "TN-40000", "note": "please hurry"}}
THOUGHT = {"type": "thinking", "thinking": "Let me think."}


def finish(
    reply: Reply, model: Model = HAIKU, trial: int = 1, prompt_tokens: int = 10, **request: Any
) -> FinishedMessage:
    """Return the finished message of a reply."""
    body = {"model": model.id, "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]} | request
    call = Call(body, json.dumps(body).encode(), model, prompt_tokens, trial)
    return finish_message(reply, call, CacheUse(10), {})


def test_same_request_same_message_other_trial_other_ids() -> None:
    """Ids depend on request and trial only, so that conversations can be repeated byte for byte."""
    reply = Reply((SAID, CALL, CALL), "tool_use")
    assert finish(reply) == finish(reply)
    ids = [block["id"] for block in finish(reply).message["content"][1:]]
    assert len({*ids, *(block["id"] for block in finish(reply, trial=2).message["content"][1:])}) == 4
    assert all(each.startswith("toolu_standin_") for each in ids)


def test_stop_sequence_ends_the_text_before_itself() -> None:
    """The text ends before the first stop sequence, later blocks are gone, and the sequence is named."""
    message = finish(Reply((SAID, CALL), "tool_use"), stop_sequences=["nothing", "STOP"]).message
    assert [block["text"] for block in message["content"]] == ["The parcel is on its way. "]
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "STOP")


def test_max_tokens_cuts_the_text() -> None:
    """A reply longer than max_tokens ends early and says so."""
    message = finish(Reply((SAID,)), max_tokens=5).message
    assert SAID["text"].startswith(message["content"][0]["text"])
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("max_tokens", 5)


def test_max_tokens_inside_a_tool_call_keeps_unfinished_json() -> None:
    """A call that does not fit is cut; its unfinished input is what the stream will carry."""
    finished = finish(Reply((CALL,), "tool_use"), max_tokens=12)
    assert finished.message["stop_reason"] == "max_tokens"
    assert finished.cut_input is not None
    assert json.dumps(CALL["input"]).startswith(finished.cut_input)


def test_context_window_ends_the_reply_with_a_reason_of_its_own() -> None:
    """Where window and not max_tokens is the limit, the stop reason tells."""
    message = finish(Reply((SAID,)), prompt_tokens=HAIKU.context_tokens - 5).message
    assert message["stop_reason"] == "model_context_window_exceeded"


def test_pre_warm_says_nothing() -> None:
    """max_tokens 0 gives an empty message without output tokens."""
    message = finish(Reply((SAID,)), max_tokens=0).message
    assert (message["content"], message["stop_reason"], message["usage"]["output_tokens"]) == ([], "max_tokens", 0)


@pytest.mark.parametrize(
    ("model", "thinking", "shown"),
    [
        ("claude-haiku-5-5", None, ""),
        ("claude-haiku-5-5", {"type": "adaptive", "display": "summarized"}, "Let me think."),
        ("claude-haiku-5-5", {"type": "disabled"}, None),
        ("claude-opus-4-8", None, None),
        ("claude-opus-4-6", {"type": "adaptive"}, "Let me think."),
        ("claude-opus-4-6", {"type": "adaptive", "display": "omitted"}, ""),
    ],
)
def test_thinking_is_shown_as_model_and_request_say(model: str, thinking: Any, shown: str | None) -> None:
    """Thinking is left out where it is off, and emptied but signed where it is omitted."""
    content = finish(Reply((THOUGHT, SAID)), MODELS[model], **({"thinking": thinking} if thinking else {})).message[
        "content"
    ]
    blocks = [block for block in content if block["type"] == "thinking"]
    assert [block["thinking"] for block in blocks] == ([] if shown is None else [shown])
    assert all(block["signature"] for block in blocks)


def test_thinking_tokens_are_part_of_the_output() -> None:
    """Shown thinking counts in output_tokens and is stated by itself."""
    usage = finish(Reply((THOUGHT, SAID)), thinking={"type": "adaptive", "display": "summarized"}).message["usage"]
    assert 0 < usage["output_tokens_details"]["thinking_tokens"] < usage["output_tokens"]


@given(st.lists(st.sampled_from([SAID, CALL, THOUGHT]), max_size=4), st.integers(1, 60))
def test_output_never_exceeds_max_tokens(blocks: list[dict[str, Any]], limit: int) -> None:
    """No reply is billed for more than max_tokens, and one that was cut says so."""
    whole = finish(Reply(tuple(blocks)), max_tokens=100_000)
    cut = finish(Reply(tuple(blocks)), max_tokens=limit)
    assert 1 <= cut.output_tokens <= limit
    assert (cut.message["stop_reason"] == "max_tokens") == (whole.output_tokens > limit)
