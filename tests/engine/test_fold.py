"""The fold from bytes to a reply."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.engine.fold import INVALID_JSON, EventDecoder, MalformedStream, Message, fold, usage_of
from tests.engine.streams import end, sse, start, text_block, tool_block

STREAM = sse(
    start(cache_read_input_tokens=900, cache_creation_input_tokens=0),
    {"type": "ping"},
    *text_block(0, "Grüße, ", "it’s 寒い ", "today 🙂"),
    *tool_block(1, "lookup_order", '{"order_id": ', '"ÄB-1", "n": [1, 2', "]}"),
    *end("tool_use"),
)


def received(chunks: list[bytes]) -> Message:
    """Fold chunks of bytes."""
    decoder, message = EventDecoder(), Message()
    for chunk in chunks:
        for event in decoder.feed(chunk):
            message = fold(message, event)
    return message


WHOLE = received([STREAM])


def test_a_reply_holds_its_blocks_as_the_api_would_have_sent_them() -> None:
    """Text pieces are joined and tool input is parsed."""
    assert WHOLE.content() == (
        {"type": "text", "text": "Grüße, it’s 寒い today 🙂"},
        {"type": "tool_use", "id": "toolu_1", "name": "lookup_order", "input": {"order_id": "ÄB-1", "n": [1, 2]}},
    )
    assert (WHOLE.stop_reason, WHOLE.finished) == ("tool_use", True)


def test_every_cut_in_two_gives_the_same_reply() -> None:
    """Where the bytes are cut makes no difference, also inside a character or a line end."""
    for at in range(len(STREAM)):
        assert received([STREAM[:at], STREAM[at:]]) == WHOLE


@given(st.lists(st.integers(0, len(STREAM)), max_size=40), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_chunking_and_line_end_gives_the_same_reply(cuts: list[int], newline: bytes) -> None:
    """Any number of chunks folds to the same reply."""
    data = STREAM.replace(b"\n", newline) + b":\n"  # a comment line, so that a closing CR is known to end its line
    edges = [0, *sorted(cuts), len(data)]

    assert received([data[a:b] for a, b in pairwise(edges)]) == WHOLE


def test_usage_of_the_last_event_overwrites() -> None:
    """Usage in message_delta is cumulative: it replaces numbers and never adds to them."""
    usage = usage_of(WHOLE.usage)

    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (10, 7, 900)


def test_cache_writes_beyond_the_split_count_as_five_minutes() -> None:
    """The 5m and 1h parts always add up to the tokens written."""
    usage = usage_of(
        {
            "cache_creation_input_tokens": 700,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 400},
        }
    )

    assert usage is not None
    assert (usage.ephemeral_5m_input_tokens, usage.ephemeral_1h_input_tokens) == (300, 400)


@pytest.mark.parametrize("fragment", ['{"a": tru3}', '{"a": "unfin', "[1, 2]", '{"a":1} x'])
def test_tool_input_that_is_no_object_is_kept_as_text(fragment: str) -> None:
    """Bad tool input survives under its own key, so that the model can be told of it."""
    message = received([sse(start(), *tool_block(0, "f", fragment), *end("tool_use"))])

    assert message.content()[0]["input"] == {INVALID_JSON: fragment}


def test_unknown_events_blocks_deltas_and_stop_reasons_survive() -> None:
    """What the API may add tomorrow neither fails nor gets lost."""
    events = [
        start(),
        {"type": "weather", "sun": True},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "hologram", "data": [1]}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "hologram_delta", "x": 1}},
        {"type": "content_block_stop", "index": 0},
        *end("moon_phase"),
    ]

    message = received([sse(*events)])

    assert message.content() == ({"type": "hologram", "data": [1]},)
    assert (message.stop_reason, message.finished) == ("moon_phase", True)


def test_a_stream_without_message_stop_is_not_finished() -> None:
    """A clean end of the bytes is no end of the reply."""
    assert not received([sse(start(), *text_block(0, "so far"))]).finished


@pytest.mark.parametrize(
    "data",
    [
        b"data: {broken\n\n",
        b"data: [1]\n\n",
        sse({"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "x"}}),
        sse(start(), *text_block(1, "gap")),
    ],
)
def test_bytes_that_are_no_reply_are_refused(data: bytes) -> None:
    """Broken JSON and events out of order are named, not guessed at."""
    with pytest.raises(MalformedStream):
        received([data])


def test_what_came_before_broken_data_is_not_lost_with_it() -> None:
    """Events of the same chunk as the broken one still arrive, so that the usage of an abandoned reply is known."""
    came = EventDecoder().feed(sse(start()) + b"data: {broken\n\n")

    assert next(came)["type"] == "message_start"
    with pytest.raises(MalformedStream):
        next(came)


def test_a_compaction_block_is_whole_so_that_it_can_be_sent_again() -> None:
    """What its delta brings belongs to the block, and the tokens of making it are counted."""
    begin = {"type": "compaction", "content": None}
    events = [
        start(cache_read_input_tokens=5),
        {"type": "content_block_start", "index": 0, "content_block": begin},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "compaction_delta", "content": "notes", "encrypted_content": "seal"},
        },
        {"type": "content_block_stop", "index": 0},
        *end(
            iterations=[
                {"type": "compaction", "input_tokens": 60_000, "output_tokens": 300, "cache_read_input_tokens": 7},
                {"type": "message", "input_tokens": 10, "output_tokens": 7},
            ]
        ),
    ]

    message = received([sse(*events)])

    assert message.content() == ({"type": "compaction", "content": "notes", "encrypted_content": "seal"},)
    usage = usage_of(message.usage)
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (60_010, 307, 12)
