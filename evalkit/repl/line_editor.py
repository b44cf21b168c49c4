"""Reads what the person types: history, search, completion, several lines. The only module that knows prompt_toolkit.

Knows keys and the screen's bottom line; must not know what a message means.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

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

from evalkit.repl.message_text import is_open

Complete = Callable[[str], Iterable[tuple[str, str]]]
"""Text before the cursor to completions: each is what the last word becomes, and what it means."""

HINT = "Ctrl-C stops a reply. To leave: /exit or Ctrl-D"
STYLE = Style.from_dict({"prompt": "bold", "continuation": "ansibrightblack", "notice": "ansiyellow"})


def is_dumb() -> bool:
    """Tell whether the terminal can only print line below line."""
    return os.environ.get("TERM", "dumb") in {"", "dumb"}


def history_file() -> Path:
    """Return where earlier messages are kept: below XDG_STATE_HOME, or ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "evalkit" / "history"


class LineEditor:
    """One line editor for a chat; `complete` may be set later, when what there is to complete is known."""

    def __init__(self, complete: Complete, notice: Callable[[], str]) -> None:
        self.complete = complete
        self._notice = notice
        depth = ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None
        self._options: dict[str, Any] = {"output": create_output(always_prefer_tty=True)}
        self._session: PromptSession[str] = PromptSession(
            history=_history(history_file()),
            completer=_Completions(self),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            multiline=True,
            key_bindings=_bindings(),
            prompt_continuation=[("class:continuation", "...  ")],
            style=STYLE,
            color_depth=depth,
            **self._options,
        )
        self._depth = depth

    async def read(self, prompt: str, prefill: str = "") -> str:
        """Return what was entered; EOFError when the person leaves."""
        return await self._session.prompt_async([("class:prompt", prompt)], default=prefill, rprompt=self._at_the_right)

    async def ask(self, question: str) -> str:
        """Return the answer to a question, which is kept out of the history; KeyboardInterrupt on Ctrl-C."""
        session: PromptSession[str] = PromptSession(
            history=InMemoryHistory(), style=STYLE, color_depth=self._depth, **self._options
        )
        return await session.prompt_async(question)

    def redraw(self) -> None:
        """Draw the line again: what stands at its right is another text now."""
        if self._session.app.is_running:
            self._session.app.invalidate()

    async def above(self, write: Callable[[], None]) -> None:
        """Print something above the line that is being typed."""
        app = self._session.app
        if app.is_running:
            await run_in_terminal(write)
        else:
            write()

    def leave(self, reason: BaseException) -> None:
        """End the reading from outside: what waits for a line gets this exception."""
        if self._session.app.is_running:
            self._session.app.exit(exception=reason)

    def _at_the_right(self) -> AnyFormattedText:
        return [("class:notice", "" if self._session.app.is_done else self._notice())]


class _Completions(Completer):
    """Asks the editor's function."""

    def __init__(self, editor: LineEditor) -> None:
        self._editor = editor

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yield what the word before the cursor may become."""
        text = document.text_before_cursor
        word = text[len(text.rstrip()) :] if text.endswith(" ") else text.split(" ")[-1]
        start = -len(word.strip())
        for value, meaning in self._editor.complete(text):
            yield Completion(value, start_position=start, display_meta=meaning)


def _history(file: Path) -> History:
    """Return the kept history, or one that is forgotten where nothing can be kept."""
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
