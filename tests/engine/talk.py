"""Conversations for tests of the memory strategies: made by hand, by hypothesis, or with replies that are made up."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from hypothesis import strategies as st

from evalkit.engine import Ask, RequestEvent, RequestFinished
from evalkit.records import Failure, JsonObject, PromptVersion, Request, Usage

PROMPT = PromptVersion(
    sha="0" * 64,
    ref="p@v1",
    description="",
    model="claude-sonnet-5-5",
    params={"max_tokens": 100, "cache_control": {"type": "ephemeral"}},
    system=({"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}},),
    tools=(),
)


def user(text: str) -> JsonObject:
    """Make a user's message."""
    return {"role": "user", "content": text}


def assistant(*blocks: JsonObject) -> JsonObject:
    """Make an assistant's message."""
    return {"role": "assistant", "content": list(blocks)}


def text(words: str) -> JsonObject:
    """Make a text block."""
    return {"type": "text", "text": words}


def thinking(n: int = 0) -> JsonObject:
    """Make a thinking block."""
    return {"type": "thinking", "thinking": f"thought {n}", "signature": f"sig {n}"}


def called(*ids: str) -> list[JsonObject]:
    """Make the messages of one round of tool calls, with thinking before the calls."""
    calls = [{"type": "tool_use", "id": each, "name": "f", "input": {}} for each in ids]
    results = [{"type": "tool_result", "tool_use_id": each, "content": "ok"} for each in ids]
    return [assistant(thinking(), *calls), {"role": "user", "content": results}]


@st.composite
def turns(draw: st.DrawFn, number: int) -> list[JsonObject]:
    """Draw one whole turn: a user's message, rounds of tool calls, and mostly an answer."""
    size = draw(st.sampled_from([1, 10, 400]))
    messages = [user(f"question {number} " + "x" * size)]
    for round_ in range(draw(st.integers(0, 2))):
        messages += called(*(f"t{number}.{round_}.{call}" for call in range(draw(st.integers(1, 3)))))
    if draw(st.booleans()) or len(messages) > 1:
        blocks = [thinking(number)] if draw(st.booleans()) else []
        messages.append(assistant(*blocks, text(f"answer {number}")))
    return messages


@st.composite
def conversations(draw: st.DrawFn) -> tuple[JsonObject, ...]:
    """Draw a conversation that waits for a reply to its last message."""
    count = draw(st.integers(0, 12))
    before = [message for number in range(count) for message in draw(turns(number))]
    return (*before, user("the new question"))


class MadeUpReplies:
    """Answers each request with `answer N`, a summary with what it is told to, and keeps what was asked.

    Usage is the body's length in characters / 4, so that the engine measures something true.
    """

    def __init__(self, summaries: Sequence[str] = ("the summary",), think: bool = False) -> None:
        self.asked: list[Ask] = []
        self._summaries = list(summaries)
        self._think = think

    @property
    def bodies(self) -> list[Any]:
        """The bodies of the requests for replies."""
        return [ask.body for ask in self.asked if ask.purpose == "reply"]

    async def ask(self, ask: Ask) -> AsyncGenerator[RequestEvent]:
        """Answer a request."""
        self.asked.append(ask)
        yield RequestFinished(self._request(ask))

    def _request(self, ask: Ask) -> Request:
        usage = Usage(input_tokens=sum(len(str(message)) for message in ask.body["messages"]) // 4 + 50)
        common: dict[str, Any] = {"n": ask.n, "turn": ask.turn, "body": ask.body, "purpose": ask.purpose}
        if ask.purpose == "summary":
            words = self._summaries.pop(0) if len(self._summaries) > 1 else self._summaries[0]
            if not words:
                return Request(failure=Failure("overloaded_error", "no", 529), **common)
            return Request(content=(text(words),), stop_reason="end_turn", usage=usage, **common)
        blocks = [thinking(ask.n)] if self._think else []
        content = (*blocks, text(f"answer {ask.n} " + "y" * 200))
        return Request(content=content, stop_reason="end_turn", usage=usage, message_id=f"msg_{ask.n}", **common)
