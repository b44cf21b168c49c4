"""The commands that change what a conversation is held with: prompt, model, inputs, and a second version beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import orjson

from evalkit.errors import FileProblems, UsageError
from evalkit.prefix import cached_prefix, standing_body
from evalkit.prompts.inputs import parse_value
from evalkit.repl.chat import Chat, Versus
from evalkit.repl.command_line import shortened
from evalkit.repl.record import OTHER_SIDE
from evalkit.repl.session import Session
from evalkit.repl.setting import PromptFiles, Setting
from evalkit.repl.sources import ChatTools
from evalkit.repl.turn_view import pretty
from evalkit.wording import adapted


async def prompt(chat: Chat, rest: str) -> None:
    """Show the prompt, or switch its version."""
    now = chat.session.setting.prompt
    if not rest:
        tools = ", ".join(str(tool["name"]) for tool in now.tools) or "no tools"
        chat.screen.say(f"{now.ref} ({now.sha[:7]})   {now.model}   {tools}", "bold")
        chat.screen.say(now.text)
        return
    switch_prompt(chat, rest)


def switch_prompt(chat: Chat, ref: str) -> None:
    """Go on with another version, keeping the conversation."""
    before = chat.session.setting.prompt.model
    setting = chat.session.setting.with_prompt(ref)
    _change(chat, setting)
    chat.files = PromptFiles(setting.prompt, chat.root)
    if setting.prompt.model != before:
        chat.screen.note(f"  {setting.prompt.model} is asked from here on, no longer {before}")


async def model(chat: Chat, rest: str) -> None:
    """Show the model, or switch it."""
    before = chat.session.setting
    if not rest:
        own = f" (the prompt's own is {before.prompt.own_model})" if before.prompt.own_model else ""
        chat.screen.say(f"{before.prompt.model}{own}")
        return
    if rest.split() != [rest]:
        raise UsageError(f"{rest!r} is no model's name; expected one such as claude-haiku-4-5.")
    _change(chat, before.with_model(rest))


def _change(chat: Chat, setting: Setting) -> None:
    """Change the setting and say what that means for the conversation, and what the model does not take."""
    told = setting.asking(chat.session.connection.source)
    before, now = chat.session.setting.prompt, setting.prompt
    chat.session.change(setting)
    kept = "conversation kept. The cache starts again."
    parts, cached = (cached_prefix(standing_body(prompt)) for prompt in (before, now))
    if not chat.session.conversation.messages:
        kept = "nothing was said yet."
    elif before.sha == now.sha:
        kept = "conversation kept. It is the same text."
    elif parts and parts == cached:
        kept = "conversation kept. What is cached of the prompt stays; what follows the cache point is read anew."
    chat.screen.note(f"{now.ref} ({now.sha[:7]}), {kept}")
    _tell_model(chat, setting, told)


def _tell_model(chat: Chat, setting: Setting, told: Sequence[str]) -> None:
    """Say what of the prompt its model does not take, and what is known of the model."""
    for change in setting.prompt.adaptations:
        chat.screen.note(f"  {adapted(change, setting.prompt.model)}")
    for sentence in told:
        chat.screen.note(f"  {sentence}", "yellow")


async def set_input(chat: Chat, rest: str) -> None:
    """Show the prompt's inputs or one of them, or give one another value from here on."""
    name, _, typed = rest.partition(" ")
    inputs, typed = chat.session.setting.prompt.inputs, typed.strip()
    if not name:
        width = max(map(len, inputs), default=0)
        for each, value in inputs.items():
            chat.screen.say(f"  {each.ljust(width)}  {shortened(value)}")
        if not inputs:
            chat.screen.say(f"{chat.session.setting.prompt.ref} takes no inputs", "dim")
    elif not typed and name in inputs:
        chat.screen.say(inputs[name] if isinstance(inputs[name], str) else pretty(orjson.dumps(inputs[name]).decode()))
    else:
        value = {name: parse_value(typed, chat.root)}
        setting = chat.session.setting.with_inputs(value)
        other = chat.versus.other if chat.versus else None
        if other is not None and name in other.setting.prompt.inputs:
            other.change(other.setting.with_inputs(value))
        chat.screen.note(f"{name}: {shortened(value[name])}")
        _change(chat, setting)


async def offer_reload(chat: Chat, *, ask: bool) -> None:
    """Load the prompt anew if its files were edited; `ask` first, because a message is about to be sent."""
    changed = chat.files.changed()
    if not changed or (ask and chat.terminal.ask_line is None):
        return
    if ask:
        try:
            question = f"  {changed} was edited. reload? [Enter = yes, n = go on with the old one] "
            answer = await chat.terminal.ask(question)
        except (KeyboardInterrupt, EOFError):
            answer = "n"
        if answer.strip().lower() in {"n", "no"}:
            chat.files.ignore()
            return
    try:
        switch_prompt(chat, chat.session.setting.prompt.ref)
    except FileProblems as exc:
        chat.screen.problem(f"{exc}\n  the version before the edit stays in use")
        chat.files.ignore()


async def vs(chat: Chat, rest: str) -> None:
    """Talk to a second version too, or stop to."""
    words = rest.split()
    if not words:
        now = chat.versus
        chat.screen.say(
            f"A {chat.session.setting.prompt.ref}, B {now.other.setting.prompt.ref}{', blind' if now.blind else ''}"
            if now
            else "one version only; /vs REF adds another"
        )
        return
    word = words[0].lower()
    if word in {"off", "a", "b"} and len(words) == 1:
        other = chat.end_versus()
        if other is None:
            raise UsageError("there is only one version; /vs REF adds another.")
        if word == "b":
            chat.session.change(other.setting)
            chat.session.exchanges[:] = other.exchanges
            chat.files = PromptFiles(other.setting.prompt, chat.root)
        chat.screen.note(f"on with {chat.session.setting.prompt.ref} alone")
        return
    if len(words) > 2 or (len(words) == 2 and words[1].lower() != "blind"):
        raise UsageError(f"/vs {rest}: expected a prompt reference, and `blind` behind it or nothing.")
    start_versus(chat, words[0], blind=len(words) == 2)


def start_versus(chat: Chat, ref: str, *, blind: bool) -> None:
    """Send every message to a second version from here on; it begins with the conversation as it is."""
    main = chat.session
    setting = main.setting.with_prompt(ref)
    told = setting.asking(main.connection.source)
    tools = ChatTools(setting, partial(chat.ask_result, other=True))
    tools.typed = main.tools.typed
    other = Session(setting, main.connection, tools, main.record, OTHER_SIDE)
    other.begin_with(main.opening, main.exchanges, main.origin, main.staged)
    chat.versus = Versus(main, other, chat.terminal, blind=blind)
    names = "names hidden until you have answered" if blind else f"A {main.setting.prompt.ref}, B {setting.prompt.ref}"
    chat.screen.note(f"every message goes to both: {names}. /vs off ends it")
    if not blind:
        _tell_model(chat, setting, told)
