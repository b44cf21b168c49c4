"""How a turn is shown: tool calls as they start, text as it arrives, and the lines that tell times, tokens, dollars,
cache, voice and failures.

Knows the engine's events and the screen; must not know where events come from. What is unknown is called unknown,
never 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import orjson

from evalkit.engine import (
    EngineEvent,
    MemoryFolded,
    ReplyInvalid,
    RequestFinished,
    Retrying,
    TextArrived,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from evalkit.records import Failure, JsonObject, PromptVersion, Request, ToolCall, Turn, Usage
from evalkit.repl.keyboard import Interrupts
from evalkit.repl.screen import Screen
from evalkit.repl.session import INTERRUPTED, Session
from evalkit.repl.setting import VoiceVerdict, judge_voice
from evalkit.reporting.safe_text import one_line, shorten_middle
from evalkit.reporting.wording import ending_in_words
from evalkit.wording import number, percent, usd

_PERSONA = re.compile(r"You are ([A-Z][\w'’-]{1,20})[,.]")
# by the API's and the engine's kinds of failure: what happened, and what to do about it
_FRIENDLY = {
    "authentication_error": ("The key was refused", "Check ANTHROPIC_API_KEY; /retry asks again"),
    "billing_error": ("The account has no credit left", "Top it up, then /retry"),
    "permission_error": ("The key may not use this model", "/model changes it, /retry asks again"),
    "not_found_error": ("There is no such model at this endpoint", "/model changes it, /retry asks again"),
    "request_too_large": ("The conversation has become too large to send", "/undo takes some back, /clear begins anew"),
    "invalid_request_error": (
        "The API refused the request",
        "/prompt or /model change it, /undo takes the message back",
    ),
    "rate_limit_error": ("Too many requests or tokens for this key just now", "Wait a moment, then /retry"),
    "overloaded_error": ("The model is overloaded just now", "/retry asks again"),
    "api_error": ("The API had a problem of its own", "/retry asks again"),
    "timeout_error": ("No answer came in time", "/retry asks again"),
    "connection_error": ("The connection failed", "Check the network, then /retry"),
    "stalled_stream": ("The reply stopped coming", "/retry asks again"),
    "truncated_stream": ("The reply broke off before its end", "/retry asks again"),
    "malformed_stream": ("What came was no reply of the API", "A proxy in between? /retry asks again"),
    "deadline_exceeded": ("The turn took too long and was given up", "/retry asks again"),
}
_SAYS_WHY = frozenset({"invalid_request_error", "not_found_error"})
LONGEST = 200  # characters of the API's own words

AskLine = Callable[[str], Awaitable[str]]
"""Asks the person for one line; KeyboardInterrupt when they would rather not."""


@dataclass
class Terminal:
    """What a person sees, how they stop a reply, and how they are asked; None where nobody can be."""

    screen: Screen
    interrupts: Interrupts
    ask_line: AskLine | None = None

    async def play(self, events: AsyncGenerator[EngineEvent], view: TurnView) -> None:
        """Show a turn until its end, or until Ctrl-C."""

        async def show() -> None:
            async with aclosing(events):
                async for event in events:
                    view.show(event)

        if not await self.interrupts.run(show()):
            view.stopped()

    async def ask(self, question: str) -> str:
        """Return the answer to a question; KeyboardInterrupt or EOFError when there is none to be had."""
        if self.ask_line is None:
            raise EOFError
        try:
            return await self.ask_line(question)
        finally:
            self.interrupts.arm()  # the line editor has had the signal


class TurnView:
    """Prints the events of one turn of a session; `label` stands before the text of the reply."""

    def __init__(self, screen: Screen, session: Session, label: str = "", *, with_footer: bool = True) -> None:
        self._screen = screen
        self._label = label or speaker_of(session.setting.prompt)
        self._session = session
        self._with_footer = with_footer
        self._speaking = False
        # What a pipe was given can't be taken back when a try fails, or a reply turns out to be void: `held` is of the
        # request under way, `finished` of the one before.
        self._held: list[str] | None = [] if screen.one_shot and not screen.out.isatty() else None
        self._finished: list[str] = []

    def show(self, event: EngineEvent) -> None:
        """Show one event."""
        screen = self._screen
        match event:
            case TextArrived():
                self._text(event.text)
            case ToolStarted():
                self._release()
                self._pause()
                show_call(screen, event.name, event.input)
            case ToolFinished():
                show_result(screen, event.call)
            case RequestFinished():
                if self._held is not None:
                    self._finished, self._held = [*self._finished, *self._held], []
                self._pause()
            case ReplyInvalid(is_asked_again=True):
                self._finished = []
                screen.note(f"  … {one_line(event.reason)}; asked again", "yellow")
            case Retrying():
                self._held = None if self._held is None else []
                again = "; the reply begins again" if self._speaking else ""
                self._pause()
                screen.note(f"  … {waiting(event.failure, event.wait_s)}{again}", "yellow")
            case MemoryFolded():
                screen.note(f"  (older turns became a summary of {len(event.summary)} characters)")
            case TurnFinished():
                self._release()
                self._pause()
                self._end(event.turn)
            case _:
                pass

    def stopped(self) -> None:
        """Say that the person stopped the reply."""
        self._release()
        self._pause()
        self._screen.note("  stopped; what came is kept. /retry asks again, /undo takes it back", "yellow")

    def _release(self) -> None:
        if text := "".join([*self._finished, *(self._held or ())]):
            self._screen.reply(text.lstrip("\n"))
            self._finished = []
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
        """Say what went wrong, or what the turn cost."""
        if turn.failure is not None:
            line = f"  {friendly(turn.failure, turn)}"
            if turn.failure.kind == "no_script":  # no trouble, and long
                self._screen.note(folded(line.strip(), self._screen.columns, joint=" "), "yellow")
            else:
                self._screen.problem(line)
            return
        if not turn.reply.strip():
            self._screen.note("  (the reply is empty. /retry asks again)", "yellow")
        if self._with_footer:
            line = footer(turn, judge_voice(turn, self._session.setting.rules), spent=self._session.spent)
            self._screen.note(folded(line, self._screen.columns))
        elif ending := ending_in_words(turn):
            self._screen.note(f"  ({ending})", "yellow")


def show_call(screen: Screen, name: str, tool_input: JsonObject) -> None:
    """Print a tool call that begins."""
    screen.note(f"  → {call_line(name, tool_input, screen.columns - 5)}", "cyan")


def show_result(screen: Screen, call: ToolCall) -> None:
    """Print a tool call's result."""
    screen.note(f"  ← {result_line(call, screen.columns - 5)}", "yellow" if call.is_error else "dim")


