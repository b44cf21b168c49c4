"""The unmodified SDK as a client: messages, streams, tools, tokens, models, batches."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import anthropic
import pytest
from anthropic import beta_tool

from evalkit.standin import StandIn
from tests.standin.conftest import echo

MODEL = "claude-haiku-5-5"
HELLO: Any = [{"role": "user", "content": "hello"}]
LONG = "All our parcels travel by bicycle. " * 80
SYSTEM: Any = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]


def test_create_returns_a_visibly_fake_message(client: anthropic.Anthropic) -> None:
    """The message names the model asked for and its id says stand-in."""
    message = client.messages.create(model=MODEL, max_tokens=200, messages=HELLO)
    assert message.id.startswith("msg_standin_")
    assert (message.model, message.stop_reason, message.role) == (MODEL, "end_turn", "assistant")
    assert message.content[-1].text == "Trial 1: hello – naïve 🙂."


def test_stream_folds_to_the_message_of_create(client: anthropic.Anthropic) -> None:
    """The stream helper ends up with the same content and usage as a plain request."""
    asked: Any = {"model": MODEL, "max_tokens": 200, "messages": HELLO, "thinking": {"type": "adaptive"}}
    plain = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        kinds = {event.type for event in stream}
        streamed = stream.get_final_message()
    assert {"text", "signature", "message_stop", "content_block_stop"} <= kinds
    assert [block.type for block in streamed.content] == ["thinking", "text"]
    assert streamed.content[-1].text == plain.content[-1].text
    assert streamed.usage.to_dict() == plain.usage.to_dict()


def test_tool_calls_stream_with_their_input(client: anthropic.Anthropic) -> None:
    """A streamed tool call arrives with the input the behaviour chose, characters intact."""
    tools: Any = [{"name": "look", "input_schema": {"type": "object"}}]
    asked: Any = [{"role": "user", "content": "call look"}]
    with client.messages.stream(model=MODEL, max_tokens=200, messages=asked, tools=tools) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "tool_use"
    assert message.content[-1].input == {"order_id": "TN-40000", "note": "größer"}


@pytest.mark.parametrize("backend", ["httpx2", "aiohttp"])
def test_many_streams_at_once(stand_in: StandIn, backend: str) -> None:
    """Fifty concurrent streams over either transport each get their own reply."""

    async def one(sdk: anthropic.AsyncAnthropic, number: int) -> str:
        said: Any = [{"role": "user", "content": f"number {number}"}]
        async with sdk.messages.stream(model=MODEL, max_tokens=200, messages=said) as stream:
            return await stream.get_final_text()

    async def all_of_them() -> list[str]:
        transport = anthropic.DefaultAioHttpClient() if backend == "aiohttp" else anthropic.DefaultAsyncHttpxClient()
        async with anthropic.AsyncAnthropic(
            api_key="test", base_url=stand_in.base_url, max_retries=0, http_client=transport
        ) as sdk:
            return await asyncio.gather(*(one(sdk, number) for number in range(50)))

    texts = asyncio.run(all_of_them())
    assert texts == [f"Trial 1: number {number} – naïve 🙂." for number in range(50)]


def test_count_tokens_is_the_prompt_that_is_billed(client: anthropic.Anthropic) -> None:
    """The counting endpoint and the usage of the same request agree."""
    counted = client.messages.count_tokens(model=MODEL, messages=HELLO, system=LONG).input_tokens
    billed = client.messages.create(model=MODEL, max_tokens=200, messages=HELLO, system=LONG).usage.input_tokens
    assert counted == billed > 500


def test_cache_is_written_then_read(client: anthropic.Anthropic) -> None:
    """Two requests with one marked prefix: the first writes it, the second reads it."""
    system: Any = [
        {"type": "text", "text": f"A prefix of this test only. {LONG}", "cache_control": {"type": "ephemeral"}}
    ]
    usages = [
        client.messages.create(
            model=MODEL, max_tokens=200, system=system, messages=[{"role": "user", "content": words}]
        ).usage
        for words in ("one", "two")
    ]
    assert usages[0].cache_creation_input_tokens == usages[1].cache_read_input_tokens
    assert usages[0].cache_creation is not None
    assert usages[0].cache_creation.ephemeral_5m_input_tokens == usages[0].cache_creation_input_tokens
    assert (usages[0].cache_read_input_tokens, usages[1].cache_creation_input_tokens) == (0, 0)


def test_diagnostics_explain_a_changed_system_prompt(client: anthropic.Anthropic) -> None:
    """A first turn has no diagnostics, a clean continuation neither, an edited system prompt is named."""
    first = client.messages.create(
        model=MODEL, max_tokens=99, system="Be kind.", messages=HELLO, diagnostics={"previous_message_id": None}
    )
    history: Any = [*HELLO, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more"}]
    reasons = []
    for system in ("Be kind.", "Be brief."):
        with client.messages.stream(
            model=MODEL, max_tokens=99, system=system, messages=history, diagnostics={"previous_message_id": first.id}
        ) as stream:
            reasons.append(stream.get_final_message().diagnostics)
    assert (first.diagnostics, reasons[0]) == (None, None)
    assert reasons[1] is not None
    assert reasons[1].cache_miss_reason is not None
    assert reasons[1].cache_miss_reason.type == "system_changed"


@beta_tool
def look(order_id: str, note: str = "") -> str:
    """Look an order up.

    Args:
        order_id: the order's number
        note: anything else
    """
    return f"{order_id} is on its way ({note})"


@pytest.mark.parametrize("settings", [{}, {"thread": False}], ids=["thread by default", "thread=False"])
def test_tool_runner_runs_to_the_end(client: anthropic.Anthropic, settings: dict[str, Any]) -> None:
    """The SDK's tool runner gets its call, returns the result and receives the closing reply, threads or not."""
    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=300, tools=[look], messages=[{"role": "user", "content": "call look"}], **settings
    )
    final = runner.until_done()
    assert final.stop_reason == "end_turn"
    assert "TN-40000 is on its way (größer)" in final.content[-1].text


