"""Memory inside the chatbot: what the requests of a long conversation look like one after another."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from evalkit.engine import Apology, Chatbot, Conversation, EngineEvent, MemoryFolded, NoTools, TextArrived, TurnFinished
from evalkit.records import JsonObject, PromptVersion, Turn
from tests.engine.talk import PROMPT, MadeUpReplies

SUMMARY: JsonObject = {"summary": {"above_tokens": 600, "keep_turns": 2, "tokens": 64, "instructions": ""}}
IN_SYSTEM: JsonObject = {"summary": {**SUMMARY["summary"], "in": "system"}}


def converse(
    memory: JsonObject,
    replies: MadeUpReplies,
    count: int = 20,
    prompt: PromptVersion = PROMPT,
    begun: Conversation | None = None,
) -> tuple[list[Turn], list[EngineEvent]]:
    """Play a conversation of `count` turns, or go on with one; give its turns and all events."""

    async def play() -> tuple[list[Turn], list[EngineEvent]]:
        bot, conversation = Chatbot(replace(prompt, memory=memory), replies, NoTools()), begun or Conversation()
        turns, events = [], []
        for number in range(count):
            async for event in bot.send(conversation, f"question {number}"):
                events.append(event)
                if isinstance(event, TurnFinished):
                    turns.append(event.turn)
                    conversation = event.conversation
        return turns, events

    return asyncio.run(play())


def prefix(body: Any) -> Any:
    """Return what a request's cached prefix is made of, without its messages."""
    return {key: value for key, value in body.items() if key not in ("messages", "diagnostics")}


@pytest.mark.parametrize("memory", [{}, {"window": 4}, SUMMARY], ids=["none", "window", "summary"])
def test_tools_and_system_never_change(memory: JsonObject) -> None:
    """Whatever is folded, everything before the messages is sent byte for byte the same."""
    replies = MadeUpReplies(think=True)
    converse(memory, replies)

    assert all(prefix(body) == prefix(replies.bodies[0]) for body in replies.bodies)


def test_between_folds_every_request_only_goes_on_from_the_one_before() -> None:
    """Only a fold changes what was sent before, and folds are rare: at most one in `keep_turns` turns."""
    replies = MadeUpReplies(think=True)
    turns, events = converse(SUMMARY, replies, 30)

    changed = sum(
        after["messages"][: len(before["messages"])] != before["messages"] for before, after in pairwise(replies.bodies)
    )
    folds = sum(isinstance(event, MemoryFolded) for event in events)
    assert changed == folds == sum(ask.purpose == "summary" for ask in replies.asked)
    assert 2 <= folds <= len(turns) / 3


def test_a_summary_is_a_request_of_its_own_and_no_reply() -> None:
    """It is recorded with its purpose, its text is neither shown nor part of the turn's reply, numbers go on."""
    turns, events = converse(SUMMARY, MadeUpReplies())

    folded = next(turn for turn in turns if len(turn.requests) > 1)
    assert [request.purpose for request in folded.requests] == ["summary", "reply"]
    assert "the summary" not in folded.reply
    assert not any(isinstance(event, TextArrived) for event in events)
    numbers = [request.n for turn in turns for request in turn.requests]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_summary_is_free_of_what_replies_are_held_to() -> None:
    """No schema, no stop sequence and no forced tool: a summary is words, and whole."""
    config = {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "string"}}}
    settings = {"output_config": config, "stop_sequences": ["answer"], "tool_choice": {"type": "any"}}
    replies = MadeUpReplies()
    converse(SUMMARY, replies, prompt=replace(PROMPT, params={**PROMPT.params, **settings}))

    body = next(ask.body for ask in replies.asked if ask.purpose == "summary")
    assert body["output_config"] == {"effort": "low"}
    assert body["tool_choice"] == {"type": "auto"}
    assert "stop_sequences" not in body


