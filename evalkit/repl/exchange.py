"""The conversation as a person sees it: messages with their replies, and where each stood. Values, no behaviour.

An exchange keeps what was before it, so that it can be taken back, and every reply that the message ever got.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalkit.engine import Conversation
from evalkit.records import JsonObject, PromptVersion, Transcript, Turn

INTERRUPTED = "interrupted"
"""The kind of failure of a reply that a person stopped."""


@dataclass(frozen=True)
class Answer:
    """One reply to a message: its turn, where the conversation stands after it, and who was asked."""

    turn: Turn
    after: Conversation
    prompt: PromptVersion


@dataclass(frozen=True)
class Exchange:
    """One message of the person with its answers; the last one counts."""

    user: str
    before: Conversation
    answers: tuple[Answer, ...]

    @property
    def answer(self) -> Answer:
        """The answer that counts."""
        return self.answers[-1]

    def with_answer(self, answer: Answer) -> Exchange:
        """Return the exchange with one more answer."""
        return replace(self, answers=(*self.answers, answer))


def fresh(conversation: Conversation) -> Conversation:
    """Return the same messages as the beginning of a session of the record: turns and requests count from 1 again."""
    return replace(conversation, turns=0, requests=0)


def said_before(turn: Turn) -> tuple[JsonObject, ...] | None:
    """Return the messages that stood before a turn's user message, as they were sent; None when nothing was sent."""
    replies = turn.replies
    if not replies:
        return None
    messages = [message for message in replies[0].body.get("messages", ()) if message.get("role") != "system"]
    return tuple(messages[:-1])


def said_after(turn: Turn) -> tuple[JsonObject, ...]:
    """Return the messages that stand after a turn: what its last request sent, and what was answered."""
    if not turn.replies:
        return ({"role": "user", "content": turn.user},)
    last = turn.replies[-1]
    sent = [message for message in last.body.get("messages", ()) if message.get("role") != "system"]
    content = [block for block in last.content or last.partial if block.get("type") == "text" and block.get("text")]
    if last.content and last.stop_reason not in {"refusal", "max_tokens"}:
        content = [block for block in last.content if block.get("type") != "tool_use"]
    return (*sent, {"role": "assistant", "content": content}) if content else tuple(sent)


def exchanges_of(transcript: Transcript, prompt: PromptVersion) -> tuple[Exchange, ...]:
    """Return the turns of a recorded conversation as exchanges that can be gone on from."""
    made: list[Exchange] = []
    known: Sequence[JsonObject] = transcript.history
    for turn in transcript.turns:
        before = said_before(turn)
        start = Conversation(messages=tuple(known) if before is None else before)
        known = said_after(turn) if turn.replies else (*start.messages, *said_after(turn))
        message_id = turn.replies[-1].message_id if turn.replies else None
        after = Conversation(tuple(known), turn.n, sum(len(one.answer.turn.requests) for one in made), message_id)
        made.append(Exchange(turn.user, start, (Answer(turn, after, prompt),)))
    return tuple(made)
