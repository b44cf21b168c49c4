"""What happened in a conversation: blocks, requests, tool calls, turns.

A transcript is the only thing that passes between engine and graders. Frozen values, no behaviour beyond what can be
derived from the fields. Content blocks and messages stay the JSON objects of the Messages API, so that unknown kinds
survive and a request can be sent again byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from typing import Any, Literal

JsonObject = Mapping[str, Any]
"""A JSON object as the Messages API sends or takes it."""

ANSWERS = frozenset({"reply", "repair"})
"""The purposes of requests that answer the user."""


def output_schema(body: JsonObject) -> JsonObject | None:
    """Return the JSON Schema of the reply, by a request's body or a prompt's `params`; None where it is text."""
    asked: JsonObject = (body.get("output_config") or {}).get("format") or {}
    schema: JsonObject | None = asked.get("schema")
    return schema


@dataclass(frozen=True)
class Usage:
    """Tokens of one request, with the API's field names.

    `input_tokens` counts only what follows the last cache breakpoint; the whole prompt is the sum of `input_tokens`,
    both cache writes and `cache_read_input_tokens`. `thinking_tokens` is a part of `output_tokens`.
    """

    input_tokens: int = 0
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    service_tier: str = "standard"

    @property
    def cache_creation_input_tokens(self) -> int:
        """Tokens written to the prompt cache, both lifetimes."""
        return self.ephemeral_5m_input_tokens + self.ephemeral_1h_input_tokens

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the whole prompt: plain, written and read."""
        return self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens

    def as_first(self, lifetime: Literal["5m", "1h"]) -> Usage:
        """Return the usage that an empty cache would have made of the request: what was read would be written."""
        name = "ephemeral_1h_input_tokens" if lifetime == "1h" else "ephemeral_5m_input_tokens"
        return replace(self, cache_read_input_tokens=0, **{name: getattr(self, name) + self.cache_read_input_tokens})


@dataclass(frozen=True)
class Failure:
    """Why a request has no complete reply.

    `kind` is the API's error type (`overloaded_error`, ...) or one of ours: `connection_error`, `timeout_error`,
    `truncated_stream`, `malformed_stream`. `status` is the HTTP status or None when no response came.
    """

    kind: str
    message: str
    status: int | None = None
    mid_stream: bool = False
    request_id: str | None = None


@dataclass(frozen=True)
class Attempt:
    """A try of a request that failed, and how long was waited before the next one."""

    failure: Failure
    waited_ms: float
    usage: Usage | None = None
    cost_usd: float | None = None


@dataclass(frozen=True)
class Request:
    """One API call inside a turn, with its reply.

    `body` is the JSON body as it was sent. `n` counts the requests of the session from 1. Times are of the final
    attempt, in milliseconds; waiting before it is in `waited_ms` only. `content` is empty and `failure` set when no
    complete reply came (`partial` then holds what had arrived). `cost_usd` is None when the model's price is unknown.
    `cost_as_first_usd` is what it would have cost had the cache been empty.
    `purpose` says what the request was for: `reply`; `repair` (the reply before it was not the JSON that was asked for,
    and this one takes its place); or `summary` (the engine folds old turns into a memory block; the user never sees
    that text). `from_cache` says that an earlier run has asked and paid for this very reply; times and
    cost are those of then.
    """

    n: int
    turn: int
    body: JsonObject
    content: tuple[JsonObject, ...] = ()
    stop_reason: str | None = None
    stop_details: JsonObject | None = None
    usage: Usage | None = None
    message_id: str | None = None
    request_id: str | None = None
    cost_usd: float | None = None
    cache_miss_reason: str | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None
    waited_ms: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    failure: Failure | None = None
    partial: tuple[JsonObject, ...] = ()
    purpose: str = "reply"
    from_cache: bool = False
    cost_as_first_usd: float | None = None

    @property
    def output_schema(self) -> JsonObject | None:
        """The JSON Schema that the reply is held to; None where it is text."""
        return output_schema(self.body)


@dataclass(frozen=True)
class ToolCall:
    """One tool call of the assistant with its result; `request_n` is the request whose reply asked for it.

    `origin` says where the result came from, for people: `suites/returns.yaml:31`, `invalid input`, ... `trace` is the
    traceback of a function that broke; the model never reads it.
    """

    id: str
    name: str
    input: JsonObject
    output: str
    is_error: bool
    ms: float
    request_n: int
    origin: str = ""
    trace: str = ""


