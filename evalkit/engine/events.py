"""What the engine tells while it works. The last event of a turn carries the finished turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalkit.records import Failure, JsonObject, Request, ToolCall, Turn
from evalkit.structured import NoValue, Value


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
    memory strategy left, and `notes` what it keeps of the rest behind the system prompt. `characters_per_token` is what
    the last request was measured at, None before the first. `prompt_sha` names the version that they were made with;
    with another one, or with a version that is not known, the model's thinking in them is not sent again.
    """

    messages: tuple[JsonObject, ...] = ()
    turns: int = 0
    requests: int = 0
    message_id: str | None = None
    characters_per_token: float | None = None
    notes: str = ""
    prompt_sha: str = ""


@dataclass(frozen=True)
class MemoryFolded:
    """Older turns became a memory block of `summary`; the messages are shorter from here on."""

    summary: str


@dataclass(frozen=True)
class ReplyCutOff:
    """The reply ends in the middle, because its tokens or the model's window are used up; calls in it are not run.

    `stop_reason` is the API's: `max_tokens` or `model_context_window_exceeded`.
    """

    stop_reason: str


@dataclass(frozen=True)
class ReplyRefused:
    """The model refused to answer, or to go on; the API's category and explanation, empty where it gives none."""

    category: str
    explanation: str


@dataclass(frozen=True)
class ReplyInvalid:
    """The reply is not the JSON that was asked for; `reason` is a sentence for people.

    With `is_asked_again` it is void, like text before Retrying, and the model is told to say it properly, once.
    """

    reason: str
    is_asked_again: bool


@dataclass(frozen=True)
class Apology:
    """What to show a person whose turn has no reply that can be used; no part of the transcript, never graded."""

    text: str


@dataclass(frozen=True)
class TurnFinished:
    """The assistant waits for the user (or failed): the turn, and the conversation to go on from.

    `read` is what came of a reply that had to be JSON of a schema, None where it is text; `value` is its value, if any.
    """

    turn: Turn
    conversation: Conversation
    read: Value | NoValue | None = None

    @property
    def value(self) -> Any:
        """The value of the reply; None where it is text, and where no value came."""
        return self.read.value if isinstance(self.read, Value) else None


RequestEvent = ReplyBegan | TextArrived | Retrying | RequestFinished
EngineEvent = (
    RequestEvent
    | ToolStarted
    | ToolFinished
    | MemoryFolded
    | ReplyCutOff
    | ReplyRefused
    | ReplyInvalid
    | Apology
    | TurnFinished
)
