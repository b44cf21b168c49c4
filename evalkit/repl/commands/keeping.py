"""Commands that keep a conversation or take one up: /save, /load."""

from __future__ import annotations

from evalkit.errors import UsageError
from evalkit.repl.chat import Chat
from evalkit.repl.loading import load_conversation
from evalkit.repl.saving import Kept, save_cases
from evalkit.repl.taking_up import take_up


async def save(chat: Chat, rest: str) -> None:
    """Add the conversation to a suite as a case and show the lines."""
    words = rest.split()
    session = chat.session
    if len(words) > 2:
        raise UsageError(f"/save {rest}: expected a suite and an id, such as: /save returns late-parcel")
    known = session.setting.suites
    if not words and not known:
        raise UsageError("/save: which suite? Name one, such as: /save regressions (it is begun if there is none)")
    suite = words[0] if words else known[0].path
    origin = f"{session.record.name}#{session.session_id}" if session.session_id else session.origin
    case_id = words[1] if len(words) > 1 else ""
    added = save_cases(session.setting, [Kept(session.turns(), session.opening, case_id, origin)], suite)
    for number, line in enumerate(added.text.split("\n"), added.first):
        chat.screen.say(f"{number:5} {line}")
    chat.screen.note(f"{added}. Say what is expected and remove `gate: false`, then: evalkit check {added.file}")


async def load(chat: Chat, rest: str) -> None:
    """Take up a conversation, up to before its last reply."""
    if not rest:
        raise UsageError("/load what? A record (last#CASE, reports/chat/…#1, logs#SESSION), a transcript, SUITE::CASE.")
    loaded = load_conversation(rest, chat.root)
    if chat.versus is not None:
        chat.versus.other.end()
        chat.versus = None
        chat.screen.note("  /vs is off; it would not know what was said")
    await take_up(chat, loaded)
