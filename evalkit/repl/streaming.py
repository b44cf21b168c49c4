"""Shows a turn while it happens: tool calls as they start, text as it arrives, the footer at its end.

Knows the engine's events and the screen; must not know where events come from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

from evalkit.engine import (
    EngineEvent,
    MemoryFolded,
    RequestFinished,
    Retrying,
    TextArrived,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from evalkit.graders import Requirement
from evalkit.records import JsonObject, PromptVersion, ToolCall, Turn
from evalkit.repl.screen import Screen
from evalkit.repl.tools import BROKEN, NOBODY, RECORDED, TYPED, file_and_line
from evalkit.repl.voice import judge_voice
from evalkit.repl.wording import folded, footer, friendly, waiting
from evalkit.reporting.safe_text import one_line, shorten_middle

_PERSONA = re.compile(r"You are ([A-Z][\w'’-]{1,20})[,.]")


def speaker_of(prompt: PromptVersion) -> str:
    """Return the name that stands before replies: the one the prompt gives the assistant, else the prompt's."""
    found = _PERSONA.search(prompt.text[:2000])
    return found[1] if found else prompt.ref.partition("@")[0]


class TurnView:
    """Prints the events of one turn; `label` stands before the text of the reply."""

    def __init__(
        self, screen: Screen, label: str, rules: Sequence[Requirement], *, spent: bool, with_footer: bool = True
    ) -> None:
        self._screen = screen
        self._label = label
        self._rules = rules
        self._spent = spent
        self._with_footer = with_footer
        self._speaking = False
        # what a pipe was given can't be taken back when a try fails and the reply begins again
        self._held: list[str] | None = [] if screen.one_shot and not screen.out.isatty() else None

    def show(self, event: EngineEvent) -> None:
        """Show one event."""
        screen = self._screen
        match event:
            case TextArrived():
                self._text(event.text)
            case ToolStarted():
                self._pause()
                screen.note(f"  → {call_line(event.name, event.input, screen.columns - 5)}", "cyan")
            case ToolFinished():
                screen.note(
                    f"  ← {result_line(event.call, screen.columns - 5)}", "yellow" if event.call.is_error else "dim"
                )
            case RequestFinished():
                self._release()
                self._pause()
            case Retrying():
                self._held = None if self._held is None else []
                again = "; the reply begins again" if self._speaking else ""
                self._pause()
                screen.note(f"  … {waiting(event.failure, event.wait_s)}{again}", "yellow")
            case MemoryFolded():
                screen.note(f"  (older turns became a summary of {len(event.summary)} characters)")
            case TurnFinished():
                self._end(event.turn)
            case _:
                pass

    def stopped(self) -> None:
        """Say that the person stopped the reply."""
        self._release()
        self._pause()
        self._screen.note("  stopped; what came is kept. /retry asks again, /undo takes it back", "yellow")

    def _release(self) -> None:
        if self._held:
            self._screen.reply("".join(self._held).lstrip("\n"))
            self._held = []

    def _text(self, text: str) -> None:
        if self._held is not None:
            self._held.append(text)
            return
        if not self._speaking:
            text = text.lstrip("\n")
            if not text:
                return
            self._speaking = True
            if not self._screen.one_shot:
                self._screen.speaker(self._label)
        self._screen.reply(text)

    def _pause(self) -> None:
        self._screen.end_reply()
        self._speaking = False

    def _end(self, turn: Turn) -> None:
        self._pause()
        if turn.failure is not None:
            self._screen.problem(f"  {friendly(turn.failure)}")
            return
        if not turn.reply.strip():
            self._screen.note("  (the reply is empty. /retry asks again)", "yellow")
        if self._with_footer:
            line = footer(turn, judge_voice(turn, self._rules), spent=self._spent)
            self._screen.note(folded(line, self._screen.columns))


def call_line(name: str, tool_input: JsonObject, room: int) -> str:
    """Return a call on one line."""
    return shorten_middle(one_line(f"{name} {orjson.dumps(tool_input).decode()}"), max(room, 40))


def result_line(call: ToolCall, room: int) -> str:
    """Return a call's result on one line, and where it came from."""
    origin = origin_words(call.origin)
    error = "error: " if call.is_error else ""
    space = max(room - len(origin) - 3, 12)
    return f"{shorten_middle(one_line(error + call.output), space)}{f'   {origin}' if origin else ''}"


def origin_words(origin: str) -> str:
    """Return where a result came from, as people say it."""
    if origin in {"", BROKEN, TYPED, RECORDED, NOBODY} or ":" not in origin:
        return origin
    return f"fixture, {file_and_line(origin)}"
