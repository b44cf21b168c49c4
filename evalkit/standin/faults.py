"""What goes wrong on purpose: each fault by name, what it does, and which one strikes a request. Add a fault here.

A fault answers with an error, edits the reply, edits the events of a stream, breaks the wire, or puts another body
in place. On the wire, frames are opaque bytes (one SSE event each, or pieces of a JSON body) and become steps, which
`wire.py` carries out. A fault strikes where a case's step or a header names it, or is drawn at seeded rates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from hashlib import blake2b
from itertools import pairwise
from typing import Literal

from evalkit.standin.errors import ErrorAnswer
from evalkit.standin.reply import JsonObject, Reply

LORIS_BYTES = 16


@dataclass(frozen=True)
class Send:
    """Send bytes; the first one also sends the headers."""

    data: bytes


@dataclass(frozen=True)
class Wait:
    """Be silent for this share of the server's `slow_s`."""

    share: float


@dataclass(frozen=True)
class Stall:
    """Be silent until the client leaves, or the server's `stall_s` is over."""


@dataclass(frozen=True)
class Drop:
    """Close the connection in the middle of a chunk that promises these bytes."""

    promised: bytes


@dataclass(frozen=True)
class Reset:
    """Reset the connection at once."""


Step = Send | Wait | Stall | Drop | Reset
Wire = Callable[[Sequence[bytes]], list[Step]]


def healthy(frames: Sequence[bytes]) -> list[Step]:
    """Send every frame."""
    return [Send(frame) for frame in frames]


def truncated(frames: Sequence[bytes]) -> list[Step]:
    """End cleanly before the last events."""
    return healthy(frames[: _middle(frames)])


def dropped(frames: Sequence[bytes]) -> list[Step]:
    """Close the connection in the middle of a chunk."""
    middle = _middle(frames)
    return [*healthy(frames[:middle]), Drop(frames[middle])]


def reset_before_headers(_frames: Sequence[bytes]) -> list[Step]:
    """Reset the connection before the status line."""
    return [Reset()]


def no_answer(_frames: Sequence[bytes]) -> list[Step]:
    """Send nothing, not even headers."""
    return [Stall()]


def stall(frames: Sequence[bytes]) -> list[Step]:
    """Fall silent in the middle of the response."""
    return [*healthy(frames[: _middle(frames)]), Stall()]


def slow_first_byte(frames: Sequence[bytes]) -> list[Step]:
    """Let the client wait for the headers."""
    return [Wait(1.0), *healthy(frames)]


def slow_loris(frames: Sequence[bytes]) -> list[Step]:
    """Send the response in tiny pieces with a pause before each."""
    data = b"".join(frames)
    pieces = [data[start : start + LORIS_BYTES] for start in range(0, len(data), LORIS_BYTES)]
    return [step for piece in pieces for step in (Wait(1.0 / len(pieces)), Send(piece))]


def split_utf8(frames: Sequence[bytes]) -> list[Step]:
    """Cut the response inside every character that takes more than one byte, and before every line end."""
    data = b"".join(frames)
    cuts = [at for at in range(1, len(data)) if data[at] & 0xC0 == 0x80 or data[at] == 0x0A]
    edges = [0, *cuts, len(data)]
    return [Send(data[start:end]) for start, end in pairwise(edges) if end > start]


def malformed_json(frames: Sequence[bytes]) -> list[Step]:
    """Break the JSON of one frame in the middle of the response; the others are whole."""
    middle = _middle(frames)
    whole = frames[middle].rstrip(b"\n")
    ending = frames[middle][len(whole) :]
    broken = whole[: max(1, len(whole) - 8)] + b"\x00"  # a control character is no JSON, inside a string or outside
    return healthy([*frames[:middle], broken + ending, *frames[middle + 1 :]])


def unknown_events(frames: Sequence[bytes]) -> list[Step]:
    """Mix in what a client must ignore: a comment, an event type it can't know, another ping."""
    extra = (
        b": keepalive\n\n",
        b'event: standin_novelty\ndata: {"type":"standin_novelty","value":1}\n\n',
        b'event: ping\ndata: {"type":"ping"}\n\n',
    )
    return healthy([frames[0], *extra, *frames[1:]])


