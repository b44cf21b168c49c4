"""The faults by name: what each one is and where in a response it strikes. The one place to add a fault.

A fault answers with an error, edits the reply, edits the events of a stream, breaks the wire, or puts another body
in place. Which fault strikes a request: the one that a script step or a header names, or one drawn at seeded rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import blake2b
from typing import Literal

from evalkit.standin.errors import ErrorAnswer
from evalkit.standin.faults import replies, wire
from evalkit.standin.faults.replies import EventsEdit, ReplyEdit
from evalkit.standin.faults.wire import Wire

Body = Literal["html", "empty", "json"]


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong. Without streaming `plain_error` stands for it; `streams_only` ones do nothing."""

    name: str
    what: str
    error: ErrorAnswer | None = None
    retry_after: bool = False
    reply: ReplyEdit | None = None
    events: EventsEdit | None = None
    wire: Wire | None = None
    body: Body | None = None
    plain_error: ErrorAnswer | None = None
    streams_only: bool = False

    def error_for(self, *, streams: bool) -> ErrorAnswer | None:
        """Return the error that the fault answers with; None where it strikes elsewhere."""
        return self.error or (None if streams else self.plain_error)

    @property
    def gives_a_reply(self) -> bool:
        """Tell whether the client ends up with a complete message, so that the conversation goes on."""
        changes_the_reply_only = self.reply is not None and self.events is None
        return changes_the_reply_only or self.wire in _HARMLESS


_HARMLESS = frozenset({wire.slow_first_byte, wire.slow_loris, wire.split_utf8, wire.unknown_events})
_OVERLOADED = ErrorAnswer(529, "Overloaded")
_SPEND = {"error_code": "enforced_spend_limit_reached"}
_RATE = "This request would exceed your organization's rate limit of 50 requests per minute."
_ALL = (
    # answered with an error
    Fault("overloaded", "529 before any event", error=_OVERLOADED),
    Fault("rate_limited", "429 with retry-after", error=ErrorAnswer(429, _RATE), retry_after=True),
    Fault(
        "ramp_limited",
        "429 for too sudden a rise, with retry-after",
        error=ErrorAnswer(429, "Usage rose too fast.", {"error_code": "ramp_limit_exceeded"}),
        retry_after=True,
    ),
    Fault(
        "spend_limit",
        "429 without retry-after: waiting won't help",
        error=ErrorAnswer(429, "Your organization has reached its spend limit.", _SPEND),
    ),
    Fault("server_error", "500", error=ErrorAnswer(500, "Internal server error")),
    Fault("unavailable", "503", error=ErrorAnswer(503, "Service unavailable")),
    Fault("timeout_504", "504", error=ErrorAnswer(504, "Request timed out")),
    Fault("bad_request", "400", error=ErrorAnswer(400, "messages: the stand-in was told to refuse this request")),
    Fault("unauthorized", "401", error=ErrorAnswer(401, "invalid x-api-key")),
    Fault("billing", "402", error=ErrorAnswer(402, "Your credit balance is too low to access the Anthropic API.")),
    Fault("forbidden", "403", error=ErrorAnswer(403, "Your API key does not have permission to use this model.")),
    Fault("model_not_found", "404", error=ErrorAnswer(404, "model: claude-standin-missing")),
    Fault("conflict", "409", error=ErrorAnswer(409, "The resource was changed at the same time.")),
    Fault("too_large", "413", error=ErrorAnswer(413, "Request exceeds the maximum size")),
    # a stream that goes wrong
    Fault(
        "overloaded_mid_stream",
        "error event behind the first deltas",
        events=replies.overloaded_mid_stream,
        plain_error=_OVERLOADED,
    ),
    Fault(
        "error_first_event",
        "error event instead of message_start",
        events=replies.error_first_event,
        plain_error=_OVERLOADED,
    ),
    Fault(
        "error_after_stop", "error event behind message_stop", events=replies.error_after_stop, plain_error=_OVERLOADED
    ),
    Fault("bad_tool_json", "tool input that is not JSON", reply=replies.with_tool_call, events=replies.bad_tool_json),
    Fault("malformed_json", "one event whose data is not JSON", wire=wire.malformed_json),
    Fault("unknown_events", "comments and new events in between", wire=wire.unknown_events, streams_only=True),
    Fault("truncated", "clean end before message_stop", wire=wire.truncated),
    Fault("dropped", "connection closed inside a chunk", wire=wire.dropped),
    Fault("reset_before_headers", "connection reset before the status line", wire=wire.reset_before_headers),
    Fault("no_answer", "silence before the headers", wire=wire.no_answer),
    Fault("stall", "silence in the middle of the response", wire=wire.stall),
    Fault("slow_first_byte", "a long wait for the headers", wire=wire.slow_first_byte),
    Fault("slow_loris", "tiny pieces with pauses", wire=wire.slow_loris),
    Fault("split_utf8", "chunks cut inside characters", wire=wire.split_utf8),
    Fault("html_200", "200 with a proxy's HTML page", body="html"),
    Fault("empty_200", "200 without a body", body="empty"),
    Fault(
        "json_200_when_streaming",
        "200 with a JSON message although a stream was asked for",
        body="json",
        streams_only=True,
    ),
    # a reply that ends differently
    Fault("refusal", "stop_reason refusal", reply=replies.refusal),
    Fault("refusal_mid_tool", "stop_reason refusal with a tool call in the content", reply=replies.refusal_mid_tool),
    Fault("max_tokens_mid_tool", "tokens used up inside a tool call", reply=replies.max_tokens_mid_tool),
    Fault("context_exceeded", "context window used up inside the text", reply=replies.context_exceeded),
    Fault("pause_turn", "stop_reason pause_turn", reply=replies.pause_turn),
    Fault("empty_end_turn", "end_turn without content", reply=replies.empty_end_turn),
)

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _ALL}


@dataclass(frozen=True)
class FaultRates:
    """How often each fault strikes; the draw depends on nothing but seed, request bytes, trial and attempt.

    Raises ValueError for an unknown name, a rate outside 0 to 1, or rates that sum to more than 1.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        for name, rate in self.rates.items():
            find_fault(name)
            if not 0 <= rate <= 1:
                raise ValueError(f"faults: rate of {name!r} is {rate}; expected 0 to 1.")
        if sum(self.rates.values()) > 1 + 1e-9:
            raise ValueError(f"faults: the rates sum to {sum(self.rates.values()):g}; expected at most 1.")

    def draw(self, raw: bytes, trial: int, attempt: int) -> Fault | None:
        """Return the fault for one attempt of one request, or None."""
        if not self.rates:
            return None
        digest = blake2b(raw, digest_size=8, salt=b"%d" % (self.seed % 10**15), person=b"%d.%d" % (trial, attempt))
        point = int.from_bytes(digest.digest(), "big") / 2**64
        for name, rate in self.rates.items():
            if point < rate:
                return FAULTS[name]
            point -= rate
        return None


def find_fault(name: str) -> Fault:
    """Return a fault by name; raises ValueError that names the nearest one."""
    fault = FAULTS.get(name)
    if fault is None:
        near = get_close_matches(name, FAULTS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(FAULTS)}."
        raise ValueError(f"faults: unknown fault {name!r}; {hint}")
    return fault
