"""What the engine tells while it works. The last event of a turn carries the finished turn."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.records import Failure, JsonObject, Request, ToolCall, Turn


@dataclass(frozen=True)
class ReplyBegan:
    """The first bytes of a reply are here; from now on its prompt prefix can be read from the cache."""

    request_n: int


@dataclass(frozen=True, slots=True)
class TextArrived:
    """A piece of the assistant's text."""

    text: str


@dataclass(frozen=True)
class Retrying:
    """A try failed and another follows after `wait_s` seconds; text that came with it is void."""

    failure: Failure
    wait_s: float


@dataclass(frozen=True)
class RequestFinished:
    """A request is over, with a complete reply or with its failure."""

    request: Request


@dataclass(frozen=True)
class ToolStarted:
    """A tool call begins."""

    id: str
    name: str
    input: JsonObject


@dataclass(frozen=True)
class ToolFinished:
    """A tool call is over."""

    call: ToolCall


@dataclass(frozen=True)
class Conversation:
    """Where a conversation stands between two turns: what is sent again with the next user message.

    `requests` and `turns` count from the session's start; `message_id` is of the last reply. `messages` are what the
    memory strategy left; `characters_per_token` is what the last request was measured at, None before the first.
    """

    messages: tuple[JsonObject, ...] = ()
    turns: int = 0
    requests: int = 0
    message_id: str | None = None
    characters_per_token: float | None = None


@dataclass(frozen=True)
class MemoryFolded:
    """Older turns became a memory block of `summary`; the messages are shorter from here on."""

    summary: str


@dataclass(frozen=True)
class Apology:
    """What to show a person whose turn failed or stayed without a word; no part of the transcript, never graded."""

    text: str


@dataclass(frozen=True)
class TurnFinished:
    """The assistant waits for the user (or failed): the turn, and the conversation to go on from."""

    turn: Turn
    conversation: Conversation


RequestEvent = ReplyBegan | TextArrived | Retrying | RequestFinished
EngineEvent = RequestEvent | ToolStarted | ToolFinished | MemoryFolded | Apology | TurnFinished
