"""Commands that explain: /why, /tools, /cost."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from evalkit.errors import UsageError
from evalkit.records import Level, Request, Score, TrialVerdict
from evalkit.repl.chat import Chat
from evalkit.repl.session import Session
from evalkit.repl.setting import judge_voice
from evalkit.repl.turn_view import folded, friendly, miss_reason, money, origin_words, sum_up, tokens
from evalkit.wording import duration, percent
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


async def why(chat: Chat, rest: str) -> None:
    """Show what every rule says of the last reply, and what the cache did."""
    if rest:
        raise UsageError("/why takes nothing; it is about the last reply.")
    for session in chat.sessions:
        _name_version(chat, session)
        _show_voice(chat, session)
        _show_cache(chat, session)


def _name_version(chat: Chat, session: Session) -> None:
    """Say whom the next lines are about, where there are two."""
    if chat.versus is not None:
        chat.screen.say(session.setting.prompt.ref, "bold")


def _show_voice(chat: Chat, session: Session) -> None:
    turn, setting, screen = session.last.answer.turn, session.setting, chat.screen
    if turn.failure is not None:
        screen.say(friendly(turn.failure))
        screen.say(f"  {turn.failure.kind}: {turn.failure.message}", "dim")
    elif not setting.rules:
        screen.say("no voice file: a suite of this prompt names one as `voice: voice.yaml`")
    voice = judge_voice(turn, setting.rules)
    if voice is not None:
        for score in voice.scores:
            _show_unkept(chat, score, turn.reply)
        kept = [str(one.assertion.rule) for one in voice.scores if one.finding.verdict is TrialVerdict.PASSED]
        screen.say(folded(f"✓ kept:  {',  '.join(kept) or 'none'}", screen.columns), "dim")


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
            _show_calls(chat, session)
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


def _show_calls(chat: Chat, session: Session) -> None:
    turns = [turn for turn in session.turns() if turn.tool_calls]
    if not turns:
        chat.screen.say("no calls yet")
        return
    chat.screen.say(f"turn {turns[-1].n}: {turns[-1].user}", "dim")
    for call in turns[-1].tool_calls:
        chat.screen.say(f"→ {call.name}", "cyan")
        chat.screen.say(_pretty(orjson.dumps(call.input).decode()))
        error = "error " if call.is_error else ""
        chat.screen.say(f"← {error}after {duration(call.ms)}, {origin_words(call.origin) or 'unknown'}", "cyan")
        chat.screen.say(_pretty(call.output))


def _pretty(text: str) -> str:
    try:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return text


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