def speaker_of(prompt: PromptVersion) -> str:
    """Return the name that stands before replies: the one the prompt gives the assistant, else the prompt's."""
    found = _PERSONA.search(prompt.text[:2000])
    return found[1] if found else prompt.name


def pretty(text: str) -> str:
    try:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return text


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
    """Return where a result came from, as people say it: what a suite says by file and line, anything else by name."""
    file, _, rest = origin.partition(":")
    if not rest:
        return origin
    return f"from {file.rpartition('/')[2]}:{rest.partition(':')[0]}"


@dataclass(frozen=True)
class Sums:
    """Tokens and dollars of some requests; `cost_usd` None when a price among them is unknown.

    `unmetered` counts replies that were stopped before the API had told their tokens; they cost something all the same.
    """

    usage: Usage
    cost_usd: float | None
    total_ms: float
    unmetered: int = 0

    @property
    def cache_share(self) -> float | None:
        """The share of input that was read from the cache; None without input."""
        whole = self.usage.prompt_tokens
        return self.usage.cache_read_input_tokens / whole if whole else None


def sum_up(requests: Iterable[Request]) -> Sums:
    """Add up requests, the tries that failed included."""
    counts: Counter[str] = Counter()
    cost: float | None = 0.0
    total_ms, unmetered = 0.0, 0
    for request in requests:
        unmetered += request.failure is not None and request.failure.kind == INTERRUPTED
        for usage, dollars in ((request.usage, request.cost_usd), *((a.usage, a.cost_usd) for a in request.attempts)):
            counts.update({name: count for name, count in vars(usage or Usage()).items() if isinstance(count, int)})
            unpriced = dollars is None and usage is not None
            cost = None if cost is None or unpriced else cost + (dollars or 0.0)
        total_ms += request.total_ms or 0.0
    return Sums(replace(Usage(), **dict[str, Any](counts)), cost, total_ms, unmetered)


