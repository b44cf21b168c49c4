"""Thinking blocks that come back: which edits of the history the API notices."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from evalkit.standin.errors import ApiError
from evalkit.standin.models import MODELS, Model
from evalkit.standin.protocol.thinking import check_thinking_blocks, sign_thinking

BOUND = MODELS["claude-opus-5-5"]
FREE = MODELS["claude-opus-5"]


def conversation(model: Model, turns: int = 3) -> dict[str, Any]:
    """Return a conversation whose assistant turns each begin with signed thinking."""
    request: dict[str, Any] = {"model": model.id, "system": "Be kind.", "tools": [], "messages": []}
    for number in range(turns):
        request["messages"].append({"role": "user", "content": f"question {number}"})
        thought = {"type": "thinking", "thinking": "", "signature": sign_thinking(request, model)}
        answer = {"type": "text", "text": f"answer {number}"}
        request["messages"].append({"role": "assistant", "content": [thought, answer]})
    request["messages"].append({"role": "user", "content": "and now?"})
    return request


def without_thinking(request: dict[str, Any], *turns: int) -> dict[str, Any]:
    """Return the conversation with the thinking of some assistant turns removed."""
    edited = deepcopy(request)
    for turn in turns:
        del edited["messages"][2 * turn + 1]["content"][0]
    return edited


@pytest.mark.parametrize("model", [BOUND, FREE])
def test_unedited_history_is_accepted(model: Model) -> None:
    """What the server signed, it takes back as it was."""
    request = conversation(model)
    assert check_thinking_blocks(request, model) == (request, [])


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": 5},
        {"tool_choice": {"type": "none"}},
        {"output_config": {"effort": "low"}},
        {"system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]},
    ],
)
def test_settings_are_no_part_of_the_check(settings: dict[str, Any]) -> None:
    """Effort, token limit, tool choice and cache markers may change."""
    check_thinking_blocks(conversation(BOUND) | settings, BOUND)


@pytest.mark.parametrize(
    "edit",
    [
        lambda request: request | {"system": "Be brief."},
        lambda request: request | {"tools": [{"name": "look", "input_schema": {"type": "object"}}]},
        lambda request: request | {"messages": request["messages"][2:]},
        lambda request: request | {"messages": [{"role": "user", "content": "other"}, *request["messages"][1:]]},
        lambda request: without_thinking(request, 1),
    ],
    ids=["system", "tools", "first turn dropped", "first message edited", "gap"],
)
def test_edited_prefix_is_refused_where_thinking_is_bound(edit: Any) -> None:
    """On binding models an edit before a thinking block, or a gap between them, is a 400; elsewhere it is fine."""
    with pytest.raises(ApiError, match="Invalid `signature` in `thinking` block"):
        check_thinking_blocks(edit(conversation(BOUND)), BOUND)
    check_thinking_blocks(edit(conversation(FREE)), FREE)


@pytest.mark.parametrize("turns", [(0,), (0, 1), (2,), (1, 2), (0, 1, 2)])
def test_thinking_may_go_from_either_end(turns: tuple[int, ...]) -> None:
    """Removing the oldest or the newest thinking blocks leaves the others valid."""
    check_thinking_blocks(without_thinking(conversation(BOUND), *turns), BOUND)


def test_forged_signatures_are_refused_everywhere() -> None:
    """A signature the server did not make is a 400 on every model."""
    request = conversation(FREE)
    request["messages"][1]["content"][0]["signature"] = "bm90IG1pbmU="
    with pytest.raises(ApiError, match=r"messages.1.content.0: Invalid `signature` in `thinking` block"):
        check_thinking_blocks(request, FREE)


def test_thinking_of_another_model_is_dropped_silently() -> None:
    """Blocks the model can't read disappear without an error or a report."""
    request, report = check_thinking_blocks(conversation(FREE), BOUND)
    assert report == []
    assert all(block["type"] == "text" for message in request["messages"][1::2] for block in message["content"])


def test_mismatches_can_be_dropped_instead() -> None:
    """With `drop_block` the mismatching blocks go, and the response will say which."""
    request = conversation(BOUND) | {"system": "Be brief."}
    request["thinking"] = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    cleaned, report = check_thinking_blocks(request, BOUND)
    assert [entry["path"] for entry in report] == [f"messages.{index}.content.0" for index in (1, 3, 5)]
    assert all(len(message["content"]) == 1 for message in cleaned["messages"][1::2])


def test_batches_drop_mismatches_by_default() -> None:
    """In a batch an edited prefix drops the block instead of failing the item."""
    _, report = check_thinking_blocks(conversation(BOUND) | {"system": "Be brief."}, BOUND, drop_mismatches=True)
    assert len(report) == 3
