"""The memory strategies as pure functions: what they may leave out, and what they never do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.engine.memory import (
    CompactionMemory,
    Fold,
    Gauge,
    Memory,
    Messages,
    SummaryMemory,
    WholeMemory,
    WindowMemory,
    gauge_of,
    memory_named,
    remembered,
    summary_of,
)
from evalkit.errors import UsageError
from evalkit.records import Failure, JsonObject, Request, Usage
from tests.engine.talk import PROMPT, assistant, called, conversations, text, thinking, user

ROOMY = Gauge(fixed=100, per_token=3.6, room=1_000_000)
STRATEGIES = st.one_of(
    st.builds(WindowMemory, st.integers(1, 6)),
    st.builds(
        SummaryMemory,
        above_tokens=st.integers(10, 2000),
        keep_turns=st.integers(1, 5),
        tokens=st.integers(1, 100),
        place=st.sampled_from(["messages", "system"]),
    ),
)
GAUGES = st.builds(Gauge, fixed=st.just(40), per_token=st.floats(1, 5), room=st.integers(100, 5000))


def sent(plan: Messages | Fold) -> list[Messages]:
    """Return every list of messages that a plan may send."""
    if not isinstance(plan, Fold):
        return [plan]
    return [plan.ask, plan.otherwise, remembered("noted", plan)[1]]


def kinds(messages: Sequence[JsonObject]) -> list[str]:
    """Return the block types of all assistant messages in order, text for plain text."""
    return [
        str(block["type"]) for message in messages if message["role"] == "assistant" for block in message["content"]
    ]


@given(STRATEGIES, conversations(), GAUGES)
def test_no_call_is_parted_from_its_result(memory: Memory, messages: Messages, gauge: Gauge) -> None:
    """Each tool_use is answered by the next message, and each tool_result answers the message before."""
    for plan in sent(memory.plan(messages, gauge)):
        calls = [
            [b["id"] for b in m["content"] if b["type"] == "tool_use"] if m["role"] == "assistant" else [] for m in plan
        ]
        results = [
            [b["tool_use_id"] for b in m["content"] if b["type"] == "tool_result"]
            if m["role"] == "user" and not isinstance(m["content"], str)
            else []
            for m in plan
        ]
        assert results[0] == [] == calls[-1]
        assert all(called_ == answered for called_, answered in zip(calls, results[1:], strict=False))


@given(STRATEGIES, conversations(), GAUGES)
def test_what_is_sent_begins_and_ends_with_the_user(memory: Memory, messages: Messages, gauge: Gauge) -> None:
    """The first message is a user's, the last one is the new message or the request for a summary."""
    plan = memory.plan(messages, gauge)
    for candidate in sent(plan):
        assert candidate[0]["role"] == candidate[-1]["role"] == "user"
    last = plan.kept[-1] if isinstance(plan, Fold) else plan[-1]
    assert last == messages[-1]


@given(STRATEGIES, conversations(), GAUGES)
def test_thinking_stays_whole_or_goes_whole(memory: Memory, messages: Messages, gauge: Gauge) -> None:
    """As soon as a message is missing there is no thinking left at all; otherwise nothing was touched."""
    for plan in sent(memory.plan(messages, gauge)):
        untouched = plan[: len(messages)] in (messages, messages[:-1] + plan[len(messages) - 1 : len(messages)])
        assert untouched or "thinking" not in kinds(plan)


@given(STRATEGIES, conversations(), GAUGES)
def test_nothing_is_sent_above_the_models_window(memory: Memory, messages: Messages, gauge: Gauge) -> None:
    """Turns are dropped until the rest fits; only a single turn that is too long by itself is sent as it is."""
    plan = memory.plan(messages, gauge)
    candidate = plan.otherwise if isinstance(plan, Fold) else plan
    assert gauge.fits(candidate) or candidate == messages[-1:]
    if isinstance(plan, Fold):
        assert gauge.tokens(plan.kept) + plan.reply_tokens <= gauge.room or plan.kept == messages[-1:]


@given(STRATEGIES, conversations(), GAUGES)
def test_the_same_conversation_gives_the_same_plan(memory: Memory, messages: Messages, gauge: Gauge) -> None:
    """A resumed session sends the same bytes."""
    assert memory.plan(messages, gauge) == memory.plan(list(messages), gauge)


@given(conversations())
def test_a_window_keeps_the_last_turns_word_for_word(messages: Messages) -> None:
    """The kept turns are the newest ones, with every text and call they had."""
    kept = WindowMemory(3).plan(messages, ROOMY)

    assert isinstance(kept, tuple)
    assert sum(m["role"] == "user" and isinstance(m["content"], str) for m in kept) <= 3
    assert [kind for kind in kinds(kept) if kind != "thinking"] == [
        kind for kind in kinds(messages[len(messages) - len(kept) :]) if kind != "thinking"
    ]


def long_talk(count: int) -> list[JsonObject]:
    """Make a conversation of finished turns and a new question."""
    done = [part for n in range(count) for part in (user(f"q{n}"), assistant(thinking(n), text("a" * 100)))]
    return [*done, user("new")]