def test_models_are_listed_in_pages_and_found_by_alias(client: anthropic.Anthropic) -> None:
    """Paging visits every model once, and an alias gives the dated model."""
    paged = [model.id for model in client.models.list(limit=4)]
    whole = [model.id for model in client.models.list(limit=100)]
    assert paged == whole
    assert len(set(paged)) == len(paged) > 10
    model = client.models.retrieve("claude-haiku-4-5")
    assert (model.id, model.max_tokens, model.line) == ("claude-haiku-4-5-20251001", 64_000, "haiku")
    assert model.capabilities is not None
    assert model.capabilities.thinking.types.enabled.supported
    assert not model.capabilities.thinking.types.adaptive.supported


def test_unknown_model_is_not_found(client: anthropic.Anthropic) -> None:
    """Neither the models endpoint nor a message knows a model that does not exist."""
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-nobody-1")
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="claude-nobody-1", max_tokens=9, messages=HELLO)


def batch_item(custom_id: str, **params: Any) -> Any:
    """Return an item of a batch."""
    return {"custom_id": custom_id, "params": {"model": MODEL, "max_tokens": 99, "messages": HELLO} | params}


def test_batch_ends_and_gives_its_results(client: anthropic.Anthropic) -> None:
    """A batch is in progress, then ended; good items succeed at the batch tier, bad ones are errored."""
    created = client.messages.batches.create(requests=[batch_item("good"), batch_item("bad", max_tokens=-1)])
    assert (created.processing_status, created.request_counts.processing) == ("in_progress", 2)
    ended = client.messages.batches.retrieve(created.id)
    assert (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.errored) == ("ended", 1, 1)
    results = {line.custom_id: line.result for line in client.messages.batches.results(created.id)}
    good, bad = results["good"], results["bad"]
    assert good.type == "succeeded"
    assert good.message.usage.service_tier == "batch"
    assert bad.type == "errored"
    assert bad.error.error.type == "invalid_request_error"


def test_batch_items_carry_trial_and_script(client: anthropic.Anthropic) -> None:
    """The stand-in's own key on an item says which trial it is and what is said."""
    items = [
        batch_item("two") | {"x_evalkit": {"trial": 2}},
        batch_item("said") | {"x_evalkit": {"plan": {"steps": [{"say": "On its way."}]}}},
    ]
    batch = client.messages.batches.create(requests=items)
    client.messages.batches.retrieve(batch.id)
    texts = {}
    for line in client.messages.batches.results(batch.id):
        assert line.result.type == "succeeded"
        texts[line.custom_id] = line.result.message.content[-1].text
    assert texts == {"two": "Trial 2: hello – naïve 🙂.", "said": "On its way."}


def test_canceled_batch_ends_with_canceled_items_and_can_be_deleted(client: anthropic.Anthropic) -> None:
    """Cancelling is a state of its own; afterwards every item is canceled and the batch may go."""
    batch = client.messages.batches.create(requests=[batch_item("a"), batch_item("b")])
    with pytest.raises(anthropic.BadRequestError, match="while it is processing"):
        client.messages.batches.delete(batch.id)
    assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
    ended = client.messages.batches.retrieve(batch.id)
    assert (ended.processing_status, ended.request_counts.canceled) == ("ended", 2)
    assert {line.result.type for line in client.messages.batches.results(batch.id)} == {"canceled"}
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)


def test_batches_are_listed_newest_first(client: anthropic.Anthropic) -> None:
    """The list starts with the latest batch and pages through to older ones."""
    made = [client.messages.batches.create(requests=[batch_item("x")]).id for _ in range(3)]
    listed = [batch.id for batch in client.messages.batches.list(limit=2)]
    assert listed[:3] == made[::-1]


def test_batch_may_take_several_polls() -> None:
    """With more polls asked for, the batch stays in progress until the last of them, its counts at 0."""
    with StandIn(echo, batch_polls=3) as server, anthropic.Anthropic(api_key="k", base_url=server.base_url) as sdk:
        batch = sdk.messages.batches.create(requests=[batch_item("a")])
        polled = [sdk.messages.batches.retrieve(batch.id) for _ in range(3)]
    assert [each.processing_status for each in polled] == ["in_progress", "in_progress", "ended"]
    assert [each.request_counts.succeeded for each in polled] == [0, 0, 1]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "requests: List should have at least 1 item"),
        ([batch_item("a b")], "requests.0.custom_id: String should match pattern"),
        ([batch_item("a"), batch_item("a")], "requests.1.custom_id: duplicate custom_id: a"),
    ],
)
def test_malformed_batches_are_refused_at_once(client: anthropic.Anthropic, items: Any, message: str) -> None:
    """The outer shape of a batch is checked when it is created."""
    with pytest.raises(anthropic.BadRequestError, match=message):
        client.messages.batches.create(requests=items)


def test_deprecated_model_is_still_answered(client: anthropic.Anthropic) -> None:
    """A model near its end answers; the SDK warns about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        message = client.messages.create(model="claude-sonnet-4-5", max_tokens=99, messages=HELLO)
    assert message.model == "claude-sonnet-4-5"
    assert client.models.retrieve("claude-sonnet-4-5").lifecycle == "deprecated"
