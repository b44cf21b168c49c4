"""Compaction on demand and at a threshold, as an unmodified SDK meets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import beta_tool

from evalkit.standin import StandIn
from evalkit.standin.script import player, read_script
from evalkit.yamlsource import SourceText

MODEL = "claude-haiku-5-5"
ON_DEMAND = "compact-2026-09-04"
THRESHOLD = "compact-2026-01-12"
TOLD: Any = [
    {"role": "user", "content": "My dog is called Biscuit."},
    {"role": "assistant", "content": "Noted."},
]
QUESTION: Any = {"role": "user", "content": "What is my dog called?"}
LONG: Any = {"role": "user", "content": "The weather was grey and nobody came to the market. " * 4_000}
SCRIPT = """
words: {parcel: '/PX-\\d{4}/'}
facts: {dog: my dog is called *}
rules:
  - user: write a summary of the conversation
    say: "Notes on what was said: {{ told or 'nothing was told.' }}"
  - {user: my dog called, if: facts.dog, say: "Your dog is called {{ facts.dog }}"}
  - {user: "{parcel}", call: {find_parcel: {parcel_id: "{{ parcel }}"}}, say: "{{ find_parcel }}"}
  - {say: Noted.}
"""
EDIT: dict[str, Any] = {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}}


@pytest.fixture(scope="module")
def sdk() -> Iterator[anthropic.Anthropic]:
    """Return a client of a stand-in whose script can sum up."""
    with (
        StandIn(player({"": read_script(SourceText("stand-in.yaml", SCRIPT))})) as server,
        anthropic.Anthropic(api_key="k", base_url=server.base_url, max_retries=0) as client,
    ):
        yield client


def summarised(sdk: anthropic.Anthropic, **more: Any) -> Any:
    """Return the response to a compaction request."""
    asked: Any = {"model": MODEL, "max_tokens": 500, "messages": [*TOLD, QUESTION], "betas": [ON_DEMAND]}
    return sdk.beta.messages.create(**asked, **{"compaction": {"type": "summarize"}, **more})


def test_on_demand_gives_one_signed_block(sdk: anthropic.Anthropic) -> None:
    """The response is the block alone; its cost stands in the iterations, the totals are zero."""
    message = summarised(sdk)
    (block,) = message.content
    assert (message.stop_reason, block.type) == ("compaction", "compaction")
    assert "Biscuit" in block.content
    assert block.signature
    assert (message.usage.input_tokens, message.usage.output_tokens) == (0, 0)
    (iteration,) = message.usage.iterations
    assert iteration.type == "compaction"
    assert iteration.input_tokens > 10
    assert iteration.output_tokens > 10


def test_block_stands_for_what_it_sums_up(sdk: anthropic.Anthropic) -> None:
    """Sent first, in place of the messages, the block lets the conversation go on from what it says."""
    block = summarised(sdk).to_param()
    with sdk.beta.messages.stream(model=MODEL, max_tokens=500, messages=[block, QUESTION], betas=[ON_DEMAND]) as stream:
        reply = stream.get_final_message()
    assert "Biscuit" in str(reply.content)


def test_streamed_block_arrives_whole(sdk: anthropic.Anthropic) -> None:
    """On demand the block is complete when it starts and has no deltas."""
    with sdk.beta.messages.stream(
        model=MODEL, max_tokens=500, messages=TOLD[:1], betas=[ON_DEMAND], compaction={"type": "summarize"}
    ) as stream:
        events = [event.type for event in stream]
        message = stream.get_final_message()
    assert "content_block_delta" not in events
    assert message.content[0].type == "compaction"
    assert "Biscuit" in str(message.content[0].content)
    assert message.stop_reason == "compaction"


def test_summary_longer_than_max_tokens_gives_no_block(sdk: anthropic.Anthropic) -> None:
    """A missing summary is a reply without content and with another stop reason."""
    message = sdk.beta.messages.create(
        model=MODEL, max_tokens=3, messages=TOLD[:1], betas=[ON_DEMAND], compaction={"type": "summarize"}
    )
    assert (message.content, message.stop_reason) == ([], "max_tokens")


def test_counting_ignores_compaction(sdk: anthropic.Anthropic) -> None:
    """count_tokens takes the field and counts the conversation as sent."""
    plain = sdk.beta.messages.count_tokens(model=MODEL, messages=TOLD[:1]).input_tokens
    asked: Any = {"compaction": {"type": "summarize"}, "betas": [ON_DEMAND]}
    assert sdk.beta.messages.count_tokens(model=MODEL, messages=TOLD[:1], **asked).input_tokens == plain


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"content": "My dog is called Rex."}, "compaction_content_mismatch"),
        ({"signature": "bm90aGluZw=="}, "compaction_signature_invalid"),
    ],
)
def test_edited_blocks_are_refused(sdk: anthropic.Anthropic, change: dict[str, str], code: str) -> None:
    """Text and signature of a block belong together."""
    block = {**summarised(sdk).content[0].to_dict(), **change}
    with pytest.raises(anthropic.BadRequestError) as caught:
        sdk.beta.messages.create(
            model=MODEL,
            max_tokens=9,
            betas=[ON_DEMAND],
            messages=[{"role": "assistant", "content": [block]}, QUESTION],  # type: ignore[list-item]
        )
    assert caught.value.error_code == code


@pytest.mark.parametrize("order", ["not first", "twice"])
def test_misplaced_and_second_blocks_are_refused(sdk: anthropic.Anthropic, order: str) -> None:
    """A signed block comes first and alone."""
    block = summarised(sdk).to_param()
    messages = [QUESTION, block, QUESTION] if order == "not first" else [block, QUESTION, block, QUESTION]
    with pytest.raises(anthropic.BadRequestError) as caught:
        sdk.beta.messages.create(model=MODEL, max_tokens=9, betas=[ON_DEMAND], messages=messages)
    assert caught.value.error_code == f"compaction_block_{'misplaced' if order == 'not first' else 'ambiguous'}"


def threshold(sdk: anthropic.Anthropic, messages: list[Any], **edit: Any) -> Any:
    """Return the streamed reply to messages with a threshold of 50,000 tokens."""
    with sdk.beta.messages.stream(
        model=MODEL, max_tokens=500, messages=messages, betas=[THRESHOLD], context_management={"edits": [EDIT | edit]}
    ) as stream:
        return stream.get_final_message()


def test_threshold_compacts_and_goes_on(sdk: anthropic.Anthropic) -> None:
    """Above the threshold a block comes first, then the answer; the totals leave the compaction's own tokens out."""
    history: list[Any] = [*TOLD, LONG, {"role": "assistant", "content": "I see."}, QUESTION]
    message = threshold(sdk, history)
    assert [block.type for block in message.content] == ["compaction", "text"]
    assert "Biscuit" in message.content[1].text
    compaction, said = message.usage.iterations
    assert (compaction.type, said.type) == ("compaction", "message")
    assert compaction.input_tokens > 50_000 > said.input_tokens == message.usage.input_tokens
    assert said.output_tokens == message.usage.output_tokens
    again = threshold(
        sdk, [*history, message.to_param(), {"role": "user", "content": "And what is my dog called again?"}]
    )
    assert [block.type for block in again.content] == ["text"]
    assert "Biscuit" in again.content[0].text
    assert again.usage.input_tokens < 500