def _middle(frames: Sequence[bytes]) -> int:
    """Return a frame that lies inside the content: behind the first deltas, before the closing events."""
    return max(0, min(len(frames) // 2 + 1, len(frames) - 4)) if len(frames) > 4 else len(frames) // 2


ReplyEdit = Callable[[Reply, JsonObject], Reply]
EventsEdit = Callable[[list[JsonObject]], list[JsonObject]]
OVERLOADED_EVENT: JsonObject = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
BROKEN_INPUT = '{"standin": tru3}'


def refusal(reply: Reply, _request: JsonObject) -> Reply:
    """Refuse after the first half of the text."""
    return _refused(_half_of(reply))


def refusal_mid_tool(reply: Reply, request: JsonObject) -> Reply:
    """Refuse although a tool call is already part of the reply; it must not be run."""
    return _refused(with_tool_call(reply, request).content)


def _refused(content: tuple[JsonObject, ...]) -> Reply:
    explanation = "The stand-in was told to refuse."
    details = {"type": "refusal", "category": "general_harms", "explanation": explanation}
    return Reply(content, "refusal", details)


def max_tokens_mid_tool(reply: Reply, request: JsonObject) -> Reply:
    """Run out of tokens inside the JSON of a tool call, or inside the text where the request has no tools."""
    called = with_tool_call(reply, request)
    if called.stop_reason == "tool_use":
        return replace(called, stop_reason="max_tokens", cut_input_after=8)
    return Reply(_half_of(reply), "max_tokens")


def context_exceeded(reply: Reply, _request: JsonObject) -> Reply:
    """Run out of the model's context window inside the text."""
    return Reply(_half_of(reply), "model_context_window_exceeded")


def pause_turn(reply: Reply, _request: JsonObject) -> Reply:
    """Pause in the middle of a server-side tool; the client sends the content back to go on."""
    texts = tuple(block for block in reply.content if block["type"] == "text")
    search = {
        "type": "server_tool_use",
        "name": "web_search",
        "input": {"query": "stand-in"},
        "caller": {"type": "direct"},
    }
    return Reply((*texts, search), "pause_turn")


def empty_end_turn(_reply: Reply, _request: JsonObject) -> Reply:
    """End the turn without saying anything."""
    return Reply((), "end_turn")


def with_tool_call(reply: Reply, request: JsonObject) -> Reply:
    """Return the reply up to its first tool call, or with a call of the request's first tool added if it has none."""
    for index, block in enumerate(reply.content):
        if block["type"] == "tool_use":
            return Reply(reply.content[: index + 1], "tool_use")
    tool = next((each for each in request.get("tools") or () if "input_schema" in each), None)
    if tool is None:
        return reply
    properties = tool["input_schema"].get("properties") or {"standin": {}}
    call = {"type": "tool_use", "name": tool["name"], "input": dict.fromkeys(properties, "stand-in")}
    return Reply((*reply.content, call), "tool_use")


def overloaded_mid_stream(events: list[JsonObject]) -> list[JsonObject]:
    """Break off with an error event behind the first deltas."""
    deltas = [index for index, event in enumerate(events) if event["type"] == "content_block_delta"]
    return [*events[: deltas[:3][-1] + 1 if deltas else 1], OVERLOADED_EVENT]


def error_first_event(_events: list[JsonObject]) -> list[JsonObject]:
    """Send nothing but an error event."""
    return [OVERLOADED_EVENT]


def error_after_stop(events: list[JsonObject]) -> list[JsonObject]:
    """Send an error event behind a complete message."""
    return [*events, OVERLOADED_EVENT]


def bad_tool_json(events: list[JsonObject]) -> list[JsonObject]:
    """Replace the input of every tool call by something that is not JSON."""
    edited: list[JsonObject] = []
    for event in events:
        delta = event.get("delta", {})
        if delta.get("type") != "input_json_delta":
            edited.append(event)
        elif delta["partial_json"] == "" or edited[-1]["type"] == "content_block_start":
            edited.append({**event, "delta": {**delta, "partial_json": BROKEN_INPUT}})
    return edited


def _half_of(reply: Reply) -> tuple[JsonObject, ...]:
    """Return the first half of the reply's first text."""
    texts = [block for block in reply.content if block["type"] == "text"][:1]
    return tuple({**block, "text": block["text"][: (len(block["text"]) + 1) // 2]} for block in texts)


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


_HARMLESS = frozenset({slow_first_byte, slow_loris, split_utf8, unknown_events})
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
        events=overloaded_mid_stream,
        plain_error=_OVERLOADED,
    ),
    Fault(
        "error_first_event",
        "error event instead of message_start",
        events=error_first_event,
        plain_error=_OVERLOADED,
    ),
    Fault("error_after_stop", "error event behind message_stop", events=error_after_stop, plain_error=_OVERLOADED),
    Fault("bad_tool_json", "tool input that is not JSON", reply=with_tool_call, events=bad_tool_json),
    Fault("malformed_json", "one event whose data is not JSON", wire=malformed_json),
    Fault("unknown_events", "comments and new events in between", wire=unknown_events, streams_only=True),
    Fault("truncated", "clean end before message_stop", wire=truncated),
    Fault("dropped", "connection closed inside a chunk", wire=dropped),
    Fault("reset_before_headers", "connection reset before the status line", wire=reset_before_headers),
    Fault("no_answer", "silence before the headers", wire=no_answer),
    Fault("stall", "silence in the middle of the response", wire=stall),
    Fault("slow_first_byte", "a long wait for the headers", wire=slow_first_byte),
    Fault("slow_loris", "tiny pieces with pauses", wire=slow_loris),
    Fault("split_utf8", "chunks cut inside characters", wire=split_utf8),
    Fault("html_200", "200 with a proxy's HTML page", body="html"),
    Fault("empty_200", "200 without a body", body="empty"),
    Fault(
        "json_200_when_streaming",
        "200 with a JSON message although a stream was asked for",
        body="json",
        streams_only=True,
    ),
    # a reply that ends differently
    Fault("refusal", "stop_reason refusal", reply=refusal),
    Fault("refusal_mid_tool", "stop_reason refusal with a tool call in the content", reply=refusal_mid_tool),
    Fault("max_tokens_mid_tool", "tokens used up inside a tool call", reply=max_tokens_mid_tool),
    Fault("context_exceeded", "context window used up inside the text", reply=context_exceeded),
    Fault("pause_turn", "stop_reason pause_turn", reply=pause_turn),
    Fault("empty_end_turn", "end_turn without content", reply=empty_end_turn),
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
