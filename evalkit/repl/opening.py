"""Puts a chat together from what was asked: setting, record, what it goes on from. Loads everything that is heavy.

Here too is the chat without a terminal: one message, one reply on standard output, the rest on standard error.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from evalkit.content import files_in, text_of
from evalkit.engine.tool_fit import fit_tools, notes_of
from evalkit.engine.tool_module import load_tools
from evalkit.errors import ExitCode, UsageError
from evalkit.pricing import parse_prices, price_table, price_with
from evalkit.prompts.refs import asked_of
from evalkit.repl.attachments import read_attachment
from evalkit.repl.chat import Chat
from evalkit.repl.command_line import ChatOptions
from evalkit.repl.keyboard import Interrupts
from evalkit.repl.loading import LastChat, StartingPoint, last_chat, load_conversation
from evalkit.repl.record import ChatRecord
from evalkit.repl.screen import Screen
from evalkit.repl.session import INTERRUPTED, Session
from evalkit.repl.setting import PromptFiles, Setting, judge_voice, load_setting, setting_of
from evalkit.repl.sources import ChatTools, Connection, choose_source
from evalkit.repl.switching import start_versus
from evalkit.repl.turn_view import AskLine, Terminal, folded, sum_up
from evalkit.source import STAND_IN, describe_source
from evalkit.structured import NoValue, Value, value_of
from evalkit.wording import adapted

SHOWN = 5
"""How many exchanges of an earlier chat are printed when it is gone on with."""


@dataclass(frozen=True)
class ChatSetup:
    """What a chat begins with, read from disk; nothing is connected yet."""

    options: ChatOptions
    setting: Setting
    via: str
    earlier: LastChat | None = None
    start: StartingPoint | None = None


def read_setup(options: ChatOptions) -> ChatSetup:
    """Read everything a chat begins with; UsageError or FileProblems when that can't be done."""
    root, suite = options.root, options.suite
    via = choose_source(options.via, options.config.get("platform", "anthropic"))
    earlier = last_chat(root) if options.resume else None
    start = load_conversation(options.load, root) if options.load else None
    # without a reference the chat is held with the prompt of what is gone on from
    ref = options.ref or (earlier.ref if earlier and not start else None)
    if ref is None and start and not start.suite and start.prompt is not None:
        setting = setting_of(start.prompt, root, given=options.inputs)
    else:
        if ref is None and start and start.suite:
            ref, suite = start.ref, suite or start.suite
        setting = load_setting(ref, root, suite=suite, given=options.inputs)
    if options.model:
        asked_of(options.ref or setting.prompt.name, options.model)  # two models for one prompt are a mistake
        setting = setting.with_model(options.model)
    told = setting.asking(describe_source(via, options.config.get("platform", "anthropic")))
    changes = (adapted(change, setting.prompt.model) for change in setting.prompt.adaptations)
    setting = replace(setting, notes=(*setting.notes, *told, *changes))
    if options.tools:
        functions = load_tools(options.tools)
        notes = (*setting.notes, *notes_of([fit_tools(setting.prompt, functions)]))
        setting = replace(setting, functions=functions, notes=notes)
    return ChatSetup(options, setting, via, earlier, start)


def connect(setup: ChatSetup, screen: Screen, ask_line: AskLine | None) -> Chat:
    """Return the chat; nothing is connected before the first message, or before its connection is warmed up."""
    options, setting = setup.options, setup.setting
    prices = parse_prices(options.config.get("prices", []))
    connection = Connection(setup.via, options.config.get("platform", "anthropic"), price_with(prices))
    folder = setup.earlier.folder if setup.earlier else None
    record = ChatRecord(options.root, connection.source, options.command, price_table(prices), folder)
    tools = ChatTools(setting)
    session = Session(setting, connection, tools, record)
    chat = Chat(session, Terminal(screen, Interrupts(), ask_line), PromptFiles(setting.prompt, options.root))
    chat.attached = [read_attachment(name, options.root) for name in options.attach]
    tools.ask = chat.ask_result
    if setup.earlier:
        session.begin_with(setup.earlier.opening, setup.earlier.exchanges, setup.earlier.origin)
    return chat


