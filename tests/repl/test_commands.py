"""The commands, on a chat whose screen is a text buffer."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import pytest

from evalkit.errors import UsageError
from evalkit.repl.chat import Chat
from evalkit.repl.command_line import COMMANDS, complete, help_text, read_command
from evalkit.repl.commands import FUNCTIONS, handle
from evalkit.repl.setting import load_setting
from evalkit.repl.switching import offer_reload
from evalkit.suites import load_suite
from evalkit.suites.check import check_project
from tests.repl.shop import PROMPT, open_shop, shown, write_shop


def play(root: Path, *lines: str, ask: Callable[[str], Awaitable[str]] | None = None, **asked: object) -> str:
    """Type lines into a chat and return what it printed."""

    async def run() -> str:
        async with open_shop(root, ask, **asked) as chat:
            for line in lines:
                await handle(chat, line)
            return shown(chat)

    return asyncio.run(run())


def answering(*answers: str) -> Callable[[str], Awaitable[str]]:
    """Return a person who gives these answers in turn."""
    left = list(answers)

    async def ask(_question: str) -> str:
        return left.pop(0)

    return ask


def test_every_command_of_the_help_does_something() -> None:
    """The list and the functions name the same commands."""
    assert [one.name for one in COMMANDS] == list(FUNCTIONS)
    assert all(f"/{one.name}" in help_text() for one in COMMANDS)


def test_an_unknown_command_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    """It is not sent to the model."""
    text = play(tmp_path, "/retyr", "/xyzzy")

    assert "/retyr is no command; did you mean /retry?" in text
    assert "/xyzzy is no command; /help lists" in text
    assert not (tmp_path / "reports").exists()


def test_a_leading_space_sends_a_message_that_begins_with_a_slash() -> None:
    """Only what begins with a slash, or is a word for leaving, is a command."""
    assert read_command(" /etc/hosts is a file") is None
    assert read_command("Where is it? /now") is None
    assert [one.command.name for word in ("exit", "/bye", "/?") if (one := read_command(word)) and one.command] == [
        "exit",
        "exit",
        "help",
    ]


def test_a_turn_shows_calls_reply_and_footer(tmp_path: Path) -> None:
    """Calls with their fixture's place, the persona's name, tokens, dollars, cache and voice."""
    text = play(tmp_path, "Where is order TN-20977?")

    assert '→ lookup_order {"order_id":"TN-20977"}' in text
    assert "from parcels.yaml:9" in text
    assert "Tess  " in text
    assert "Northpost" in text
    for part in ("first token", "written", "out ", " if live)", "cache ", "voice ✓"):
        assert part in text


def test_why_names_the_broken_rule_with_its_words(tmp_path: Path) -> None:
    """The matched words, the message and where the rule stands; and what the cache did."""
    text = play(tmp_path, "/load faults/faults.yaml::fails", "/retry", "/why")

    assert "voice ✗ 1 (/why)" in text
    assert '✗ no-exclamation   "!"' in text
    assert "suites/voice.yaml:2:5" in text
    assert "of input cached" in text


def test_a_broken_tool_fails_once(tmp_path: Path) -> None:
    """/tools fail makes the next call an error; a wrong name is answered with a suggestion."""
    text = play(tmp_path, "/tools fail lookup_ordr", "/tools fail lookup_order", "Where is order TN-20977?", "/tools")

    assert "did you mean 'lookup_order'?" in text
    assert "← error: lookup_order failed: upstream timeout   /tools fail" in text
    assert '"order_id": "TN-20977"' in text


def test_costs_are_told_for_every_reply(tmp_path: Path) -> None:
    """Replies that no longer count were paid for too."""
    text = play(tmp_path, "Hello", "/retry", "/cost")

    assert "turn 1 (1/2)" in text
    assert "turn 1 (2/2)" in text
    assert "in all" in text


def test_a_switch_names_version_and_cache(tmp_path: Path) -> None:
    """/prompt and /model keep the conversation; a version that is not there changes nothing."""
    text = play(tmp_path, "Hello", "/prompt support@v1", "/model claude-opus-4-5", "/prompt support@v9", "/prompt")

    assert "support@v1 (" in text
    assert "conversation kept. The cache starts again." in text
    assert "support@v1+claude-opus-4-5 (" in text
    assert "has no version 'v9'" in text
    assert "Be enthusiastic!" in text


def test_a_model_says_what_it_does_not_take_and_whether_it_is_known(tmp_path: Path) -> None:
    """What the prompt asks for and the model has not is told where the model is chosen."""
    write_shop(tmp_path)
    file = tmp_path / "prompts/support/v2.md"
    file.write_text(file.read_text().replace("---\nmodel", "---\neffort: high\nmodel", 1))

    text = play(tmp_path, "/model claude-haiku-4-5", "/model", "/model claude-hiaku-5-5", "/prompt support@v1")

    assert "effort: high is left out, because claude-haiku-4-5 does not take it" in text
    assert "claude-haiku-4-5 (the prompt's own is claude-sonnet-5-5)" in text
    assert "did you mean 'claude-haiku-5-5'?" in text
    assert "claude-sonnet-5-5 is asked from here on, no longer claude-hiaku-5-5" in text


def test_a_chat_may_begin_with_another_model(tmp_path: Path) -> None:
    """`--model` and a reference say the same; both at once, for one prompt, is a mistake."""
    named = play(tmp_path, "/prompt", model="claude-haiku-4-5")

    assert named == play(tmp_path, "/prompt", ref="support+claude-haiku-4-5")
    assert "support@v2+claude-haiku-4-5 (" in named
    with pytest.raises(UsageError, match="names a model itself"):
        play(tmp_path, "/prompt", ref="support+claude-haiku-4-5", model="claude-opus-5")


def test_undo_puts_the_message_on_the_line(tmp_path: Path) -> None:
    """The message taken back waits to be edited."""

    async def run() -> None:
        async with open_shop(tmp_path) as chat:
            await handle(chat, "Hello")
            await handle(chat, "/undo")
            assert chat.prefill == "Hello"
            assert chat.session.exchanges == []

    asyncio.run(run())


def test_the_editor_writes_the_next_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/edit opens $EDITOR with what was taken back, and puts the result on the line."""
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\nprintf " there" >> "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)

    async def run() -> str:
        async with open_shop(tmp_path) as chat:
            for line in ("Hello", "/undo", "/edit"):
                await handle(chat, line)
            return chat.prefill

    assert asyncio.run(run()) == "Hello there"


