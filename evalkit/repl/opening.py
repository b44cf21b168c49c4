"""Puts a chat together from what was asked: setting, record, what it goes on from. Loads everything that is heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalkit.pricing import parse_prices, price_table, price_with
from evalkit.repl.asked import ChatAsked
from evalkit.repl.chat import AskLine, Chat
from evalkit.repl.commands.versions import start_versus
from evalkit.repl.connection import Connection, choose_source
from evalkit.repl.continuing import Earlier, last_chat
from evalkit.repl.interrupts import Interrupts
from evalkit.repl.loading import Loaded, load_conversation
from evalkit.repl.record import ChatHeader, ChatRecord
from evalkit.repl.screen import Screen
from evalkit.repl.session import Session
from evalkit.repl.setting import Setting, load_setting, setting_of
from evalkit.repl.taking_up import show_exchange
from evalkit.repl.tools import ChatTools
from evalkit.repl.watched import Watched
from evalkit.source import STAND_IN

SHOWN = 5
"""How many exchanges of an earlier chat are printed when it is gone on with."""


@dataclass(frozen=True)
class Opened:
    """What a chat begins with, read from disk; nothing is connected yet."""

    asked: ChatAsked
    setting: Setting
    via: str
    earlier: Earlier | None = None
    loaded: Loaded | None = None


def open_files(asked: ChatAsked) -> Opened:
    """Read everything a chat begins with; UsageError or FileProblems when that can't be done."""
    via = choose_source(asked.via, asked.config.get("platform", "anthropic"))
    earlier = last_chat(asked.root) if asked.resume else None
    loaded = load_conversation(asked.load, asked.root) if asked.load else None
    return Opened(asked, _setting(asked, earlier, loaded), via, earlier, loaded)


def connect(opened: Opened, screen: Screen, ask_line: AskLine | None) -> Chat:
    """Return the chat; nothing is connected before the first message, or before its connection is warmed up."""
    asked, setting = opened.asked, opened.setting
    prices = parse_prices(asked.config.get("prices", []))
    connection = Connection(opened.via, asked.config.get("platform", "anthropic"), price_with(prices))
    header = ChatHeader(connection.source, asked.command, price_table(prices))
    record = ChatRecord(asked.root, header, opened.earlier.folder if opened.earlier else None)
    tools = ChatTools(setting.fixtures, _nobody)
    session = Session(setting, connection, tools, record)
    chat = Chat(session, screen, Interrupts(), ask_line, watched=Watched(setting.prompt, asked.root))
    tools.ask_with(chat.result)
    if opened.earlier:
        session.begin_with(opened.earlier.opening, opened.earlier.exchanges, opened.earlier.origin)
    return chat


def greet(chat: Chat, opened: Opened) -> None:
    """Say who is being talked to, what could not be used, and what was said before."""
    chat.screen.note(banner(chat))
    for note in opened.setting.notes:
        chat.screen.note(f"note: {note}", "yellow")
    before = chat.session.exchanges[-SHOWN:]
    if len(chat.session.exchanges) > len(before):
        chat.screen.note(f"  … {len(chat.session.exchanges) - len(before)} earlier exchanges")
    for exchange in before:
        show_exchange(chat, exchange)
    if opened.asked.versus:
        start_versus(chat, opened.asked.versus, blind=opened.asked.blind)


async def close_chat(chat: Chat) -> None:
    """End what is recorded and close the connection."""
    chat.session.end()
    if chat.versus is not None:
        chat.versus.other.end()
    await chat.session.connection.close()
    chat.session.record.close()


def banner(chat: Chat) -> str:
    """Return what a chat begins with, as few lines as fit: who is asked, where, and what answers its tools."""
    setting = chat.session.setting
    prompt = setting.prompt
    source = chat.session.connection.source
    via = "stand-in model, not Claude" if source.kind == STAND_IN else source.name
    parts = [f"{prompt.ref} ({prompt.sha[:7]})", prompt.model, via, *_tools(setting), "/help"]
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 3 > chat.screen.columns:
            lines.append(part)
        else:
            lines[-1] += f" · {part}"
    return "\n".join(lines)


def _tools(setting: Setting) -> list[str]:
    if not setting.prompt.tools:
        return []
    files = [suite.path for suite in setting.suites if suite.source and suite.source.value(("tools",))]
    if not files:
        return ["you answer its tools"]
    more = f" +{len(files) - 1}" if len(files) > 1 else ""
    return [f"tools: {files[0]}{more}"]


def _setting(asked: ChatAsked, earlier: Earlier | None, loaded: Loaded | None) -> Setting:
    """Return the setting that was asked for; without a reference the one of what is gone on from."""
    root = Path(asked.root)
    stored = loaded.prompt if loaded else None
    ref = asked.ref or (earlier.ref if earlier and not loaded else None)
    if ref is None and loaded and loaded.suite:
        return load_setting(loaded.ref, root, suite=asked.suite or loaded.suite, given=asked.inputs)
    if ref is None and stored is not None:
        return setting_of(stored, root, given=asked.inputs)
    return load_setting(ref, root, suite=asked.suite, given=asked.inputs)


async def _nobody(_name: str, _tool_input: object) -> None:
    return None
