"""One message, one reply, no terminal: the text on standard output, everything about it on standard error."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from typing import Any

import orjson

from evalkit.errors import ExitCode, UsageError
from evalkit.repl.asked import ChatAsked
from evalkit.repl.commands.versions import start_versus
from evalkit.repl.exchange import INTERRUPTED
from evalkit.repl.opening import Opened, close_chat, connect, open_files
from evalkit.repl.screen import Screen
from evalkit.repl.session import Session
from evalkit.repl.taking_up import take_up
from evalkit.repl.voice import judge_voice
from evalkit.repl.wording import sum_up


def run_one_shot(asked: ChatAsked, message: str, *, as_json: bool = False) -> int:
    """Send one message and return the exit code: 0 answered, 3 no complete answer (what came is printed)."""
    opened = open_files(asked)
    if not message.strip() and opened.loaded is None:
        raise UsageError("nothing to send: the message is empty; expected text with -m or on standard input.")
    return asyncio.run(_play(opened, message, as_json=as_json))


async def _play(opened: Opened, message: str, *, as_json: bool) -> int:
    # with --json, standard output holds the record alone
    screen = Screen(out=sys.stderr, one_shot=True) if as_json else Screen(one_shot=True)
    chat = connect(opened, screen, None)
    chat.interrupts.arm()
    for note in opened.setting.notes:
        screen.note(f"note: {note}", "yellow")
    if opened.asked.versus:
        start_versus(chat, opened.asked.versus, blind=opened.asked.blind)
    try:
        if opened.loaded is not None:
            await take_up(chat, opened.loaded)
        await chat.send(message.strip() or chat.waiting)
        turn = chat.session.last.answer.turn if chat.session.exchanges else None
        if as_json and turn is not None:
            sys.stdout.write(orjson.dumps(described(chat.session)).decode() + "\n")
    finally:
        await close_chat(chat)
    if turn is None or (turn.failure is not None and turn.failure.kind == INTERRUPTED):
        return ExitCode.INTERRUPTED
    answered = turn.failure is None and bool(turn.reply.strip())
    return ExitCode.PASSED if answered else ExitCode.NO_VERDICT


def described(session: Session) -> dict[str, Any]:
    """Return the last exchange as one JSON object."""
    answer = session.last.answer
    turn, sums = answer.turn, sum_up(answer.turn.requests)
    voice = judge_voice(turn, session.setting.rules)
    return {
        "prompt": answer.prompt.ref,
        "prompt_sha": answer.prompt.sha,
        "model": answer.prompt.model,
        "source": session.connection.source.kind,
        "user": turn.user,
        "reply": turn.reply or _partial(session),
        "stop_reason": turn.requests[-1].stop_reason if turn.requests else None,
        "failure": asdict(turn.failure) if turn.failure else None,
        "tool_calls": [asdict(call) for call in turn.tool_calls],
        "usage": asdict(sums.usage),
        "cost_usd": sums.cost_usd,
        "first_token_ms": turn.first_token_ms,
        "total_ms": round(sums.total_ms, 3),
        "voice_broken": [score.assertion.rule for score in voice.broken] if voice else None,
        "record": f"{session.record.name}#{session.session_id}",
    }


def _partial(session: Session) -> str:
    requests = session.last.answer.turn.requests
    blocks = requests[-1].partial if requests else ()
    return "".join(str(block.get("text", "")) for block in blocks)