def test_both_versions_get_every_message(tmp_path: Path) -> None:
    """One after the other on a narrow screen, with a line that sets them beside each other."""
    text = play(tmp_path, "Hello", "/vs support@v1", "Where is order TN-20977?", "/vs b", "/prompt")

    assert "── A support@v2 ──" in text
    assert "── B support@v1 ──" in text
    assert "A: " in text
    assert "1 call" in text
    assert "on with support@v1 alone" in text


def test_a_blind_choice_is_kept_as_a_label(tmp_path: Path) -> None:
    """No name is shown before the answer; the line holds both replies and which was better."""
    text = play(tmp_path, "/vs support@v1 blind", "Hello", ask=answering("a"))

    before, _, after = text.partition("── A ──")
    assert "support@v1" not in after.partition(" was ")[0]
    assert "kept in reports/chat/labels.jsonl" in after
    line = orjson.loads((tmp_path / "reports/chat/labels.jsonl").read_bytes())
    assert line["better"] == "a"
    assert {line["a"]["prompt_ref"], line["b"]["prompt_ref"]} == {"support@v2", "support@v1"}
    assert line["user"] == "Hello"
    assert before


def test_a_saved_conversation_is_a_case_that_can_fail(tmp_path: Path) -> None:
    """/save adds a valid case with what was typed as a fixture, and prints its lines."""
    text = play(tmp_path, "Where is order TN-55555?", "/save parcels late", ask=answering('{"carrier": "Swift"}'))

    case = load_suite(tmp_path / "suites/parcels.yaml", tmp_path).cases[-1]
    assert case.record.case_id == "late"
    assert case.record.turns == ("Where is order TN-55555?",)
    assert case.fixtures["lookup_order"][0].returns == {"carrier": "Swift"}
    assert case.origin.startswith("reports/chat/")
    assert "suites/parcels.yaml:" in text
    assert " added" in text
    assert check_project(tmp_path).errors == 0