def footer(turn: Turn, voice: VoiceVerdict | None, *, spent: bool = True) -> str:
    """Return the line below a reply; `spent` False says that the dollars are only what it would cost live."""
    sums = sum_up(turn.requests)
    parts = []
    if sums.total_ms:
        first = turn.first_token_ms
        began = f" (first token {first / 1000:.2f})" if first is not None else ""
        parts.append(f"{sums.total_ms / 1000:.2f} s{began}")
    parts += [tokens(sums.usage), money(sums, spent=spent)]
    if sums.cache_share is not None:
        reason = miss_reason(turn)
        parts.append(f"cache {percent(sums.cache_share)}{f' ({reason})' if reason else ''}")
    parts += [ending] if (ending := ending_in_words(turn)) else []
    parts += [voice_words(voice)] if voice is not None else []
    return "  ".join(parts)


def folded(line: str, width: int, *, joint: str = "  ", indent: str = "  ") -> str:
    """Return a line whose parts stand between joints, broken between parts where the terminal ends.

    The words of a part stay together, as rich's wrapping would not keep them.
    """
    lines = [""]
    for part in line.split(joint):
        longer = f"{lines[-1]}{joint}{part}" if lines[-1] else f"{indent}{part}"
        if lines[-1] and len(longer) > width:
            lines.append(f"{indent}{part}")
        else:
            lines[-1] = longer
    return "\n".join(lines)


def tokens(usage: Usage) -> str:
    """Return the four kinds of tokens, leaving out what is zero."""
    kinds = [
        (usage.input_tokens, ""),
        (usage.cache_read_input_tokens, " cached"),
        (usage.cache_creation_input_tokens, " written"),
    ]
    shown = [f"{number(count)}{name}" for count, name in kinds if count] or ["0"]
    thinking = f" ({number(usage.thinking_tokens)} thinking)" if usage.thinking_tokens else ""
    return f"in {' + '.join(shown)}  out {number(usage.output_tokens)}{thinking}"


def money(sums: Sums, *, spent: bool) -> str:
    """Return dollars; in brackets when nothing was spent on them, "at least" when a stopped reply is among them."""
    if sums.cost_usd is None:
        return "price unknown"
    if sums.unmetered and not sums.usage.prompt_tokens:
        return "cost unknown (stopped)"
    dollars = f"at least {usd(sums.cost_usd)}" if sums.unmetered else usd(sums.cost_usd)
    return dollars if spent else f"({dollars} if live)"


def voice_words(voice: VoiceVerdict, hint: str = " (/why)") -> str:
    """Return the verdict of the voice rules in a word or two; `hint` says where to read more of broken ones."""
    warned = f" ~ {voice.warnings}" if voice.warnings else ""
    mark = f"voice ✗ {voice.errors}" if voice.errors else "voice ✓"
    return f"{mark}{warned}{hint if voice.broken else ''}"


def miss_reason(turn: Turn) -> str:
    """Return why a turn's cache was missed, as the API says it; empty when it says nothing."""
    return next((str(one.cache_miss_reason) for one in turn.requests if one.cache_miss_reason), "")


def friendly(failure: Failure, turn: Turn | None = None) -> str:
    """Return a failure as one line: what happened in a person's words, and what to do.

    Where nobody wrote a reply, the turn has the stand-in's placeholder, which says so and names messages it knows.
    """
    if failure.kind == "no_script":
        blocks = turn.requests[-1].partial if turn and turn.requests else ()
        placeholder = " ".join(str(block["text"]) for block in blocks if block.get("text"))
        return one_line(placeholder or f"{failure.message[:1].upper()}{failure.message[1:]}.")
    if failure.kind == INTERRUPTED:
        return "stopped; what came is kept. /retry asks again" if failure.mid_stream else "stopped before a word came"
    what, then = _FRIENDLY.get(failure.kind, ("No reply came", "/retry asks again"))
    if failure.kind in _SAYS_WHY:
        what = f"{what}: {shorten_middle(one_line(failure.message), LONGEST).rstrip('.')}"
    facts = [failure.kind, str(failure.status) if failure.status and failure.status != 200 else ""]
    facts += [f"request {failure.request_id}" if failure.request_id else ""]
    return f"{what}. {then}.  ({', '.join(fact for fact in facts if fact)})"


def waiting(failure: Failure, wait_s: float) -> str:
    """Return the line for a try that failed and is made again."""
    what, _ = _FRIENDLY.get(failure.kind, ("It failed", ""))
    return f"{what[0].lower()}{what[1:]}; again in {wait_s:.1f} s"