@dataclass(frozen=True)
class Turn:
    """One user message and everything until the assistant waits for the user.

    `n` counts from 1. A turn without `failure` is complete. `user` is the text of the message; where it held more than
    text, `content` holds its blocks (see `evalkit/content`).
    """

    n: int
    user: str
    requests: tuple[Request, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    content: tuple[JsonObject, ...] = ()

    @property
    def said(self) -> str | tuple[JsonObject, ...]:
        """What the user said: the blocks of the message where it held more than text, else its text."""
        return self.content or self.user

    @property
    def reply(self) -> str:
        """All text of the turn that the user saw, paragraphs apart; spans of scores count in it."""
        return self._reply

    @property
    def replies(self) -> tuple[Request, ...]:
        """The requests that answered the user; the others were the engine's own."""
        return self._replies

    @property
    def spoken(self) -> tuple[Request, ...]:
        """The requests whose text is the reply: all that answered the user but those that a repair replaced."""
        pairs = zip_longest(self._replies, self._replies[1:])
        return tuple(request for request, later in pairs if later is None or later.purpose != "repair")

    # Every grader asks for these two, so they are made once. Underscores keep them out of JSON, where they'd be keys.
    @cached_property
    def _reply(self) -> str:
        texts = (
            str(block["text"])
            for request in self.spoken
            for block in request.content
            if block.get("type") == "text" and block.get("text")
        )
        return "\n\n".join(texts)

    @cached_property
    def _replies(self) -> tuple[Request, ...]:
        return tuple(request for request in self.requests if request.purpose in ANSWERS)

    @property
    def first_token_ms(self) -> float | None:
        """The user's wait for the first token: what the engine asked for itself before, and the first reply's wait."""
        before = 0.0
        for request in self.requests:
            if request.purpose == "reply":
                return None if request.first_token_ms is None else before + request.first_token_ms
            before += request.total_ms or 0.0
        return None

    @property
    def failure(self) -> Failure | None:
        """Why the turn has no complete reply, or None."""
        return self._replies[-1].failure if self._replies else None


@dataclass(frozen=True)
class SideRequest:
    """A paid request beside the conversation: to a judge, or to the model that plays the user.

    `body_sha` is the SHA-256 of the body as it was sent; the body itself can be built again from the conversation.
    `reply` is the text of the reply. Abandoned tries are in `attempts`. `cost_usd` is None when the price is unknown.
    """

    model: str
    body_sha: str = ""
    reply: str = ""
    stop_reason: str | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    request_id: str | None = None
    total_ms: float | None = None
    attempts: tuple[Attempt, ...] = ()
    failure: Failure | None = None
    from_cache: bool = False


@dataclass(frozen=True)
class Judgement:
    """One vote of a judge: whether a criterion holds in a turn's reply, or (turn None) in the whole conversation.

    `exhibit` is the SHA-256 of what the judge was shown, `wording` names the instructions it was given. `answer` is
    None when its reply could not be read; `reason` then says why. `vote` counts from 1.
    """

    criterion: str
    turn: int | None
    model: str
    wording: str
    exhibit: str
    vote: int
    answer: Literal["yes", "no"] | None
    request: SideRequest
    quote: str = ""
    reason: str = ""


@dataclass(frozen=True)
class SimulatedMessage:
    """What a model that plays the user said before turn `turn`; nothing when it ended the conversation instead."""

    turn: int
    text: str
    request: SideRequest
    ended: Literal["", "goal", "stop", "failed"] = ""


@dataclass(frozen=True)
class Transcript:
    """A whole conversation: the messages it started from, then its turns.

    `prompt_sha` names the prompt version that was sent; `history` holds Messages API messages. `simulated` tells of the
    model that played the user, `judgements` what judges have answered about the conversation. `inputs` are those that
    the system prompt was rendered with, the last ones where they changed on the way.
    """

    session_id: str
    prompt_sha: str
    turns: tuple[Turn, ...] = ()
    history: tuple[JsonObject, ...] = ()
    system_text: str = ""
    simulated: tuple[SimulatedMessage, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    inputs: JsonObject = field(default_factory=dict)

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request of the conversation, in order."""
        return tuple(request for turn in self.turns for request in turn.requests)

    @property
    def failure(self) -> Failure | None:
        """Why the conversation is incomplete, or None."""
        return next((turn.failure for turn in self.turns if turn.failure), None)
