"""Laws of a script for any request: it answers, in valid blocks or marked, the same every time."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.standin import Cue
from evalkit.standin.script import player, read_script
from evalkit.yamlsource import SourceText
from tests.standin.script.test_play import CAREFUL, CLINIC, TOOLS

ANSWER = player({"": read_script(SourceText("stand-in.yaml", CLINIC))})
PHRASES = st.sampled_from(
    ["Dr Osei", "the second", "appointment", "chest pain", "yes", "broken", "?", "{{ user }}", "{doctor}", "poem"]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(PHRASES, max_size=6).map(" ".join))
RESULTS = st.sampled_from(["", "plain", "[]", '{"slots": []}', '{"slots": [{"id": "s1"}]}', '{"reference": 7}', "null"])


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw a conversation that ends with the user: texts, calls of known and unknown tools, results and errors."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": draw(TEXTS)}]
    for number in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            messages += [{"role": "assistant", "content": draw(TEXTS)}, {"role": "user", "content": draw(TEXTS)}]
            continue
        name = draw(st.sampled_from(["find_slots", "book_slot", "unknown"]))
        block = {"type": "tool_use", "id": f"t{number}", "name": name, "input": {"doctor": "osei"}}
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": draw(RESULTS)}
        answer = {"role": "user", "content": [{**result, "is_error": draw(st.booleans())}]}
        messages += [{"role": "assistant", "content": [block]}, answer]
    return messages


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conversations(), st.sampled_from(["", CAREFUL, "Be kind."]), st.integers(-5, 10**6))
def test_every_request_gets_a_reply(messages: list[dict[str, Any]], system: str, trial: int) -> None:
    """Any conversation is answered in text or calls of tools that are offered, and always the same way."""
    request = {"model": "m", "system": [{"type": "text", "text": system}], "tools": TOOLS, "messages": messages}
    before = json.dumps(request)

    reply = ANSWER(request, trial, Cue())

    assert json.dumps(request) == before
    assert reply == ANSWER(json.loads(before), trial, Cue())
    assert reply.content
    for block in reply.content:
        assert block["text"].strip() if block["type"] == "text" else block["name"] in {"find_slots", "book_slot"}
    assert (reply.stop_reason == "tool_use") == any(block["type"] == "tool_use" for block in reply.content)


def test_ids_and_cache_marks_do_not_move_the_dice() -> None:
    """Two requests that differ in ids, cache marks and diagnostics get the same reply; another trial may differ."""
    dice = player(
        {"": read_script(SourceText("s.yaml", "rules: [{chance: 0.5, say: Now.}, {user: hello, say: Later.}]"))}
    )
    messages = [{"role": "user", "content": "Hello there"}]
    plain = {"system": [{"type": "text", "text": "Be kind."}], "messages": messages}
    marked = {
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "messages": messages,
        "diagnostics": {"previous_message_id": "msg_1"},
    }

    assert [dice(plain, trial, Cue()) for trial in range(12)] == [dice(marked, trial, Cue()) for trial in range(12)]
    assert len({str(dice(plain, trial, Cue()).content) for trial in range(12)}) > 1
