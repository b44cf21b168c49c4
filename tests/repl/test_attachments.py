"""Pictures and documents in a chat: sent with a message, shown, taken back, kept as a case."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evalkit.content import files_in, readable
from evalkit.repl.chat import Chat
from evalkit.repl.commands import handle
from evalkit.repl.loading import last_chat, load_conversation
from evalkit.suites import load_suite
from tests.content.pictures import png
from tests.repl.shop import open_shop, shown, write_shop


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a shop with a photo in it and one beside it."""
    root = write_shop(tmp_path / "shop")
    (root / "photos").mkdir()
    (root / "photos/lamp.png").write_bytes(png())
    (tmp_path / "elsewhere.png").write_bytes(png(shade=9))
    return root


def play(root: Path, *lines: str, **asked: object) -> tuple[str, list[str], Chat]:
    """Type lines into a chat; return what it printed, its messages as people read them, and the chat."""

    async def run() -> tuple[str, list[str], Chat]:
        async with open_shop(root, None, **asked) as chat:
            for line in lines:
                await handle(chat, line)
            return shown(chat), [readable(each.said) for each in chat.session.exchanges], chat

    return asyncio.run(run())


def test_files_go_with_the_next_message_only(root: Path) -> None:
    """They stand before its text; the message after it has none."""
    printed, said, chat = play(root, "/attach photos/lamp.png", "Hello", "Thank you")
    size = f"{len(png())} bytes"
    assert said == [f"[image lamp.png, {size}]\n\nHello", "Thank you"]
    assert f"with the next message: image lamp.png, {size}" in printed
    sent = chat.session.exchanges[0].answer.turn.requests[0].body["messages"][0]["content"]
    assert [block["type"] for block in sent] == ["image", "text"]
    assert "file" not in sent[0]


def test_what_can_t_be_sent_is_told_and_nothing_is_attached(root: Path) -> None:
    """A missing file, one of another type, and an empty list each give a line."""
    (root / "a.zip").write_bytes(b"PK\x03\x04\xff\xff\xff")
    printed, said, chat = play(root, "/attach none.png", "/attach a.zip", "/attach", "Hello")
    assert "none.png: No such file or directory; expected a picture, a PDF or a plain text." in printed
    assert "a.zip is of no type that the API takes" in printed
    assert "nothing is attached" in printed
    assert (said, chat.attached) == (["Hello"], [])


def test_attached_files_can_be_dropped_and_come_back_with_a_message_that_is_taken_back(root: Path) -> None:
    """`/attach off` drops them; `/undo` puts text and files on the line again."""
    _, said, _ = play(root, "/attach photos/lamp.png", "/attach off", "Hello")
    assert said == ["Hello"]
    _, said, chat = play(root, "/attach photos/lamp.png", "Hello", "/undo")
    assert (said, chat.prefill, [file.name for file in files_in(chat.attached)]) == ([], "Hello", ["lamp.png"])


def test_another_reply_is_asked_for_the_same_files_and_a_chat_goes_on_with_them(root: Path) -> None:
    """Retry sends the same bytes; the record gives the exchange back with its file."""
    _, _, chat = play(root, "/attach photos/lamp.png", "Hello", "/retry")
    first, second = chat.session.exchanges[0].answers
    assert first.turn.requests[0].body["messages"] == second.turn.requests[0].body["messages"]
    [exchange] = last_chat(root).exchanges
    assert [file.file for file in files_in(exchange.said)] == ["photos/lamp.png"]
    assert exchange.before.messages == ()


def test_a_saved_case_names_a_file_of_the_project_and_keeps_a_copy_of_any_other(root: Path) -> None:
    """The suite loads, and what it would send is what was sent."""
    lines = ("/attach photos/lamp.png", "Hello", "/attach ../elsewhere.png", "Thank you", "/save lamps two")
    printed, _, chat = play(root, *lines)
    assert '- image: "../photos/lamp.png"' in printed
    assert "- image: files/two-1.png" in printed
    assert (root / "suites/files/two-1.png").read_bytes() == png(shade=9)
    [case] = load_suite(root / "suites/lamps.yaml", root).cases
    sent = [exchange.answer.turn.requests[0].body["messages"][-1]["content"] for exchange in chat.session.exchanges]
    assert [[block.get("source") for block in message] for message in case.messages] == [
        [block.get("source") for block in message] for message in sent
    ]


def test_a_loaded_message_waits_with_its_files_and_is_sent_as_it_was(root: Path) -> None:
    """The order of its parts stays."""
    suite = root / "suites/photo.yaml"
    suite.write_text(
        "prompt: support\ninputs: {today: x}\ncases:\n"
        "  - {id: a, user: [{text: Hello}, {image: ../photos/lamp.png}], expect: {tools: none}}\n"
    )
    waiting = load_conversation("suites/photo.yaml::a", root).waiting
    _, said, _ = play(root, "/load suites/photo.yaml::a", "/retry")
    assert said == [readable(waiting)]
    assert said[0].startswith("Hello\n\n[image")


def test_a_conversation_with_calls_before_it_is_kept_with_them(root: Path) -> None:
    """What a tool returned in the history stands in the case."""
    (root / "suites/past.yaml").write_text(
        "prompt: support\ninputs: {today: x}\ncases:\n  - id: a\n    history:\n"
        "      - user: Where is TN-20977?\n"
        "      - {assistant: A moment., calls: [{lookup_order: {order_id: TN-20977}, returns: {status: sent}}]}\n"
        "      - assistant: It was sent.\n"
        "    user: Thank you\n    expect: {tools: none}\n"
    )
    played = play(root, "/load suites/past.yaml::a", "/retry", "/save past again")[0]
    assert "- lookup_order: {order_id: TN-20977}" in played
    first, second = load_suite(root / "suites/past.yaml", root).cases
    assert first.history == second.history
