"""Commands about who is asked: /prompt, /model, /vs."""

from __future__ import annotations

from evalkit.errors import UsageError
from evalkit.repl.chat import Chat
from evalkit.repl.record import OTHER_SIDE
from evalkit.repl.session import Session
from evalkit.repl.setting import Setting
from evalkit.repl.tools import ChatTools
from evalkit.repl.versus import Versus
from evalkit.repl.watched import Watched


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
    before = chat.session.setting
    setting = before.with_prompt(ref)
    chat.session.change(setting)
    chat.watched = Watched(setting.prompt, chat.root)
    chat.screen.note(f"{setting.prompt.ref} ({setting.prompt.sha[:7]}), {_kept(chat, before, setting)}")


async def model(chat: Chat, rest: str) -> None:
    """Show the model, or switch it."""
    before = chat.session.setting
    if not rest:
        chat.screen.say(before.prompt.model)
        return
    if rest.split() != [rest]:
        raise UsageError(f"{rest!r} is no model's name; expected one such as claude-haiku-4-5.")
    setting = before.with_model(rest)
    chat.session.change(setting)
    chat.screen.note(f"{setting.prompt.ref} on {rest}, {_kept(chat, before, setting)}")


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
        _go_on_with_one(chat, word)
        return
    if len(words) > 2 or (len(words) == 2 and words[1].lower() != "blind"):
        raise UsageError(f"/vs {rest}: expected a prompt reference, and `blind` behind it or nothing.")
    start_versus(chat, words[0], blind=len(words) == 2)


def start_versus(chat: Chat, ref: str, *, blind: bool) -> None:
    """Send every message to a second version from here on; it begins with the conversation as it is."""
    main = chat.session
    setting = main.setting.with_prompt(ref)
    tools = ChatTools(setting.fixtures, chat.result_for_other)
    tools.typed = main.tools.typed
    other = Session(setting, main.connection, tools, main.record, OTHER_SIDE)
    other.begin_with(main.opening, main.exchanges, main.origin)
    chat.versus = Versus(other, blind=blind)
    names = "names hidden until you have answered" if blind else f"A {main.setting.prompt.ref}, B {setting.prompt.ref}"
    chat.screen.note(f"every message goes to both: {names}. /vs off ends it")


def _go_on_with_one(chat: Chat, word: str) -> None:
    if chat.versus is None:
        raise UsageError("there is only one version; /vs REF adds another.")
    other = chat.versus.other
    chat.versus = None
    other.end()
    if word == "b":
        chat.session.change(other.setting)
        chat.session.exchanges[:] = other.exchanges
        chat.watched = Watched(other.setting.prompt, chat.root)
    chat.screen.note(f"on with {chat.session.setting.prompt.ref} alone")


def _kept(chat: Chat, before: Setting, after: Setting) -> str:
    if not chat.session.conversation.messages:
        return "nothing was said yet."
    same = before.prompt.sha == after.prompt.sha
    return "conversation kept. It is the same text." if same else "conversation kept. The cache starts again."
