"""What a change of the request invalidates: the table of the caching page, one row per change."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.standin.cache import CacheMiss, Diagnostics, compare_prompts, read_prompt
from evalkit.standin.models import MODELS, Model

OPUS = MODELS["claude-opus-5"]
OLD_HAIKU = MODELS["claude-haiku-4-5-20251001"]
TOOL = {"name": "look", "input_schema": {"type": "object"}}
SEARCH = {"type": "web_search_20260318", "name": "web_search"}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
BASE: dict[str, Any] = {
    "tools": [TOOL],
    "system": "Be kind.",
    "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}],
}


def with_message(*blocks: dict[str, Any]) -> dict[str, Any]:
    """Return the base request with one more user message."""
    return {"messages": [*BASE["messages"], {"role": "user", "content": list(blocks)}]}


def survivors(change: dict[str, Any], model: Model = OPUS) -> tuple[bool, bool, bool]:
    """Say for tools, system and the first message whether they keep their place in the cache."""
    before, after = read_prompt(BASE, OPUS), read_prompt(BASE | change, model)
    firsts = [next(p.digest for p in prompt.positions if p.section == "messages") for prompt in (before, after)]
    return (
        before.tools_digest == after.tools_digest,
        before.system_digest == after.system_digest,
        firsts[0] == firsts[1],
    )


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"tools": [{**TOOL, "description": "Look."}]}, (False, False, False)),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, (False, False, False)),
        ({"system": "Be brief."}, (True, False, False)),
        ({"speed": "fast"}, (True, False, False)),
        ({"tools": [TOOL, SEARCH]}, (True, False, False)),
        ({"tool_choice": {"type": "none"}}, (True, True, False)),
        ({"thinking": {"type": "disabled"}}, (True, True, False)),
        ({"output_config": {"effort": "low"}}, (True, True, False)),
        (with_message(PNG), (True, True, False)),
        ({"output_config": {"effort": "high"}}, (True, True, True)),
        ({"thinking": {"type": "adaptive"}}, (True, True, True)),
        ({"tool_choice": {"type": "auto"}}, (True, True, True)),
        ({"system": [{"type": "text", "text": "Be kind."}]}, (True, True, True)),
        ({"max_tokens": 5, "metadata": {"user_id": "u"}, "stop_sequences": ["x"]}, (True, True, True)),
        (with_message({"type": "text", "text": "more"}), (True, True, True)),
    ],
)
def test_what_a_change_invalidates(change: dict[str, Any], kept: tuple[bool, bool, bool]) -> None:
    """Each change keeps exactly the levels of the cache that come before it."""
    assert survivors(change) == kept


def test_citations_invalidate_the_system_level() -> None:
    """Switching citations on for a document loses system and messages."""
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
    plain = read_prompt(BASE | with_message(document), OPUS)
    citing = read_prompt(BASE | with_message({**document, "citations": {"enabled": True}}), OPUS)
    assert plain.tools_digest == citing.tools_digest
    assert plain.system_digest != citing.system_digest


def test_other_model_shares_nothing() -> None:
    """Caches belong to one model."""
    assert survivors({}, MODELS["claude-sonnet-5"]) == (False, False, False)


def test_old_models_forget_thinking_when_the_user_speaks() -> None:
    """On models of that generation a new user text drops earlier thinking from the prompt, elsewhere it stays."""
    thought = {"type": "thinking", "thinking": "Hm. " * 50, "signature": "s"}
    turn = {"role": "assistant", "content": [thought, {"type": "text", "text": "hello"}]}
    messages = [{"role": "user", "content": "hi"}, turn, {"role": "user", "content": "more"}]
    for model, forgets in ((OLD_HAIKU, True), (OPUS, False)):
        prompt = read_prompt({"messages": messages}, model)
        assert (len(prompt.positions) == 3) is forgets


def test_marker_inside_a_tool_result_marks_the_result() -> None:
    """A cache marker on a part of a tool result counts for the result and leaves its digest alone."""
    part = {"type": "text", "text": "found"}
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]}
    digests = []
    for extra in ({}, {"cache_control": {"type": "ephemeral"}}):
        result = {"type": "tool_result", "tool_use_id": "t", "content": [part | extra]}
        prompt = read_prompt({"messages": [BASE["messages"][0], call, {"role": "user", "content": [result]}]}, OPUS)
        digests.append(prompt.positions[-1].digest)
    assert digests[0] == digests[1]
    assert prompt.positions[-1].marker == "5m"


def test_automatic_marker_steps_back_over_thinking() -> None:
    """The top-level marker falls on the last block that may carry one."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [thought]}]
    prompt = read_prompt({"messages": messages, "cache_control": {"type": "ephemeral", "ttl": "1h"}}, OPUS)
    assert [position.marker for position in prompt.positions] == ["1h", None]


@pytest.mark.parametrize(
    ("change", "model", "expected"),
    [
        ({}, OPUS, None),
        (with_message({"type": "text", "text": "more"}), OPUS, None),
        ({}, MODELS["claude-sonnet-5"], "model_changed"),
        ({"tools": []}, OPUS, "tools_changed"),
        ({"system": "Be brief."}, OPUS, "system_changed"),
        ({"messages": [{"role": "user", "content": "hi!"}]}, OPUS, "messages_changed"),
        ({"messages": BASE["messages"][:1]}, OPUS, "messages_changed"),
    ],
)
def test_diagnostics_name_the_first_difference(change: dict[str, Any], model: Model, expected: str | None) -> None:
    """The comparison names the earliest part of the prompt that differs, or nothing."""
    previous = read_prompt(BASE, OPUS)
    miss = compare_prompts(previous, read_prompt(BASE | change, model))
    assert (miss.type if miss else None) == expected
    assert miss is None or 0 < (miss.missed_tokens or 0) <= previous.total_tokens


def test_diagnostics_know_only_remembered_messages() -> None:
    """An id that was never remembered is not found; no id is no question."""
    diagnostics = Diagnostics()
    prompt = read_prompt(BASE, OPUS)
    assert diagnostics.explain(None, prompt) is None
    assert diagnostics.explain("msg_1", prompt) == CacheMiss("previous_message_not_found")
    diagnostics.remember("msg_1", prompt)
    diagnostics.complete("msg_1")
    assert diagnostics.explain("msg_1", prompt) is None


def test_diagnostics_are_pending_while_the_earlier_response_is_under_way() -> None:
    """Until a response has ended, a comparison with it has no reason yet, neither good nor bad."""
    diagnostics = Diagnostics()
    prompt = read_prompt(BASE, OPUS)
    diagnostics.remember("msg_1", prompt)
    pending = diagnostics.explain("msg_1", prompt)
    assert pending is not None
    assert pending.to_json() == {"cache_miss_reason": None}


@pytest.mark.parametrize("edited", ["earlier", "later"])
def test_diagnostics_are_unavailable_for_prompts_that_the_server_edited(edited: str) -> None:
    """Where one of the two prompts is not what the client sent there is nothing to compare."""
    diagnostics = Diagnostics()
    prompt = read_prompt(BASE, OPUS)
    diagnostics.remember("msg_1", None if edited == "earlier" else prompt)
    diagnostics.complete("msg_1")
    assert diagnostics.explain("msg_1", None if edited == "later" else prompt) == CacheMiss("unavailable")
