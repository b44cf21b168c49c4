"""A chat with a suite's world: it remembers, and always stands where the conversation stands."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from evalkit.records import Turn
from evalkit.repl.chat import Chat
from evalkit.repl.loading import load_conversation
from evalkit.repl.saving import CaseDraft, save_cases
from evalkit.suites import Fixture, load_suite
from tests.repl.shop import open_shop, say

AIRLINE = Path(__file__).parent.parent / "projects" / "airline"
CANCEL = "I am mara@lindt.example. Please cancel my flight."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return shutil.copytree(AIRLINE, tmp_path / "airline")


async def cancelled(chat: Chat) -> Turn:
    """Let the flight be cancelled, and return the turn that asks for it afterwards."""
    await say(chat, CANCEL)
    await say(chat, "Yes, cancel it.")
    return await say(chat, "Is it really gone?")


def test_what_was_taken_back_was_never_written(root: Path) -> None:
    """After /undo the booking is there again, and a second try writes it anew."""

    async def play() -> None:
        async with open_shop(root, ref="desk") as chat:
            assert (await cancelled(chat)).reply == "KX4P2A is cancelled."
            chat.session.undo(2)
            assert (await say(chat, "No, keep it.")).reply == "Then it stays as it is."
            assert (await say(chat, "Is it really gone?")).reply == "KX4P2A is confirmed."

    asyncio.run(play())


def test_another_reply_is_given_in_the_world_as_it_was_before(root: Path) -> None:
    """/retry makes the call again: without the first one's write it works."""

    async def play() -> None:
        async with open_shop(root, ref="desk") as chat:
            await say(chat, CANCEL)
            await say(chat, "Yes, cancel it.")
            async for _ in chat.session.retry():
                pass
            [call] = chat.session.last.answer.turn.tool_calls
            assert (call.is_error, chat.session.last.answer.turn.reply) == (
                False,
                "It is cancelled, and 120 dollars are paid back.",
            )

    asyncio.run(play())


def test_a_loaded_conversation_stands_where_it_ends(root: Path) -> None:
    """What a recorded conversation wrote is there for the next question, and only up to the reply that is asked for."""

    async def play() -> None:
        async with open_shop(root, ref="desk") as chat:
            await cancelled(chat)
            folder = chat.session.record.folder
        async with open_shop(root, ref="desk") as chat:
            await chat.go_on_from(load_conversation(f"{folder}#1", root))
            assert [each.user for each in chat.session.exchanges] == [CANCEL, "Yes, cancel it."]
            assert (await say(chat, "Is it really gone?")).reply == "KX4P2A is cancelled."

    asyncio.run(play())


def test_a_case_is_taken_up_in_its_own_world(root: Path) -> None:
    """What the case changes in the suite's world holds in the chat."""

    async def play() -> None:
        async with open_shop(root, ref="desk") as chat:
            await chat.go_on_from(
                load_conversation("suites/desk.yaml::late-flight-earns-a-voucher-that-pays-for-a-bag", root)
            )
            assert (await say(chat, chat.waiting)).reply == "There are 20 dollars left."

    asyncio.run(play())


def test_a_conversation_on_a_world_is_saved_without_fixtures(root: Path) -> None:
    """The suite's world gives the same answers again; only a call that was broken on purpose needs one."""

    async def play(*, broken: bool) -> tuple[str, tuple[Fixture, ...]]:
        async with open_shop(root, ref="desk") as chat:
            await say(chat, "I am mara@lindt.example. Can I have a window seat?")
            if broken:
                chat.session.tools.break_next("change_seat")
            await say(chat, "Yes, please do.")
            await say(chat, "Which seat do I have now?")
            case_id = "broken" if broken else "sound"
            added = save_cases(chat.session.setting, [CaseDraft(chat.session.turns(), case_id=case_id)], "desk")
            case = load_suite(root / "suites/desk.yaml", root).cases[-1]
            return added.text, case.fixtures.get("change_seat", ())

    text, fixtures = asyncio.run(play(broken=False))
    assert ("tools:\n" in text, fixtures) == (False, ())
    text, fixtures = asyncio.run(play(broken=True))
    assert (text.count("- when:"), len(fixtures), fixtures[0].times) == (1, 1, 1)