def test_results_that_the_suite_gives_itself_are_not_repeated(tmp_path: Path) -> None:
    """A fixture of the suite is not copied into the case."""
    play(tmp_path, "Where is order TN-20977?", "/save")

    text = (tmp_path / "suites/parcels.yaml").read_text()
    assert text.count("Northpost") == 3  # the suite's fixture, its expectation, and the reply in a comment
    assert "# it replied:" in text


def test_a_loaded_case_plays_up_to_its_last_message(tmp_path: Path) -> None:
    """The first turns are played, the last message waits, /retry sends it."""

    async def run() -> Chat:
        async with open_shop(tmp_path) as chat:
            await handle(chat, "/load faults/faults.yaml::two-turns")
            assert [each.user for each in chat.session.exchanges] == ["Hello"]
            assert chat.prefill == "Thank you"
            await handle(chat, "/retry")
            return chat

    assert [each.user for each in asyncio.run(run()).session.exchanges] == ["Hello", "Thank you"]


@pytest.mark.parametrize(
    ("case", "words"),
    [("breaks", "the model is overloaded just now; again in"), ("refused", "The key was refused. Check ANTHROPIC")],
)
def test_a_failure_is_one_friendly_line(tmp_path: Path, case: str, words: str) -> None:
    """What happened and what to do, and the conversation goes on."""
    text = play(tmp_path, f"/load faults/faults.yaml::{case}", "/retry", "/clear", "Hello")

    assert words in text
    assert "Traceback" not in text
    assert text.count("voice ✓") + text.count("cache ") >= 1


def test_an_edited_prompt_is_loaded_on_enter(tmp_path: Path) -> None:
    """The change is noticed, and an empty line takes the new text."""

    async def run() -> str:
        async with open_shop(tmp_path) as chat:
            assert chat.files.changed() == ""
            (tmp_path / "prompts/support/v2.md").write_text(PROMPT % "Speak of nothing but cheese.")
            assert chat.files.changed() == "prompts/support/v2.md"
            await offer_reload(chat, ask=False)
            return chat.session.setting.prompt.text

    assert "cheese" in asyncio.run(run())


def test_a_broken_edit_leaves_the_old_version_in_use(tmp_path: Path) -> None:
    """The problem is shown with its place, and the chat goes on."""

    async def run() -> str:
        async with open_shop(tmp_path, answering("")) as chat:
            (tmp_path / "prompts/support/v2.md").write_text("---\nmodell: x\n---\nHello\n")
            await offer_reload(chat, ask=True)
            await handle(chat, "Hello")
            assert chat.session.last.answer.turn.failure is None
            return shown(chat)

    assert "prompts/support/v2.md:2:1: error: unknown key 'modell'" in asyncio.run(run())


def test_tab_offers_commands_references_suites_and_files(tmp_path: Path) -> None:
    """What may stand at the cursor, by the command before it."""
    root = write_shop(tmp_path)

    def offered(text: str) -> list[str]:
        return [value for value, _ in complete(text, root, None)]

    assert offered("/re") == ["/retry"]
    assert offered("/prompt support@") == ["support@v1", "support@v2"]
    assert offered("/vs support@v1 b") == ["blind"]
    assert offered("/save suites/p") == ["suites/parcels.yaml"]
    assert f"{root}/suites/" in offered(f"/load {root}/su")
    assert offered("hello /re") == []