def greet(chat: Chat, setup: ChatSetup) -> None:
    """Say who is being talked to, what could not be used, and what was said before."""
    chat.screen.note(banner(chat))
    for note in setup.setting.notes:
        chat.screen.note(f"note: {note}", "yellow")
    before = chat.session.exchanges[-SHOWN:]
    if len(chat.session.exchanges) > len(before):
        chat.screen.note(f"  … {len(chat.session.exchanges) - len(before)} earlier exchanges")
    for exchange in before:
        chat.show_exchange(exchange)
    if setup.options.versus:
        start_versus(chat, asked_of(setup.options.versus, setup.options.model), blind=setup.options.blind)


def banner(chat: Chat) -> str:
    """Return what a chat begins with, as few lines as fit: who is asked, where, and what answers its tools."""
    setting, source = chat.session.setting, chat.session.connection.source
    prompt = setting.prompt
    parts = [
        f"{prompt.ref} ({prompt.sha[:7]})",
        prompt.model,
        "stand-in model, not Claude" if source.kind == STAND_IN else source.name,
    ]
    if prompt.tools:
        functions = setting.functions.record.module if setting.functions else ""
        files = [suite.path for suite in setting.suites if suite.fixtures or suite.world]
        more = f" +{len(files) - 1}" if len(files) > 1 else ""
        answering = [name for name in (f"{files[0]}{more}" if files else "", functions) if name]
        parts.append(f"tools: {', '.join(answering)}" if answering else "you answer its tools")
    return folded(" · ".join([*parts, "/help"]), chat.screen.columns, joint=" · ", indent="")


async def close_chat(chat: Chat) -> None:
    """End what is recorded and close the connection."""
    for session in chat.sessions:
        session.end()
    await chat.session.connection.close()
    chat.session.record.close()


def run_one_shot(options: ChatOptions, message: str, *, as_json: bool = False) -> int:
    """Send one message and return the exit code: 0 answered, 3 no complete answer (what came is printed)."""
    setup = read_setup(options)
    if not message.strip() and setup.start is None and not options.attach:
        raise UsageError("nothing to send: the message is empty; expected text with -m or on standard input.")
    return asyncio.run(_play_one(setup, message, as_json=as_json))


async def _play_one(setup: ChatSetup, message: str, *, as_json: bool) -> int:
    # with --json, standard output holds the record alone
    screen = Screen(out=sys.stderr, one_shot=True) if as_json else Screen(one_shot=True)
    chat = connect(setup, screen, None)
    chat.terminal.interrupts.arm()
    for note in setup.setting.notes:
        screen.note(f"note: {note}", "yellow")
    if setup.options.versus:
        start_versus(chat, asked_of(setup.options.versus, setup.options.model), blind=setup.options.blind)
    try:
        if setup.start is not None:
            await chat.go_on_from(setup.start)
        await chat.send(chat.composed(message.strip() or text_of(chat.waiting)))
        turn = chat.session.last.answer.turn if chat.session.exchanges else None
        if as_json and turn is not None:
            sys.stdout.write(orjson.dumps(described(chat.session)).decode() + "\n")
    finally:
        await close_chat(chat)
    if turn is None or (turn.failure is not None and turn.failure.kind == INTERRUPTED):
        return ExitCode.INTERRUPTED
    answered = turn.failure is None and bool(turn.reply.strip()) and not isinstance(value_of(turn), NoValue)
    return ExitCode.PASSED if answered else ExitCode.NO_VERDICT


def described(session: Session) -> dict[str, Any]:
    """Return the last exchange as one JSON object, with the API's names of tokens and times in milliseconds."""
    answer = session.last.answer
    turn, sums = answer.turn, sum_up(answer.turn.requests)
    voice = judge_voice(turn, session.setting.rules)
    last, read = turn.requests[-1] if turn.requests else None, value_of(turn)
    partial = "".join(str(block.get("text", "")) for block in last.partial) if last else ""
    return {
        "prompt": answer.prompt.ref,
        "prompt_sha": answer.prompt.sha,
        "model": answer.prompt.model,
        "source": session.connection.source.kind,
        "user": turn.user,
        "files": [str(file) for file in files_in(turn.content)],
        "reply": turn.reply or partial,
        "value": read.value if isinstance(read, Value) else None,
        "stop_reason": last.stop_reason if last else None,
        "failure": asdict(turn.failure) if turn.failure else None,
        "tool_calls": [asdict(call) for call in turn.tool_calls],
        "usage": asdict(sums.usage),
        "cost_usd": sums.cost_usd,
        "first_token_ms": turn.first_token_ms,
        "total_ms": round(sums.total_ms, 3),
        "voice_broken": [score.assertion.rule for score in voice.broken] if voice else None,
        "record": f"{session.record.name}#{session.session_id}",
    }
