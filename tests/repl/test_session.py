"""The session: what a chat is without its terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evalkit.engine import TextArrived, ToolOutcome
from evalkit.engine.chat import build_body
from evalkit.errors import UsageError
from evalkit.records import Transcript, TrialVerdict
from evalkit.repl.chat import Chat
from evalkit.repl.loading import exchanges_of, last_chat, load_conversation
from evalkit.store import RunReader
from tests.engine.talk import PROMPT, MadeUpReplies
from tests.engine.test_memory_in_chat import IN_SYSTEM, converse
from tests.repl.shop import open_shop, say


async def retry(chat: Chat) -> None:
    """Ask for another reply."""
    async for _ in chat.session.retry():
        pass


async def stop_at_first_word(chat: Chat, text: str) -> None:
    """Send a message and stop its reply once a word of it is here."""
    heard = asyncio.Event()

    async def play() -> None:
        async for event in chat.session.send(text):
            if isinstance(event, TextArrived):
                heard.set()

    task = asyncio.create_task(play())
    await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_conversation_goes_on_and_is_recorded(tmp_path: Path) -> None:
    """Two messages are two turns of one session of the record, tool call and score included."""

    async def play() -> Path:
        async with open_shop(tmp_path) as chat:
            first = await say(chat, "Where is order TN-20977?")
            second = await say(chat, "Thank you")
            assert [call.origin for call in first.tool_calls] == ["suites/parcels.yaml:9:7"]
            assert len(second.requests[0].body["messages"]) > len(first.requests[-1].body["messages"])
            assert chat.session.record.folder is not None
            return chat.session.record.folder

    (trial,) = RunReader(asyncio.run(play())).trials()

    assert [turn.user for turn in trial.transcript.turns] == ["Where is order TN-20977?", "Thank you"]
    assert trial.score is not None
    assert trial.score.verdict is TrialVerdict.PASSED


def test_nothing_is_written_before_something_was_said(tmp_path: Path) -> None:
    """A chat that is left at once leaves no record."""

    async def play() -> None:
        async with open_shop(tmp_path):
            pass

    asyncio.run(play())

    assert not (tmp_path / "reports").exists()


def test_another_reply_is_kept_beside_the_first(tmp_path: Path) -> None:
    """After a retry both replies are there, the last one counts, and the record has a session for each."""

    async def play() -> None:
        async with open_shop(tmp_path) as chat:
            await say(chat, "Hello")
            await retry(chat)
            assert len(chat.session.exchanges) == 1
            assert len(chat.session.last.answers) == 2
            await say(chat, "Thanks")
            assert [message["role"] for message in chat.session.conversation.messages] == ["user", "assistant"] * 2

    asyncio.run(play())

    earlier = last_chat(tmp_path)
    assert [len(each.answers) for each in earlier.exchanges] == [2, 1]
    assert [len(trial.transcript.turns) for trial in RunReader(earlier.folder).trials()] == [1, 2]


def test_taking_back_returns_the_message_and_what_was_used_up(tmp_path: Path) -> None:
    """A fixture for one call answers again after its call was taken back."""

    async def play() -> None:
        async with open_shop(tmp_path) as chat:
            first = await say(chat, "Where is order TN-31005?")
            assert first.tool_calls[0].is_error
            assert chat.session.undo() == "Where is order TN-31005?"
            assert chat.session.conversation.messages == ()
            again = await say(chat, "Where is order TN-31005?")
            assert again.tool_calls[0].is_error
            with pytest.raises(UsageError, match="can't take back 2; there are 1"):
                chat.session.undo(2)

    asyncio.run(play())


def test_another_version_gets_the_same_conversation(tmp_path: Path) -> None:
    """After a switch the messages are kept, and the API names the system prompt as what missed the cache."""

    async def play() -> None:
        async with open_shop(tmp_path) as chat:
            await say(chat, "Hello")
            chat.session.change(chat.session.setting.with_prompt("support@v1"))
            turn = await say(chat, "Thanks")
            assert [one["content"] for one in turn.requests[0].body["messages"] if one["role"] == "user"] == [
                "Hello",
                "Thanks",
            ]
            assert "enthusiastic" in turn.requests[0].body["system"][0]["text"]
            assert turn.requests[0].cache_miss_reason == "system_changed"

    asyncio.run(play())


def test_a_stopped_reply_is_kept_as_far_as_it_came(tmp_path: Path) -> None:
    """The words that arrived stand in the conversation and in the record, and a retry gets a whole reply."""

    async def play() -> Path:
        async with open_shop(tmp_path) as chat:
            await chat.go_on_from(load_conversation("faults/faults.yaml::stalls", tmp_path))
            await stop_at_first_word(chat, "Tell me about lamps.")
            stopped = chat.session.last.answer
            words = stopped.after.messages[-1]["content"][0]["text"]
            assert stopped.turn.failure is not None
            assert stopped.turn.failure.kind == "interrupted"
            assert stopped.turn.requests[-1].partial[0]["text"] == words
            chat.session.case = type(chat.session.case)()
            await retry(chat)
            assert chat.session.last.answer.turn.failure is None
            assert chat.session.record.folder is not None
            return chat.session.record.folder

    stopped, whole = RunReader(asyncio.run(play())).trials()

    assert stopped.transcript.turns[0].requests[0].partial[0]["text"]
    assert whole.transcript.turns[0].reply


def test_a_result_that_was_typed_is_given_again(tmp_path: Path) -> None:
    """A call without a fixture asks once; the same call later gets the same answer."""
    asked: list[str] = []

    async def answer(question: str) -> str:
        asked.append(question)
        return '{"status": "shipped"}'

    async def play() -> None:
        async with open_shop(tmp_path, answer) as chat:
            first = await say(chat, "Where is order TN-55555?")
            await retry(chat)
            second = chat.session.last.answer.turn
            assert first.tool_calls[0].output == '{"status":"shipped"}'
            assert [call.origin for call in (*first.tool_calls, *second.tool_calls)] == ["typed by you"] * 2

    asyncio.run(play())

    assert len(asked) == 1


def test_recorded_results_are_given_in_their_order(tmp_path: Path) -> None:
    """A call that failed and then succeeded does so again, and stays with its last result."""

    async def play() -> None:
        async with open_shop(tmp_path) as chat:
            turn = await say(chat, "Where is order TN-31005?")
            calls = [*turn.tool_calls, *(await say(chat, "Please look TN-31005 up again.")).tool_calls]
            assert [call.is_error for call in calls][:2] == [True, False]
            tools = chat.session.tools
            tools.replay(calls[:2])
            given = [await tools.call("lookup_order", {"order_id": "TN-31005"}) for _ in range(3)]
            assert [one.is_error for one in given] == [True, False, False]
            assert given[0] == ToolOutcome("upstream timeout", is_error=True, origin="as recorded")

    asyncio.run(play())


def test_a_recorded_conversation_goes_on_with_the_notes_behind_its_system_prompt() -> None:
    """From any turn of it the next request is the one that was sent, system prompt and messages alike."""
    turns, _ = converse(IN_SYSTEM, MadeUpReplies(), 20)
    exchanges = exchanges_of(Transcript("s", PROMPT.sha, tuple(turns)), PROMPT)

    unfolded = [n for n, turn in enumerate(turns) if n and len(turn.requests) == 1]
    assert any(exchanges[n].before.notes for n in unfolded)
    for n in unfolded:
        after, sent = exchanges[n - 1].answer.after, turns[n].requests[0].body
        again = build_body(PROMPT, [*after.messages, {"role": "user", "content": turns[n].user}], None, {}, after.notes)
        assert (again["system"], again["messages"]) == (sent["system"], sent["messages"])
        assert exchanges[n].before.notes == after.notes


def test_an_earlier_chat_is_gone_on_with(tmp_path: Path) -> None:
    """With -c the messages of the last chat stand before the next one, in the same record."""

    async def first() -> Path | None:
        async with open_shop(tmp_path) as chat:
            await say(chat, "Hello")
            await say(chat, "Where is order TN-20977?")
            chat.session.undo()
            await say(chat, "Thanks")
            return chat.session.record.folder

    async def second() -> Path | None:
        async with open_shop(tmp_path, ref=None, resume=True) as chat:
            assert [each.user for each in chat.session.exchanges] == ["Hello", "Thanks"]
            turn = await say(chat, "Bye")
            assert [one["content"] for one in turn.requests[0].body["messages"] if one["role"] == "user"] == [
                "Hello",
                "Thanks",
                "Bye",
            ]
            return chat.session.record.folder

    folder = asyncio.run(first())

    assert asyncio.run(second()) == folder
    assert folder is not None
    assert [trial.transcript.session_id for trial in RunReader(folder).trials()] == ["1", "2", "3"]