def test_after_a_fold_the_memory_block_leads_the_kept_turns() -> None:
    """The first message holds the summary, then the kept turns follow, without thinking of the time before."""
    replies = MadeUpReplies(think=True)
    converse(SUMMARY, replies)

    at = next(n for n, ask in enumerate(replies.asked) if ask.purpose == "summary")
    asked, after = replies.asked[at].body, replies.asked[at + 1].body
    assert asked["max_tokens"] == 164
    assert after["max_tokens"] == 100
    assert "the summary" in after["messages"][0]["content"]
    assert [message["role"] for message in after["messages"]] == [
        "user",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert "thinking" not in str(after["messages"])


def test_a_summary_in_the_system_prompt_stands_behind_the_part_that_the_cache_keeps() -> None:
    """The prompt's own blocks stay byte for byte, the notes follow them, and the messages begin with a turn."""
    replies = MadeUpReplies(think=True)
    converse(IN_SYSTEM, replies)

    at = next(n for n, ask in enumerate(replies.asked) if ask.purpose == "summary")
    asked, after = replies.asked[at].body, replies.asked[at + 1].body
    own = replies.bodies[0]["system"]
    assert asked["system"] == own
    assert after["system"][:-1] == own
    assert "the summary" in after["system"][-1]["text"]
    assert "cache_control" not in after["system"][-1]
    assert [message["role"] for message in after["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert "thinking" not in str(after["messages"])
    assert all(body["system"][: len(own)] == own and len(body["system"]) <= len(own) + 1 for body in replies.bodies)


def test_the_system_prompt_changes_by_folds_alone() -> None:
    """Between folds every request only goes on from the one before, notes included, and each fold replaces them."""
    replies = MadeUpReplies(think=True)
    turns, events = converse(IN_SYSTEM, replies, 30)

    folds = sum(isinstance(event, MemoryFolded) for event in events)
    pairs = [*enumerate(pairwise(replies.bodies))]
    cut = {n for n, (a, b) in pairs if b["messages"][: len(a["messages"])] != a["messages"]}
    assert len(cut) == folds
    assert {n for n, (a, b) in pairs if a["system"] != b["system"]} <= cut
    assert 2 <= folds <= len(turns) / 3
    asked = [ask.body for ask in replies.asked if ask.purpose == "summary"]
    assert "the summary" in asked[-1]["system"][-1]["text"]


def test_another_strategy_takes_the_notes_over() -> None:
    """Notes that one strategy left in the system prompt are sent by any, until a fold puts them where it says."""
    kept = Conversation(
        messages=(), notes="<conversation_memory>\nThe cat is Tom.\n</conversation_memory>\nAbove: notes."
    )

    windowed, folded = MadeUpReplies(), MadeUpReplies()
    converse({"window": 4}, windowed, 6, begun=kept)
    converse(SUMMARY, folded, begun=kept)

    assert all("The cat is Tom." in body["system"][-1]["text"] for body in windowed.bodies)
    asked = next(ask.body for ask in folded.asked if ask.purpose == "summary")
    assert "The cat is Tom." in asked["system"][-1]["text"]
    assert len(folded.bodies[-1]["system"]) == len(asked["system"]) - 1
    assert "the summary" in folded.bodies[-1]["messages"][0]["content"]


def test_a_failed_summary_costs_nothing_but_itself() -> None:
    """The turn goes on with the whole conversation, and the next turn tries again."""
    replies = MadeUpReplies(["", "", "the summary"])
    turns, events = converse(SUMMARY, replies)

    assert all(turn.failure is None and turn.reply for turn in turns)
    assert not any(isinstance(event, Apology) for event in events)
    purposes = [ask.purpose for ask in replies.asked]
    first = purposes.index("summary")
    assert purposes[first : first + 6] == ["summary", "reply"] * 3
    assert len(replies.asked[first + 1].body["messages"]) == 2 * (first + 1) - 1


def test_a_window_forgets_and_stays_small() -> None:
    """No request carries more than the window, and each begins with a user's message."""
    replies = MadeUpReplies(think=True)
    converse({"window": 4}, replies)

    assert max(len(body["messages"]) for body in replies.bodies) == 7
    assert all(body["messages"][0]["role"] == "user" for body in replies.bodies)
    assert "question 3'" not in str(replies.bodies[-1]["messages"])


def test_compaction_travels_with_every_request() -> None:
    """The field is in each body and the header with each request."""
    replies = MadeUpReplies()
    converse({"compact": {"above_tokens": 50_000}}, replies, 2)

    assert all("context_management" in ask.body for ask in replies.asked)
    assert all(ask.headers == {"anthropic-beta": "compact-2026-01-12"} for ask in replies.asked)


def test_thinking_is_sent_back_only_with_the_version_it_was_made_with() -> None:
    """Another model, another system text or other tools refuse it; what was said goes on all the same."""
    replies = MadeUpReplies(think=True)
    other = replace(PROMPT, sha="1" * 64, system=({"type": "text", "text": "Be brief."},))

    async def play() -> None:
        conversation = Conversation()
        for prompt in (PROMPT, PROMPT, other, other):
            async for event in Chatbot(prompt, replies, NoTools()).send(conversation, "And then?"):
                if isinstance(event, TurnFinished):
                    conversation = event.conversation

    asyncio.run(play())

    thoughts = [
        [block["signature"] for message in body["messages"] for block in message["content"] if "signature" in block]
        for body in replies.bodies
    ]
    assert thoughts == [[], ["sig 1"], [], ["sig 3"]]
    assert [len(body["messages"]) for body in replies.bodies] == [1, 3, 5, 7]
