"""How a turn reads in one line: times, tokens, dollars, cache, voice; and a failure in words for a person.

Pure text from values. What is unknown is called unknown, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evalkit.records import Failure, Request, Turn, Usage
from evalkit.repl.exchange import INTERRUPTED
from evalkit.repl.voice import VoiceVerdict
from evalkit.reporting.safe_text import one_line, shorten_middle
from evalkit.wording import number, percent, usd

_FRIENDLY = {
    "authentication_error": "The key was refused. Check ANTHROPIC_API_KEY; /retry asks again",
    "billing_error": "The account has no credit left. Top it up, then /retry",
    "permission_error": "The key may not use this model. /model changes it, /retry asks again",
    "not_found_error": "There is no such model at this endpoint. /model changes it, /retry asks again",
    "request_too_large": "The conversation has become too large to send. /undo takes some back, /clear begins anew",
    "invalid_request_error": "The API refused the request. /prompt or /model change it, /undo takes the message back",
    "rate_limit_error": "Too many requests or tokens for this key just now. Wait a moment, then /retry",
    "overloaded_error": "The model is overloaded just now. /retry asks again",
    "api_error": "The API had a problem of its own. /retry asks again",
    "timeout_error": "No answer came in time. /retry asks again",
    "connection_error": "The connection failed. Check the network, then /retry",
    "stalled_stream": "The reply stopped coming. /retry asks again",
    "truncated_stream": "The reply broke off before its end. /retry asks again",
    "malformed_stream": "What came was no reply of the API. A proxy in between? /retry asks again",
    "deadline_exceeded": "The turn took too long and was given up. /retry asks again",
}
_SAYS_WHY = frozenset({"invalid_request_error", "not_found_error"})
LONGEST = 200  # characters of the API's own words
_STOPS = {
    "max_tokens": "cut off: max_tokens reached",
    "refusal": "the model refused",
    "model_context_window_exceeded": "cut off: the context window is full",
}


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
    uses = Usage()
    cost: float | None = 0.0
    total_ms, unmetered = 0.0, 0
    for request in requests:
        unmetered += request.failure is not None and request.failure.kind == INTERRUPTED
        for usage, dollars in ((request.usage, request.cost_usd), *((a.usage, a.cost_usd) for a in request.attempts)):
            uses = _add(uses, usage) if usage else uses
            unpriced = dollars is None and usage is not None
            cost = None if cost is None or unpriced else cost + (dollars or 0.0)
        total_ms += request.total_ms or 0.0
    return Sums(uses, cost, total_ms, unmetered)


def footer(turn: Turn, voice: VoiceVerdict | None, *, spent: bool = True) -> str:
    """Return the line below a reply; `spent` False says that the dollars are only what it would cost live."""
    sums = sum_up(turn.requests)
    parts = [_times(turn, sums), tokens(sums.usage), money(sums, spent=spent), _cache(turn, sums)]
    stop = turn.requests[-1].stop_reason if turn.requests else None
    parts += [_STOPS[stop]] if stop in _STOPS else []
    parts += [voice_words(voice)] if voice is not None else []
    return "  ".join(part for part in parts if part)


def folded(line: str, width: int, indent: str = "  ") -> str:
    """Return a line of parts with two spaces between them, broken between parts where the terminal ends."""
    lines = [""]
    for part in line.split("  "):
        longer = f"{lines[-1]}  {part}" if lines[-1] else f"{indent}{part}"
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


def voice_words(voice: VoiceVerdict) -> str:
    """Return the verdict of the voice rules in a word or two."""
    warned = f" ~ {voice.warnings}" if voice.warnings else ""
    mark = f"voice ✗ {voice.errors}" if voice.errors else "voice ✓"
    return f"{mark}{warned}{' (/why)' if voice.broken else ''}"


def friendly(failure: Failure) -> str:
    """Return a failure as one line: what happened in a person's words, and what to do."""
    if failure.kind == INTERRUPTED:
        return "stopped; what came is kept. /retry asks again" if failure.mid_stream else "stopped before a word came"
    words = _FRIENDLY.get(failure.kind, "No reply came. /retry asks again")
    if failure.kind in _SAYS_WHY:
        what, _, then = words.partition(". ")
        words = f"{what}: {shorten_middle(one_line(failure.message), LONGEST).rstrip('.')}. {then}"
    facts = [failure.kind, str(failure.status) if failure.status and failure.status != 200 else ""]
    facts += [f"request {failure.request_id}" if failure.request_id else ""]
    return f"{words}.  ({', '.join(fact for fact in facts if fact)})"


def waiting(failure: Failure, wait_s: float) -> str:
    """Return the line for a try that failed and is made again."""
    what = _FRIENDLY.get(failure.kind, "It failed.").partition(". ")[0]
    return f"{what[0].lower()}{what[1:]}; again in {wait_s:.1f} s"


def miss_reason(turn: Turn) -> str:
    """Return why a turn's cache was missed, as the API says it; empty when it says nothing."""
    return next((str(one.cache_miss_reason) for one in turn.requests if one.cache_miss_reason), "")


def _times(turn: Turn, sums: Sums) -> str:
    if not sums.total_ms:
        return ""
    first = turn.first_token_ms
    began = f" (first token {first / 1000:.2f})" if first is not None else ""
    return f"{sums.total_ms / 1000:.2f} s{began}"


def _cache(turn: Turn, sums: Sums) -> str:
    share = sums.cache_share
    if share is None:
        return ""
    reason = miss_reason(turn)
    return f"cache {percent(share)}{f' ({reason})' if reason else ''}"


def _add(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.input_tokens + other.input_tokens,
        one.ephemeral_5m_input_tokens + other.ephemeral_5m_input_tokens,
        one.ephemeral_1h_input_tokens + other.ephemeral_1h_input_tokens,
        one.cache_read_input_tokens + other.cache_read_input_tokens,
        one.output_tokens + other.output_tokens,
        one.thinking_tokens + other.thinking_tokens,
    )
