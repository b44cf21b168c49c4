"""The keyboard: lines and messages that are typed, and Ctrl-C while a reply comes.

The only module that knows prompt_toolkit. Knows keys and when a message is whole; must not know what it means.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.defaults import create_output
from prompt_toolkit.shortcuts import CompleteStyle
from prompt_toolkit.styles import Style

T = TypeVar("T")
Complete = Callable[[str], Iterable[tuple[str, str]]]
"""Text before the cursor to completions: each is what the last word becomes, and what it means."""

HINT = "Ctrl-C stops a reply. To leave: /exit or Ctrl-D"
STYLE = Style.from_dict({"prompt": "bold", "continuation": "ansibrightblack", "notice": "ansiyellow"})
QUOTES = '"""'


def is_dumb() -> bool:
    """Tell whether the terminal can only print line below line."""
    return os.environ.get("TERM", "dumb") in {"", "dumb"}


def is_open(text: str) -> bool:
    """Tell whether a message goes on in the next line: after a trailing backslash, or within triple quotes."""
    if text.lstrip().startswith(QUOTES):
        return text.count(QUOTES) < 2
    return _goes_on(text)


def as_message(text: str) -> str:
    """Return the message that was meant: without triple quotes around it, without backslashes at ends of lines."""
    stripped = text.strip()
    if stripped.startswith(QUOTES):
        return stripped[len(QUOTES) :].removesuffix(QUOTES).strip("\n")
    return "\n".join(line[:-1] if _goes_on(line) else line for line in text.split("\n")).strip()


def _goes_on(line: str) -> bool:
    return line.endswith("\\") and not line.endswith("\\\\")


class LineEditor:
    """The line of a chat: history, search, completion, several lines. `notice` is what stands at its right."""

    def __init__(self, complete: Complete, notice: Callable[[], str]) -> None:
        self._notice = notice
        self._look: dict[str, Any] = {
            "output": create_output(always_prefer_tty=True),
            "style": STYLE,
            "color_depth": ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None,
        }
        self._session: PromptSession[str] = PromptSession(
            history=_open_history(),
            completer=_Completions(complete),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            multiline=True,
            key_bindings=_bindings(),
            prompt_continuation=[("class:continuation", "...  ")],
            **self._look,
        )

    async def read(self, prompt: str, prefill: str = "") -> str:
        """Return what was entered; EOFError when the person leaves."""

        def at_the_right() -> AnyFormattedText:
            return [("class:notice", "" if self._session.app.is_done else self._notice())]

        return await self._session.prompt_async([("class:prompt", prompt)], default=prefill, rprompt=at_the_right)

    async def ask(self, question: str) -> str:
        """Return the answer to a question, which is kept out of the history; KeyboardInterrupt on Ctrl-C."""
        session: PromptSession[str] = PromptSession(history=InMemoryHistory(), **self._look)
        return await session.prompt_async(question)

    def redraw(self) -> None:
        """Draw the line again: what stands at its right is another text now."""
        if self._session.app.is_running:
            self._session.app.invalidate()

    async def above(self, write: Callable[[], None]) -> None:
        """Print something above the line that is being typed."""
        if self._session.app.is_running:
            await run_in_terminal(write)
        else:
            write()

    def leave(self, reason: BaseException) -> None:
        """End the reading from outside: what waits for a line gets this exception."""
        if self._session.app.is_running:
            self._session.app.exit(exception=reason)


class _Completions(Completer):
    """The completions of prompt_toolkit, from a function of the text."""

    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yield what the word before the cursor may become."""
        text = document.text_before_cursor
        start = 0 if text.endswith(" ") else -len(text.split(" ")[-1].strip())
        for value, meaning in self._complete(text):
            yield Completion(value, start_position=start, display_meta=meaning)


def _open_history() -> History:
    """Return the messages of earlier chats, below XDG_STATE_HOME or ~/.local/state; none where nothing can be kept."""
    state = os.environ.get("XDG_STATE_HOME")
    file = (Path(state) if state else Path.home() / ".local" / "state") / "evalkit" / "history"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))


def _bindings() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def enter(event: KeyPressEvent) -> None:
        """Send, or go on in the next line."""
        buffer = event.current_buffer
        if is_open(buffer.text):
            buffer.newline(copy_margin=False)
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        """Begin a new line in any case."""
        event.current_buffer.newline(copy_margin=False)

    @keys.add("c-c")
    def interrupt(event: KeyPressEvent) -> None:
        """Clear the line; on an empty one say how to leave."""
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            run_in_terminal(lambda: print(HINT))  # noqa: T201

    @keys.add("c-d")
    def leave(event: KeyPressEvent) -> None:
        """Leave on an empty line; delete a character elsewhere."""
        if event.current_buffer.text:
            event.current_buffer.delete()
        else:
            event.app.exit(exception=EOFError, style="class:exiting")

    return keys


class PlainLines:
    """Does what `LineEditor` does as far as a dumb terminal can: no drawing, no completion, no history."""

    async def read(self, prompt: str, prefill: str = "") -> str:
        """Return what was entered, or `prefill` for an empty line; EOFError when the person leaves."""
        if prefill:
            sys.stdout.write(f"  Enter sends: {prefill}\n")
        text = await self.ask(prompt)
        while is_open(text):
            text += "\n" + await self.ask("...  ")
        return text or prefill

    async def ask(self, question: str) -> str:
        """Return one line; EOFError at the end of input."""
        sys.stdout.write(question)
        sys.stdout.flush()
        line: str = await in_thread(sys.stdin.readline)
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    async def above(self, write: Callable[[], None]) -> None:
        """Print something; nothing is being typed, because lines are only read when the chat is ready."""
        write()

    def redraw(self) -> None:
        """Do nothing: what was printed stays."""

    def leave(self, reason: BaseException) -> None:
        """Do nothing: no line is being read before the chat is ready."""


async def in_thread(work: Callable[[], T]) -> T:
    """Do something that blocks in a thread that nobody has to wait for when the chat ends; raise what it raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        settle: Callable[[], None]
        try:
            settle = partial(done.set_result, work())
        except BaseException as exc:  # noqa: BLE001 - it is raised where it is awaited
            settle = partial(done.set_exception, exc)
        with suppress(RuntimeError):  # the person has left already, and the loop is closed
            loop.call_soon_threadsafe(lambda: None if done.done() else settle())

    # asyncio's own threads are joined at exit: one that waits for a line would hold the program until Enter
    Thread(target=run, name="evalkit-chat", daemon=True).start()
    return await done


class Interrupts:
    """Ctrl-C in a chat: stops the reply that is coming, and nothing else.

    `arm` again after whatever takes the signal away, as the line editor does.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def arm(self) -> None:
        """Take the signal: from here on it stops a reply or does nothing."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self.stop)

    def stop(self) -> None:
        """Stop the reply that is coming, if one is."""
        if self._task is not None:
            self._task.cancel()

    async def run(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do something that Ctrl-C may stop, and tell whether it came to its end."""
        self._task = asyncio.ensure_future(work)
        self.arm()
        try:
            with _silent_keys():
                await self._task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            return False
        finally:
            self._task = None
        return True


@contextmanager
def _silent_keys() -> Iterator[None]:
    """Let the terminal keep what is typed for the next line without showing it in the middle of a reply."""
    if not sys.stdin.isatty():
        yield
        return
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    quiet = list(before)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(file, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
