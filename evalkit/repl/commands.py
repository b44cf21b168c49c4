"""What the commands do: go back and forth in the conversation, change who is asked, keep and take up conversations.

`handle` takes a typed line to a command's function, or to the model as a message. What each is called and takes
stands in `command_line`.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import orjson

from evalkit.content import files_in, readable, text_of
from evalkit.errors import EvalkitError, UsageError
from evalkit.records import Level, Request, Score, TrialVerdict
from evalkit.repl.attachments import blocks_with_files, read_attachment
from evalkit.repl.chat import Chat
from evalkit.repl.command_line import help_text, read_command
from evalkit.repl.keyboard import as_message
from evalkit.repl.loading import load_conversation
from evalkit.repl.saving import CaseDraft, save_cases
from evalkit.repl.session import Session
from evalkit.repl.setting import judge_voice
from evalkit.repl.switching import model, prompt, set_input, vs
from evalkit.repl.turn_view import folded, friendly, miss_reason, money, origin_words, pretty, sum_up, tokens
from evalkit.wording import duration, percent, plural
from evalkit.yamlsource import did_you_mean

# the reasons of the API's cache diagnostics, in words
_MISSES = {
    "system_changed": "the system prompt is another one than in the request before",
    "tools_changed": "the tools are other ones than in the request before",
    "model_changed": "another model was asked than in the request before",
    "messages_changed": "earlier messages are not what they were in the request before",
    "unavailable": "the API could not compare it with the request before",
    "previous_message_not_found": "the API no longer knows the request before",
}


async def handle(chat: Chat, text: str) -> None:
    """Do what a line says; mistakes are told in one line and the conversation goes on."""
    line = read_command(text)
    try:
        if line is None:
            if message := as_message(text):
                await chat.send(chat.composed(message))
        elif line.command is None:
            chat.screen.problem(f"  /{line.word} is no command; {line.hint}")
        else:
            await FUNCTIONS[line.command.name](chat, line.rest)
    except EvalkitError as exc:
        chat.screen.problem(f"  {exc}")
    except OSError as exc:  # the disk is full, a folder is not ours: the conversation goes on
        chat.screen.problem(f"  {exc.filename or 'the record'}: {exc.strerror or exc}. Nothing was lost on the screen.")


async def show_help(chat: Chat, _rest: str) -> None:
    """List the commands and keys."""
    chat.screen.say(help_text())


async def leave(chat: Chat, _rest: str) -> None:
    """End the chat."""
    chat.leaving = True


async def undo(chat: Chat, rest: str) -> None:
    """Take back exchanges and put the message on the line again."""
    if rest and not rest.isdecimal():
        raise UsageError(f"/undo takes a number of exchanges, not {rest!r}.")
    count = int(rest or 1)
    taken_back = chat.session.undo(count)
    chat.prefill, chat.attached = text_of(taken_back), list(blocks_with_files(taken_back))
    if chat.versus is not None:
        chat.versus.other.undo(min(count, len(chat.versus.other.exchanges)))
    files = f" With it: {', '.join(map(str, files_in(chat.attached)))}." if chat.attached else ""
    left = len(chat.session.exchanges)
    chat.screen.note(f"  {count} taken back; {left} left. Change the message, or send it again.{files}")


async def retry(chat: Chat, rest: str) -> None:
    """Get another reply to the last message; after /load to the one that is waiting on the line."""
    if rest:
        raise UsageError("/retry takes nothing; /undo lets you change the message.")
    if chat.waiting:
        await chat.send(chat.waiting)
    else:
        await chat.retry()


async def edit(chat: Chat, rest: str) -> None:
    """Write the next message in the editor."""
    if rest:
        raise UsageError("/edit takes nothing; it opens $EDITOR.")
    text = await asyncio.to_thread(_edited, text_of(chat.waiting) or chat.session.taken_back)
    if not text:
        chat.screen.note("  nothing written, nothing sent")
        return
    chat.prefill = text
    chat.screen.note("  Enter sends it")


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


async def clear(chat: Chat, rest: str) -> None:
    """Begin a new conversation."""
    if rest:
        raise UsageError("/clear takes nothing.")
    for session in chat.sessions:
        session.begin_with()
    chat.waiting, chat.attached = "", []
    chat.screen.note(f"  new conversation with {chat.session.setting.prompt.ref}")


async def save(chat: Chat, rest: str) -> None:
    """Add the conversation to a suite as a case and show the lines."""
    words = rest.split()
    session = chat.session
    if len(words) > 2:
        raise UsageError(f"/save {rest}: expected a suite and an id, such as: /save returns late-parcel")
    known = session.setting.suites
    if not words and not known:
        raise UsageError("/save: which suite? Name one, such as: /save regressions (it is begun if there is none)")
    suite = words[0] if words else known[0].path
    origin = f"{session.record.name}#{session.session_id}" if session.session_id else session.origin
    case_id = words[1] if len(words) > 1 else ""
    draft = CaseDraft(session.turns(), session.opening, case_id, origin, session.setting.prompt.inputs)
    added = save_cases(session.setting, [draft], suite)
    for number, line in enumerate(added.text.split("\n"), added.first):
        chat.screen.say(f"{number:5} {line}")
    chat.screen.note(f"{added}. Say what is expected and remove `gate: false`, then: evalkit check {added.file}")


async def load(chat: Chat, rest: str) -> None:
    """Take up a conversation, up to before its last reply."""
    if not rest:
        raise UsageError("/load what? A record (last#CASE, reports/chat/…#1, logs#SESSION), a transcript, SUITE::CASE.")
    start = load_conversation(rest, chat.root)
    if chat.end_versus() is not None:
        chat.screen.note("  /vs is off; it would not know what was said")
    await chat.go_on_from(start)


async def attach(chat: Chat, rest: str) -> None:
    """Add a file to the next message, list those that go with it, or drop them."""
    if rest == "off":
        dropped, chat.attached = len(chat.attached), []
        chat.screen.note(f"  {plural(dropped, 'file')} dropped" if dropped else "  nothing was attached")
        return
    if rest:
        chat.attached.append(read_attachment(rest, chat.root))
    files = files_in(chat.attached)
    if not files:
        raise UsageError("nothing is attached; /attach FILE sends a picture, a PDF or a text with the next message.")
    chat.screen.note(f"  with the next message: {', '.join(map(str, files))}. /attach off drops them")


async def why(chat: Chat, rest: str) -> None:
    """Show what every rule says of the last reply, and what the cache did."""
    if rest:
        raise UsageError("/why takes nothing; it is about the last reply.")
    for session in chat.sessions:
        turn, rules = session.last.answer.turn, session.setting.rules
        _name_version(chat, session)
        if turn.failure is not None:
            chat.screen.say(friendly(turn.failure, turn))
            chat.screen.say(f"  {turn.failure.kind}: {turn.failure.message}", "dim")
        elif not rules:
            chat.screen.say("no voice file: a suite of this prompt names one as `voice: voice.yaml`")
        voice = judge_voice(turn, rules)
        if voice is not None:
            for score in voice.scores:
                _show_unkept(chat, score, turn.reply)
            kept = [str(one.assertion.rule) for one in voice.scores if one.finding.verdict is TrialVerdict.PASSED]
            chat.screen.say(folded(f"✓ kept:  {',  '.join(kept) or 'none'}", chat.screen.columns), "dim")
        _show_cache(chat, session)


def _name_version(chat: Chat, session: Session) -> None:
    """Say whom the next lines are about, where there are two."""
    if chat.versus is not None:
        chat.screen.say(session.setting.prompt.ref, "bold")


def _show_unkept(chat: Chat, score: Score, reply: str) -> None:
    """Show a rule that is broken or could not be measured, with the words that broke it."""
    if score.finding.verdict is TrialVerdict.PASSED:
        return
    if score.finding.verdict is TrialVerdict.NOT_MEASURED:
        chat.screen.say(f"  ? {score.assertion.rule}   {score.finding.note}", "dim")
        return
    found = ", ".join(f'"{reply[span.start : span.end]}"' for span in score.finding.spans[:5])
    marks = {Level.ERROR: ("✗", "red"), Level.WARNING: ("~", "yellow"), Level.SUGGESTION: ("·", "dim")}
    mark, style = marks[score.assertion.level]
    chat.screen.say(f"  {mark} {score.assertion.rule}   {found or score.finding.observed}", style)
    message = str(score.assertion.params.get("message", ""))
    chat.screen.say(f"      {message.replace('%s', '…')}   {score.assertion.place}", "dim")


def _show_cache(chat: Chat, session: Session) -> None:
    turn, prompt = session.last.answer.turn, session.setting.prompt
    for request in turn.requests:
        missed = str(request.cache_miss_reason or "")
        words = f": {missed}, {_MISSES[missed]}" if missed in _MISSES else f": {missed}" if missed else ""
        if request.usage is not None:
            share = percent(sum_up([request]).cache_share)
            chat.screen.say(f"  request {request.n}: {tokens(request.usage)}, {share} of input cached{words}", "dim")
    if not miss_reason(turn) and not any(one.usage and one.usage.cache_read_input_tokens for one in turn.requests):
        marked = any("cache_control" in block for block in prompt.system) or "cache_control" in prompt.params
        reason = "it is the first request with this prompt, or the prompt is shorter than the model's minimum"
        chat.screen.say(
            f"  nothing was read from the cache: {reason if marked else 'the prompt says `cache: off`'}", "dim"
        )


async def tools(chat: Chat, rest: str) -> None:
    """Show the last calls in full, or break the next one of a tool."""
    if not rest:
        for session in chat.sessions:
            turn = next((turn for turn in reversed(session.turns()) if turn.tool_calls), None)
            chat.screen.say(f"turn {turn.n}: {readable(turn.said)}" if turn else "no calls yet", "dim" if turn else "")
            for call in turn.tool_calls if turn else ():
                chat.screen.say(f"→ {call.name}", "cyan")
                chat.screen.say(pretty(orjson.dumps(call.input).decode()))
                error = "error " if call.is_error else ""
                chat.screen.say(f"← {error}after {duration(call.ms)}, {origin_words(call.origin) or 'unknown'}", "cyan")
                chat.screen.say(pretty(call.output))
        return
    words = rest.split()
    names = [str(tool["name"]) for tool in chat.session.setting.prompt.tools]
    known = ", ".join(names) or "none"
    if words[0] != "fail" or len(words) != 2:
        raise UsageError(f"/tools {rest}: expected nothing, or: /tools fail NAME. Tools: {known}.")
    if words[1] not in names:
        raise UsageError(f"no tool named {words[1]!r}{did_you_mean(words[1], names)}; there are: {known}.")
    for session in chat.sessions:
        session.tools.break_next(words[1])
    chat.screen.note(f"  the next call of {words[1]} will fail")


async def cost(chat: Chat, rest: str) -> None:
    """Show tokens, dollars and times per turn and in all."""
    if rest:
        raise UsageError("/cost takes nothing.")
    for session in chat.sessions:
        _name_version(chat, session)
        every: list[Request] = []
        for number, exchange in enumerate(session.exchanges, 1):
            for at, answer in enumerate(exchange.answers, 1):
                every += answer.turn.requests
                again = f" ({at}/{len(exchange.answers)})" if len(exchange.answers) > 1 else ""
                sums = _sums(answer.turn.requests, spent=session.spent)
                chat.screen.say(f"  turn {number}{again}  {answer.prompt.ref}  {sums}")
        chat.screen.say(f"  in all  {_sums(every, spent=session.spent)}", "bold")


def _sums(requests: Sequence[Request], *, spent: bool) -> str:
    sums = sum_up(requests)
    share = f"cache {percent(sums.cache_share)}"
    return "  ".join([tokens(sums.usage), money(sums, spent=spent), share, duration(sums.total_ms)])


FUNCTIONS: Mapping[str, Callable[[Chat, str], Awaitable[None]]] = {
    "help": show_help,
    "prompt": prompt,
    "model": model,
    "set": set_input,
    "vs": vs,
    "undo": undo,
    "retry": retry,
    "edit": edit,
    "attach": attach,
    "clear": clear,
    "why": why,
    "tools": tools,
    "cost": cost,
    "save": save,
    "load": load,
    "exit": leave,
}
