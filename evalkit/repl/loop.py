"""The loop at the terminal: the prompt is there at once, everything heavy is loaded while the person types.

Thin on purpose: reads a line, hands it on, leaves at the end. What is imported above is light.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from evalkit.repl.command_line import LEAVE, ChatOptions, complete, read_command
from evalkit.repl.keyboard import LineEditor, PlainLines, in_thread, is_dumb

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

        def complete_here(text: str) -> Iterable[tuple[str, str]]:
            return complete(text, options.root, self._chat.session.setting.prompt if self._chat else None)

        self._editor = PlainLines() if is_dumb() else LineEditor(complete_here, lambda: self._notice)

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
            if self._chat is not None:
                await self._close(self._chat)
        if self._broken is not None:
            raise self._broken
        return 0

    async def _open(self) -> None:
        """Load, connect, and say above the prompt who is being talked to."""

        def read() -> ChatSetup:
            from evalkit.repl.opening import read_setup  # the import is most of the work

            return read_setup(self._options)

        try:
            setup = self._setup = await in_thread(read)
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

    async def _talk(self) -> None:
        if self._options.load or is_dumb():  # a dumb terminal can't be written to above the line
            await self._ready.wait()
        if self._chat is not None and self._setup is not None and self._setup.start is not None:
            await self._chat.go_on_from(self._setup.start)
        while self._broken is None and not (self._chat is not None and self._chat.leaving):
            prefill = ""
            if self._chat is not None:
                prefill, self._chat.prefill = self._chat.prefill, ""
            text = await self._editor.read(PROMPT, prefill)
            self._notice = ""
            if text.strip().lower() in LEAVE:
                return
            if text.strip():
                await self._ready.wait()
            if self._chat is not None:
                from evalkit.repl.commands import handle
                from evalkit.repl.switching import offer_reload

                self._chat.terminal.interrupts.arm()
                await offer_reload(self._chat, ask=bool(text.strip()) and read_command(text) is None)
                await handle(self._chat, text)

    async def _watch_files(self) -> None:
        """Look at the prompt's files now and then, and say at the right of the line that one was edited."""
        while True:
            await asyncio.sleep(LOOK_S)
            changed = self._chat.files.changed() if self._chat else ""
            notice = f"{changed} was edited. reload? Enter" if changed else ""
            if notice != self._notice:
                self._notice = notice
                self._editor.redraw()

    async def _close(self, chat: Chat) -> None:
        """End the record and say where it is."""
        from evalkit.repl.opening import close_chat

        await close_chat(chat)
        record = chat.session.record.name
        if record:
            chat.screen.note(f"{record}   evalkit chat -c goes on with it")
