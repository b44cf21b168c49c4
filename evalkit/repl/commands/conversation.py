"""Commands that go back and forth in the conversation: /undo, /retry, /edit, /clear."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.repl.chat import Chat


async def undo(chat: Chat, rest: str) -> None:
    """Take back exchanges and put the message on the line again."""
    if rest and not rest.isdecimal():
        raise UsageError(f"/undo takes a number of exchanges, not {rest!r}.")
    count = int(rest or 1)
    message = chat.session.undo(count)
    if chat.versus is not None:
        chat.versus.other.undo(min(count, len(chat.versus.other.exchanges)))
    chat.prefill = message
    chat.screen.note(f"  {count} taken back; {len(chat.session.exchanges)} left. Change the message, or send it again.")


async def retry(chat: Chat, rest: str) -> None:
    """Get another reply to the last message; after /load to the one that is waiting on the line."""
    if rest:
        raise UsageError("/retry takes nothing; /undo lets you change the message.")
    if chat.waiting:
        message, chat.waiting = chat.waiting, ""
        await chat.send(message)
        return
    await chat.retry()


async def edit(chat: Chat, rest: str) -> None:
    """Write the next message in the editor."""
    if rest:
        raise UsageError("/edit takes nothing; it opens $EDITOR.")
    text = await asyncio.to_thread(_edited, chat.waiting or chat.session.taken_back)
    if not text:
        chat.screen.note("  nothing written, nothing sent")
        return
    chat.prefill = text
    chat.screen.note("  Enter sends it")


async def clear(chat: Chat, rest: str) -> None:
    """Begin a new conversation."""
    if rest:
        raise UsageError("/clear takes nothing.")
    chat.session.clear()
    if chat.versus is not None:
        chat.versus.other.clear()
    chat.waiting = ""
    chat.screen.note(f"  new conversation with {chat.session.setting.prompt.ref}")


def _edited(text: str) -> str:
    """Return what the person made of a text in their editor."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="evalkit-") as folder:
        file = Path(folder) / "message.md"
        file.write_text(text, "utf-8")
        try:
            done = subprocess.run([*shlex.split(command), str(file)], check=False)  # noqa: S603 - the user's own editor
        except (OSError, ValueError) as exc:
            raise UsageError(f"can't start the editor {command!r}: {exc}. Set EDITOR.") from exc
        if done.returncode:
            raise UsageError(f"the editor {command!r} ended with code {done.returncode}; the message is as it was.")
        return file.read_text("utf-8", "replace").strip()
