"""Goes on from a loaded conversation: shows what was said, puts the last message on the line, keeps tool results."""

from __future__ import annotations

from evalkit.repl.chat import Chat
from evalkit.repl.exchange import Exchange
from evalkit.repl.loading import Loaded
from evalkit.repl.streaming import call_line, result_line, speaker_of
from evalkit.reporting.safe_text import one_line, shorten_middle

SHOWN = 600  # characters of a reply that was left out


async def take_up(chat: Chat, loaded: Loaded) -> None:
    """Go on with a loaded conversation, up to before a reply; the first turns of a case are played."""
    session, screen = chat.session, chat.screen
    session.begin_with(loaded.opening, loaded.exchanges, loaded.origin)
    session.script = loaded.script
    if loaded.fixtures is not None:
        session.tools.use(loaded.fixtures)
    session.tools.replay(loaded.calls)
    screen.note(f"{loaded.origin}: {loaded.what}")
    for exchange in session.exchanges:
        show_exchange(chat, exchange)
    for message in loaded.first:
        screen.say(f"you> {message}")
        await chat.send(message)
        if session.last.answer.turn.failure is not None:
            break
    if loaded.left_out:
        screen.note(f"  the recorded reply, left out: {shorten_middle(one_line(loaded.left_out), SHOWN)}")
    for reason in loaded.reasons:
        screen.note(f"  why it failed: {one_line(reason)}", "yellow")
    chat.prefill = chat.waiting = loaded.waiting
    if not screen.one_shot:
        screen.note("  the last message waits on the line: Enter or /retry gets a new reply")


def show_exchange(chat: Chat, exchange: Exchange) -> None:
    """Print an exchange that was held before."""
    screen, turn = chat.screen, exchange.answer.turn
    screen.say(f"you> {exchange.user}")
    for call in turn.tool_calls:
        screen.note(f"  → {call_line(call.name, call.input, screen.columns - 5)}", "cyan")
        screen.note(f"  ← {result_line(call, screen.columns - 5)}", "yellow" if call.is_error else "dim")
    if turn.reply:
        screen.speaker(speaker_of(exchange.answer.prompt))
        screen.reply(turn.reply)
        screen.end_reply()
