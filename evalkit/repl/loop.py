"""The loop at the terminal: the prompt is there at once, everything heavy is loaded while the person types.

Thin on purpose: reads a line, hands it on, leaves at the end. What is imported above is light.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from evalkit.repl.commands.table import LEAVE, complete, read_command
from evalkit.repl.keyboard import LineEditor, PlainLines, in_thread, is_dumb
from evalkit.repl.options import ChatOptions

if TYPE_CHECKING:
    from evalkit.repl.chat import Chat
    from evalkit.repl.opening import ChatSetup

PROMPT = "you> "
LOOK_S = 0.5  # how often the prompt's files are looked at


def run_chat(options: ChatOptions) -> int:
    """Hold a chat at the terminal and return the exit code."""
    return asyncio.run(_Loop(options).run())


class _Loop:
    """One chat from its first line to its last; `ready` is set when it is loaded, or can't be."""

    def __init__(self, options: ChatOptions) -> None:
        self._options = options
        self._chat: Chat | None = None
        self._ready = asyncio.Event()
        self._notice = ""
        self._broken: BaseException | None = None
        self._setup: ChatSetup | None = None
        self._editor = PlainLines() if is_dumb() else LineEditor(self._complete, lambda: self._notice)

    def _complete(self, text: str) -> list[tuple[str, str]]:
        prompt = self._chat.session.setting.prompt if self._chat else None
        return list(complete(text, self._options.root, prompt))

    async def run(self) -> int:
        tasks = [asyncio.create_task(self._open()), asyncio.create_task(self._watch_files())]
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

    async def _open(self) -> None:
        """Load, connect, and say above the prompt who is being talked to."""
        try:
            setup = self._setup = await in_thread(self._read_setup)
            from evalkit.repl.opening import connect, greet
            from evalkit.repl.screen import Screen

            chat = self._chat = connect(setup, Screen(), self._editor.ask)
            await self._editor.above(lambda: greet(chat, setup))
            chat.session.connection.warm_up()
        except asyncio.CancelledError:
            raise
        except BaseException as exc:  # noqa: BLE001 - it is raised where the chat ends
            self._broken = exc
            self._editor.leave(EOFError())
        finally:
            self._ready.set()

    def _read_setup(self) -> ChatSetup:
        """Read what the chat begins with; the import of what reads it is most of the work."""
        from evalkit.repl.opening import read_setup

        return read_setup(self._options)

    async def _talk(self) -> None:
        if self._options.load or is_dumb():  # a dumb terminal can't be written to above the line
            await self._ready.wait()
        if self._chat is not None and self._setup is not None and self._setup.start is not None:
            await self._chat.go_on_from(self._setup.start)
        while self._broken is None and not (self._chat is not None and self._chat.leaving):
            text = await self._editor.read(PROMPT, self._take_prefill())
            self._notice = ""
            if text.strip().lower() in LEAVE:
                return
            if text.strip():
                await self._ready.wait()
            if self._chat is not None:
                await self._handle(self._chat, text)

    async def _handle(self, chat: Chat, text: str) -> None:
        from evalkit.repl.commands.actions import handle, offer_reload

        chat.terminal.interrupts.arm()
        await offer_reload(chat, ask=bool(text.strip()) and read_command(text) is None)
        await handle(chat, text)

    def _take_prefill(self) -> str:
        if self._chat is None:
            return ""
        text, self._chat.prefill = self._chat.prefill, ""
        return text

    async def _watch_files(self) -> None:
        """Look at the prompt's files now and then, and say at the right of the line that one was edited."""
        while True:
            await asyncio.sleep(LOOK_S)
            changed = self._chat.files.changed() if self._chat else ""
            notice = f"{changed} was edited. reload? Enter" if changed else ""
            if notice != self._notice:
                self._notice = notice
                self._editor.redraw()

    async def _close(self) -> None:
        if self._chat is None:
            return
        from evalkit.repl.opening import close_chat

        await close_chat(self._chat)
        record = self._chat.session.record.name
        if record:
            self._chat.screen.note(f"{record}   evalkit chat -c goes on with it")
