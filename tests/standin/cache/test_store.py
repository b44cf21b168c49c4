"""The prompt cache: what is read, written and billed, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.standin.cache import CacheUse, PromptCache, read_prompt
from evalkit.standin.models import MODELS

MODEL = MODELS["claude-haiku-5-5"]
LONG = "All our parcels travel by bicycle. " * 80
MARK_5M = {"type": "ephemeral"}
MARK_1H = {"type": "ephemeral", "ttl": "1h"}


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def text(words: str, marker: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a text block, marked if wanted."""
    return {"type": "text", "text": words} | ({"cache_control": marker} if marker else {})


def request(*blocks: dict[str, Any], system: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """Return a request of one user message."""
    return {"messages": [{"role": "user", "content": list(blocks)}], "system": system or [], **more}


def open_prompt(cache: PromptCache, body: dict[str, Any], *, answered: bool = True) -> CacheUse:
    """Look a request up, and let its response begin unless told otherwise."""
    use = cache.open(read_prompt(body, MODEL), MODEL.cache_minimum_tokens)
    if answered:
        cache.publish(use)
    return use


def parts(use: CacheUse) -> tuple[bool, bool, bool]:
    """Say which of read, 5-minute write and 1-hour write are there."""
    return use.read_tokens > 0, use.write_5m_tokens > 0, use.write_1h_tokens > 0


@pytest.fixture
def clock() -> Clock:
    """Return a clock at rest."""
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> PromptCache:
    """Return an empty cache."""
    return PromptCache(clock)


def test_first_request_writes_and_the_second_reads(cache: PromptCache) -> None:
    """What the first request wrote, the next one reads in full."""
    first = open_prompt(cache, request(text("hi"), system=[text(LONG, MARK_5M)]))
    second = open_prompt(cache, request(text("something else"), system=[text(LONG, MARK_5M)]))
    assert parts(first) == (False, True, False)
    assert parts(second) == (True, False, False)
    assert second.read_tokens == first.write_5m_tokens


def test_nothing_is_readable_before_the_response_begins(cache: PromptCache) -> None:
    """Identical requests sent at once all pay for the write."""
    body = request(text("hi"), system=[text(LONG, MARK_5M)])
    together = [open_prompt(cache, body, answered=False) for _ in range(3)]
    assert {parts(use) for use in together} == {(False, True, False)}
    cache.publish(together[0])
    assert parts(open_prompt(cache, body)) == (True, False, False)


def test_prompts_below_the_minimum_are_not_cached(cache: PromptCache) -> None:
    """A short prompt leaves both counters at 0, however often it is sent."""
    body = request(text("hi"), system=[text("Be kind.", MARK_5M)])
    assert [parts(open_prompt(cache, body)) for _ in range(2)] == [(False, False, False)] * 2


@pytest.mark.parametrize(("marker", "lifetime_s"), [(MARK_5M, 300), (MARK_1H, 3600)])
def test_entries_live_as_long_as_their_marker_says(
    cache: PromptCache, clock: Clock, marker: dict[str, str], lifetime_s: float
) -> None:
    """An entry is there just before its time is up and gone just after."""
    body = request(text("hi"), system=[text(LONG, marker)])
    open_prompt(cache, body)
    clock.now += lifetime_s + 1
    assert open_prompt(cache, body).read_tokens == 0
    clock.now += lifetime_s - 1
    assert open_prompt(cache, body).read_tokens > 0


def test_lifetime_counts_from_the_start_of_the_request(cache: PromptCache, clock: Clock) -> None:
    """A response that takes long to begin does not prolong the entry."""
    body = request(text("hi"), system=[text(LONG, MARK_5M)])
    use = open_prompt(cache, body, answered=False)
    clock.now += 200
    cache.publish(use)
    clock.now += 150
    assert open_prompt(cache, body).read_tokens == 0


def test_reading_refreshes(cache: PromptCache, clock: Clock) -> None:
    """Each read starts the lifetime anew."""
    body = request(text("hi"), system=[text(LONG, MARK_5M)])
    open_prompt(cache, body)
    for _ in range(3):
        clock.now += 299
        assert open_prompt(cache, body).read_tokens > 0


def test_mixed_lifetimes_are_billed_apart(cache: PromptCache) -> None:
    """Up to the last 1-hour marker is a 1-hour write, behind it a 5-minute write."""
    body = request(text(LONG, MARK_5M), text("bye"), system=[text(LONG, MARK_1H)])
    use = open_prompt(cache, body)
    prompt = read_prompt(body, MODEL)
    assert use.write_1h_tokens == prompt.positions[0].tokens_so_far
    assert use.write_5m_tokens == prompt.positions[1].tokens_so_far - prompt.positions[0].tokens_so_far
    assert use.input_tokens == prompt.total_tokens - prompt.positions[1].tokens_so_far


def conversation(turns: int) -> list[dict[str, Any]]:
    """Return a conversation of short turns whose last block is marked."""
    messages = [
        {"role": "user" if number % 2 == 0 else "assistant", "content": [text(f"line {number}")]}
        for number in range(turns)
    ]
    messages[-1]["content"][0]["cache_control"] = MARK_5M
    return messages


@pytest.mark.parametrize(("added", "reads"), [(2, True), (18, True), (19, True), (20, False), (30, False)])
def test_look_back_ends_after_twenty_positions(cache: PromptCache, added: int, reads: bool) -> None:
    """An earlier write is found 19 blocks before the marker, and no further."""
    system = [text(LONG)]
    open_prompt(cache, {"system": system, "messages": conversation(9)})
    later = open_prompt(cache, {"system": system, "messages": conversation(9 + added)})
    assert (later.read_tokens > 0) is reads


def test_runs_of_tool_blocks_count_once_in_the_look_back(cache: PromptCache) -> None:
    """Thirty parallel tool calls and their results are two positions."""
    opening = [{"role": "user", "content": [text(LONG, MARK_5M)]}]
    calls = [{"type": "tool_use", "id": f"toolu_{n}", "name": "look", "input": {}} for n in range(30)]
    results = [{"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": "ok"} for n in range(30)]
    results[-1]["cache_control"] = MARK_5M
    open_prompt(cache, {"messages": opening})
    later = {
        "messages": [
            {"role": "user", "content": [text(LONG)]},
            {"role": "assistant", "content": calls},
            {"role": "user", "content": results},
        ]
    }
    assert open_prompt(cache, later).read_tokens > 0


def test_automatic_marker_follows_the_conversation(cache: PromptCache) -> None:
    """With the top-level marker each turn reads what the turn before wrote."""
    messages = [{"role": "user", "content": LONG}]
    first = open_prompt(cache, {"messages": messages, "cache_control": MARK_5M})
    messages += [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And now?"}]
    second = open_prompt(cache, {"messages": messages, "cache_control": MARK_5M})
    assert second.read_tokens == first.write_5m_tokens
    assert second.write_5m_tokens > 0
    assert second.input_tokens == 0


def test_marker_is_no_part_of_the_prefix(cache: PromptCache) -> None:
    """Moving the marker to a later block still finds the write at the earlier one."""
    open_prompt(cache, request(text(LONG, MARK_5M)))
    assert open_prompt(cache, request(text(LONG), text("more", MARK_5M))).read_tokens > 0


def test_workspaces_do_not_share(cache: PromptCache) -> None:
    """An entry of one workspace is invisible to another."""
    body = request(text(LONG, MARK_5M))
    for scope in ("a", "b"):
        use = cache.open(read_prompt(body, MODEL, scope), MODEL.cache_minimum_tokens)
        cache.publish(use)
        assert use.read_tokens == 0


BLOCKS = st.builds(
    text,
    st.sampled_from(["short", LONG, LONG * 2, "other", "grüße 🙂"]),
    st.sampled_from([None, None, None, MARK_5M, MARK_1H]),
)
PROMPTS = st.lists(st.lists(BLOCKS, min_size=1, max_size=3), min_size=1, max_size=8).map(
    lambda contents: {
        "system": [text(LONG, MARK_1H)],
        "messages": [
            {"role": "user" if number % 2 == 0 else "assistant", "content": content}
            for number, content in enumerate(contents)
        ],
    }
)


@given(st.lists(st.tuples(PROMPTS, st.booleans(), st.sampled_from([0, 10, 299, 301, 3700])), max_size=6))
def test_parts_always_sum_to_the_prompt(history: list[tuple[dict[str, Any], bool, float]]) -> None:
    """Whatever happened before, input, writes and read are non-negative and add up to the prompt's tokens."""
    clock = Clock()
    cache = PromptCache(clock)
    for body, answered, pause in history:
        use = open_prompt(cache, body, answered=answered)
        counts = (use.input_tokens, use.write_5m_tokens, use.write_1h_tokens, use.read_tokens)
        assert min(counts) >= 0
        assert sum(counts) == read_prompt(body, MODEL).total_tokens
        clock.now += pause


@given(PROMPTS)
def test_repeated_request_reads_everything_before_its_last_marker(body: dict[str, Any]) -> None:
    """Once the first response has begun, an identical request writes nothing and pays for the tail only."""
    cache = PromptCache(Clock())
    first, second = (open_prompt(cache, body) for _ in range(2))
    marked = [p.tokens_so_far for p in read_prompt(body, MODEL).positions if p.marker]
    assert second.read_tokens == marked[-1]
    assert second.write_tokens == 0
    assert second.input_tokens == first.input_tokens
