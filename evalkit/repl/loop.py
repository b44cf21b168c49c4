"""The loop at the terminal: the prompt is there at once, everything heavy is loaded while the person types.

Thin on purpose: reads a line, hands it on, leaves at the end. What is imported above is light.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from evalkit.repl.asked import ChatAsked
from evalkit.repl.commands.names import LEAVE, read_command
from evalkit.repl.completion import complete
from evalkit.repl.line_editor import LineEditor, is_dumb
from evalkit.repl.plain_lines import PlainLines

if TYPE_CHECKING:
    from evalkit.repl.chat import Chat
    from evalkit.repl.opening import Opened

PROMPT = "you> "
WATCH_S = 0.5  # how often the prompt's files are looked at


def run_chat(asked: ChatAsked) -> int:
    """Hold a chat at the terminal and return the exit code."""
    return asyncio.run(_Loop(asked).run())


class _Loop:
    """One chat from its first line to its last."""

    def __init__(self, asked: ChatAsked) -> None:
        self._asked = asked
        self._chat: Chat | None = None
        self._ready = asyncio.Event()
        self._notice = ""
        self._broken: BaseException | None = None
        self._opened: Opened | None = None
        self._editor = (
            PlainLines()
            if is_dumb()
            else LineEditor(lambda text: complete(text, asked.root, self._chat), lambda: self._notice)
        )

    async def run(self) -> int:
        tasks = [asyncio.create_task(self._open()), asyncio.create_task(self._watch())]
        try:
            await self._talk()
        except (EOFError, KeyboardInterrupt):
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close()
        if self._broken is not None:
            raise self._broken
        return 0

    async def _talk(self) -> None:
        if self._asked.load or is_dumb():  # a dumb terminal can't be written to above the line
            await self._ready.wait()
        await self._take_up()
        while not self._is_over():
            text = await self._editor.read(PROMPT, self._take_prefill())
            self._notice = ""
            if text.strip().lower() in LEAVE:
                return
            if text.strip():
                await self._ready.wait()
            if self._chat is not None:
                await self._handle(self._chat, text)

    def _is_over(self) -> bool:
        return self._broken is not None or (self._chat is not None and self._chat.leaving)

    async def _take_up(self) -> None:
        """Go on from what was asked to be loaded; without it there is nothing to type yet."""
        if self._chat is not None and self._opened is not None and self._opened.loaded is not None:
            from evalkit.repl.taking_up import take_up

            await take_up(self._chat, self._opened.loaded)

    async def _handle(self, chat: Chat, text: str) -> None:
        from evalkit.repl.commands.dispatch import handle
        from evalkit.repl.reloading import offer_reload

        chat.interrupts.arm()
        await offer_reload(chat, ask=bool(text.strip()) and read_command(text) is None)
        await handle(chat, text)

    async def _open(self) -> None:
        """Load, connect, and say above the prompt who is being talked to."""
        try:
            opened = await _load(self._asked)
            from evalkit.repl.opening import connect, greet
            from evalkit.repl.screen import Screen

            chat = self._chat = connect(opened, Screen(), self._editor.ask)
            await self._editor.above(lambda: greet(chat, opened))
            chat.session.connection.warm_up()
            self._opened = opened
        except asyncio.CancelledError:
            raise
        except BaseException as exc:  # noqa: BLE001 - it is raised where the chat ends
            self._broken = exc
            self._editor.leave(EOFError())
        finally:
            self._ready.set()

    async def _close(self) -> None:
        chat = self._chat
        if chat is None:
            return
        from evalkit.repl.opening import close_chat

        await close_chat(chat)
        if chat.session.record.name:
            chat.screen.note(f"{chat.session.record.name}   evalkit chat -c goes on with it")

    def _take_prefill(self) -> str:
        if self._chat is None:
            return ""
        text, self._chat.prefill = self._chat.prefill, ""
        return text

    async def _watch(self) -> None:
        """Look at the prompt's files now and then, and say at the right of the line that one was edited."""
        while True:
            await asyncio.sleep(WATCH_S)
            watched = self._chat.watched if self._chat else None
            changed = watched.changed() if watched else ""
            notice = f"{changed} was edited. reload? Enter" if changed else ""
            if notice != self._notice:
                self._notice = notice
                self._editor.redraw()


async def _load(asked: ChatAsked) -> Opened:
    """Read everything from disk in a thread; the import of what reads it is most of the work."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[Opened] = loop.create_future()

    def settle(opened: Opened | None, error: BaseException | None) -> None:
        if not ready.done():
            if opened is not None:
                ready.set_result(opened)
            elif error is not None:
                ready.set_exception(error)

    def work() -> None:
        opened, error = None, None
        try:
            from evalkit.repl.opening import open_files

            opened = open_files(asked)
        except BaseException as exc:  # noqa: BLE001 - it is raised where it is awaited
            error = exc
        with suppress(RuntimeError):  # the person has left already, and the loop is closed
            loop.call_soon_threadsafe(settle, opened, error)

    Thread(target=work, name="evalkit-chat-loading", daemon=True).start()
    return await ready