def test_threshold_may_pause(sdk: anthropic.Anthropic) -> None:
    """With a pause the reply ends behind the block, and sending it back continues the turn."""
    history: list[Any] = [*TOLD, LONG]
    paused = threshold(sdk, history, pause_after_compaction=True)
    assert (paused.stop_reason, [block.type for block in paused.content]) == ("compaction", ["compaction"])
    assert paused.usage.input_tokens == 0
    resumed = threshold(sdk, [*history, paused.to_param(), QUESTION], pause_after_compaction=True)
    assert "Biscuit" in resumed.content[-1].text


def test_below_the_threshold_nothing_happens(sdk: anthropic.Anthropic) -> None:
    """A short conversation is answered as ever, without iterations."""
    message = threshold(sdk, [*TOLD, QUESTION])
    assert [block.type for block in message.content] == ["text"]
    assert message.usage.iterations is None


@beta_tool
def find_parcel(parcel_id: str) -> str:
    """Look a parcel up.

    Args:
        parcel_id: the parcel's number, for example PX-1234
    """
    return f"Parcel {parcel_id} is in Leeds."


@pytest.mark.parametrize("settings", [{}, {"thread": False}], ids=["thread by default", "thread=False"])
def test_tool_runner_compacts_in_the_middle(sdk: anthropic.Anthropic, settings: dict[str, Any]) -> None:
    """The SDK's runner asks for a compaction between two turns and goes on with the block."""
    runner = sdk.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=500,
        tools=[find_parcel],
        system="Look a parcel up before you say anything about it, for example: (find_parcel: in Leeds).",
        messages=[{"role": "user", "content": "Where is my parcel PX-1234?"}],
        betas=[ON_DEMAND],
        **settings,
    )
    reasons = []
    for message in runner:
        reasons.append(message.stop_reason)
        if len(reasons) == 1:
            runner.compact_before_next_turn()
    assert reasons[:2] == ["tool_use", "compaction"]
    assert len(reasons) == 3
