"""Takes up an edited prompt: Enter on an empty line, or when asked before a message is sent."""

from __future__ import annotations

from evalkit.errors import FileProblems
from evalkit.repl.chat import Chat
from evalkit.repl.commands.versions import switch_prompt


async def offer_reload(chat: Chat, *, ask: bool) -> None:
    """Load the prompt anew if its files were edited; `ask` first, because a message is about to be sent."""
    changed = chat.watched.changed() if chat.watched else ""
    if not changed or chat.watched is None:
        return
    if ask:
        if chat.ask_line is None:
            return
        try:
            answer = await chat.ask_line(f"  {changed} was edited. reload? [Enter = yes, n = go on with the old one] ")
        except (KeyboardInterrupt, EOFError):
            answer = "n"
        chat.interrupts.arm()
        if answer.strip().lower() in {"n", "no"}:
            chat.watched.ignore()
            return
    try:
        switch_prompt(chat, chat.session.setting.prompt.ref)
    except FileProblems as exc:
        chat.screen.problem(f"{exc}\n  the version before the edit stays in use")
        chat.watched.ignore()
