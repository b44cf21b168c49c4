"""From a typed line to what it does: a command's function, or a message to the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from evalkit.errors import EvalkitError
from evalkit.repl.chat import Chat
from evalkit.repl.commands import conversation, insight, keeping, versions
from evalkit.repl.commands.names import Typed, help_text, read_command
from evalkit.repl.message_text import as_message

Command = Callable[[Chat, str], Awaitable[None]]


async def handle(chat: Chat, text: str) -> None:
    """Do what a line says; mistakes are told in one line and the conversation goes on."""
    typed = read_command(text)
    try:
        if typed is not None:
            await _run(chat, typed)
        elif message := as_message(text):
            await chat.send(message)
    except EvalkitError as exc:
        chat.screen.problem(f"  {exc}")
    except OSError as exc:  # the disk is full, a folder is not ours: the conversation goes on
        chat.screen.problem(f"  {exc.filename or 'the record'}: {exc.strerror or exc}. Nothing was lost on the screen.")


async def _run(chat: Chat, typed: Typed) -> None:
    if typed.named is None:
        chat.screen.problem(f"  /{typed.word} is no command; {typed.hint}")
        return
    await FUNCTIONS[typed.named.name](chat, typed.rest)


async def _help(chat: Chat, _rest: str) -> None:
    chat.screen.say(help_text())


async def _exit(chat: Chat, _rest: str) -> None:
    chat.leaving = True


FUNCTIONS: Mapping[str, Command] = {
    "help": _help,
    "prompt": versions.prompt,
    "model": versions.model,
    "vs": versions.vs,
    "undo": conversation.undo,
    "retry": conversation.retry,
    "edit": conversation.edit,
    "clear": conversation.clear,
    "why": insight.why,
    "tools": insight.tools,
    "cost": insight.cost,
    "save": keeping.save,
    "load": keeping.load,
    "exit": _exit,
}