def test_a_summary_asks_over_the_conversation_as_it_was_sent() -> None:
    """The request for the summary repeats every earlier message unchanged, so that the cache and thinking serve."""
    messages = long_talk(6)

    plan = SummaryMemory(above_tokens=100, keep_turns=2, tokens=50).plan(messages, ROOMY)

    assert isinstance(plan, Fold)
    assert list(plan.ask[:-1]) == messages[:-1]
    assert plan.kept == (user("q4"), assistant(text("a" * 100)), user("q5"), assistant(text("a" * 100)), user("new"))
    assert plan.otherwise == tuple(messages)


def test_a_summary_comes_in_big_steps() -> None:
    """Nothing is folded below the threshold, nor while a fold would take away less than it keeps."""
    memory = SummaryMemory(above_tokens=100, keep_turns=4, tokens=50)

    assert memory.plan(long_talk(2), ROOMY) == tuple(long_talk(2))
    assert memory.plan(long_talk(7), ROOMY) == tuple(long_talk(7))
    assert isinstance(memory.plan(long_talk(8), ROOMY), Fold)
    assert isinstance(memory.plan(long_talk(8), Gauge(100, 3.6, 2000)), Fold)


def test_an_old_memory_block_is_no_turn() -> None:
    """The block of the last fold is folded again, but does not count as something to fold."""
    memory = SummaryMemory(above_tokens=10, keep_turns=1, tokens=50)
    block = remembered("noted", Fold((), 0, (), ()))[1]
    once = [*block, *long_talk(1)]

    assert memory.plan(once, ROOMY) == tuple(once)
    again = memory.plan([*block, *long_talk(2)], ROOMY)
    assert isinstance(again, Fold)
    assert again.ask[0] == block[0]
    assert again.kept[0] == user("q1")


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal", "tool_use", None])
def test_half_a_summary_is_none(stop_reason: str | None) -> None:
    """A summary that was cut off, refused, or interrupted by a tool call is not used."""
    assert summary_of(Request(1, 1, {}, content=(text("so"),), stop_reason=stop_reason)) == ""
    assert summary_of(Request(1, 1, {}, failure=Failure("api_error", "no"))) == ""
    assert summary_of(Request(1, 1, {}, content=(thinking(), text("so")), stop_reason="end_turn")) == "so"


def test_the_gauge_learns_from_real_usage() -> None:
    """After a request the estimate of the same messages is what they really were."""
    messages = [user("x" * 1000)]
    first = gauge_of(PROMPT)

    learned = first.after(
        Request(
            1,
            1,
            {"system": PROMPT.system, "tools": PROMPT.tools, "messages": messages},
            usage=Usage(input_tokens=100, cache_read_input_tokens=900),
        )
    )

    assert learned.tokens(messages) == 1000 != first.tokens(messages)
    assert first.after(Request(1, 1, {"messages": messages})) == first


def test_the_gauge_leaves_room_for_the_longest_reply() -> None:
    """Of the window of 200,000 tokens of an unknown model, the reply's tokens and a margin are taken off."""
    unknown = gauge_of(
        type(PROMPT)(**{**vars(PROMPT), "model": "somebody-elses-model", "params": {"max_tokens": 50_000}})
    )

    assert unknown.room == 142_500


def test_compaction_is_asked_of_the_api() -> None:
    """The strategy leaves the messages alone and adds the field and the beta header that ask for it."""
    memory = memory_named({"compact": {"above_tokens": 60_000, "instructions": "Keep numbers."}})

    assert memory.plan(long_talk(3), ROOMY) == tuple(long_talk(3))
    assert memory.headers == {"anthropic-beta": "compact-2026-01-12"}
    edit = {
        "type": "compact_20260112",
        "trigger": {"type": "input_tokens", "value": 60_000},
        "instructions": "Keep numbers.",
    }
    assert memory.fields == {"context_management": {"edits": [edit]}}


def test_a_prompts_memory_names_its_strategy() -> None:
    """Each form of the front matter has its strategy; one from a newer version is refused."""
    assert memory_named({}) == WholeMemory()
    assert memory_named({"window": 4}) == WindowMemory(4)
    assert memory_named(
        {"summary": {"above_tokens": 9, "keep_turns": 2, "tokens": 3, "instructions": ""}}
    ) == SummaryMemory(9, 2, 3)
    assert isinstance(memory_named({"compact": {"above_tokens": 50_000}}), CompactionMemory)
    with pytest.raises(UsageError, match="unknown strategy 'dreams'"):
        memory_named({"dreams": {}})


def test_calls_of_one_round_stay_together_at_the_edge() -> None:
    """A cut never falls between a round of calls and the answer that uses it."""
    messages = [user("a"), assistant(text("b")), user("c"), *called("1", "2"), assistant(text("d")), user("e")]

    kept = WindowMemory(2).plan(messages, ROOMY)

    assert isinstance(kept, tuple)
    assert [m["role"] for m in kept] == ["user", "assistant", "user", "assistant", "user"]
    assert [a != b for a, b in pairwise(kept)]