def test_set_lists_the_inputs_and_changes_one_for_the_rest_of_the_conversation(tmp_path: Path) -> None:
    """Below the cache point what is cached of the prompt stays; the conversation goes on with the new value."""
    text = play(tmp_path, "/set", "Hello", "/set today 2026-12-01", "/set today", "/prompt")

    assert "  today  2026-11-22" in text
    assert "today: 2026-12-01" in text
    assert "conversation kept. What is cached of the prompt stays; what follows the cache point is read anew." in text
    assert text.count("Today is 2026-12-01.") == 1


def test_set_says_when_the_cache_starts_again(tmp_path: Path) -> None:
    """An input above the cache point changes what is cached."""
    write_shop(tmp_path)
    file = tmp_path / "prompts/support/v2.md"
    file.write_text(file.read_text("utf-8").replace("You are Tess,", "It is {{ today }}. You are Tess,"), "utf-8")

    assert "conversation kept. The cache starts again." in play(tmp_path, "Hello", "/set today tomorrow")


def test_set_takes_json_and_files_and_says_what_can_not_be(tmp_path: Path) -> None:
    """A list is a list, @FILE a file of the project; a name, a kind or a path that can't be is one line."""
    write_shop(tmp_path)
    file = tmp_path / "prompts/support/v2.md"
    body = file.read_text("utf-8").replace("inputs:\n", "inputs:\n  orders: []\n")
    file.write_text(body + "{% for one in orders %}- {{ one.id }}\n{% endfor %}", "utf-8")
    (tmp_path / "day.txt").write_text("a Friday", "utf-8")

    text = play(
        tmp_path,
        '/set orders [{"id": "TN-1"}]',
        "/set today @day.txt",
        "/prompt",
        "/set todya x",
        "/set orders none",
        "/set orders [1]",
        "/set today @no.txt",
    )

    assert "- TN-1" in text
    assert "Today is a Friday." in text
    assert "no input 'todya' (did you mean 'today'?); inputs: orders, today." in text
    assert "input 'orders' is text; expected a list, as its default is." in text
    assert "no.txt: no such file." in text


def test_a_saved_case_keeps_the_inputs_that_differ_from_the_suites(tmp_path: Path) -> None:
    """And only those; loaded again, the case is talked to with them."""
    play(tmp_path, "/set today 2026-12-01", "Hello", "/save parcels set-today", "/clear")

    suite = load_suite(tmp_path / "suites/parcels.yaml", tmp_path)
    saved = next(case for case in suite.cases if case.record.case_id == "set-today")
    assert dict(saved.inputs.values) == {"today": "2026-12-01"}
    assert "  - id: set-today" in (tmp_path / "suites/parcels.yaml").read_text("utf-8")
    assert "Today is 2026-12-01." in play(tmp_path, "/load parcels::set-today", "/prompt")


def test_the_names_of_inputs_are_completed(tmp_path: Path) -> None:
    """With their values as what they mean."""

    async def names() -> list[tuple[str, str]]:
        async with open_shop(tmp_path) as chat:
            return list(complete("/set t", tmp_path, chat.session.setting.prompt))

    assert asyncio.run(names()) == [("today", "2026-11-22")]


def test_the_voice_of_an_included_file_is_beside_that_file(tmp_path: Path) -> None:
    """A chat reads the same file that `check` and `run` read."""
    root = write_shop(tmp_path)
    (root / "suites" / "shared").mkdir()
    rules = "rules: [{id: calm, extends: existence, tokens: [hurry], message: no haste}]\n"
    (root / "suites" / "shared" / "tone.yaml").write_text(rules)
    (root / "suites" / "shared" / "head.yaml").write_text("voice: tone.yaml\n")
    head = "$include: shared/head.yaml\nprompt: support\ninputs: {today: Monday}\n"
    suite = f"{head}cases: [{{id: a, user: Hi, expect: {{says: [x]}}}}]\n"
    (root / "suites" / "included.yaml").write_text(suite)
    assert load_setting("support", root, suite="suites/included.yaml").voice == "suites/shared/tone.yaml"
