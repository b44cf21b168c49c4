"""A recorded conversation as a transcript and as the lines of a session. Knows the Messages API's content blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.importing.chat_format import Conversation, Message
from evalkit.records import (
    JsonObject,
    PromptVersion,
    Request,
    RunLine,
    ScoreLine,
    ToolCall,
    Transcript,
    TrialEnd,
    TrialKey,
    TrialScore,
    TrialVerdict,
    Turn,
)
from evalkit.store import trial_lines

NOT_GRADED = TrialScore(TrialVerdict.NOT_MEASURED, reason="imported, not graded yet: evalkit run SUITE --via THIS_RUN")
NO_RESULT = "no result recorded"


@dataclass
class _OpenTurn:
    """A turn while its messages are read."""

    n: int
    user: str
    requests: list[Request] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)


def to_transcript(conversation: Conversation, prompt: PromptVersion) -> Transcript:
    """Return the conversation as turns, requests and tool calls.

    Each assistant message is one request; several in a row belong to the same turn, and so do several user messages in
    a row. What the assistant says before the first user message is history. A system prompt that is not the prompt
    version's own is kept as the first message of the history. Times, usage and cost were not recorded.
    """
    return _Builder(conversation, prompt).build()


def session_lines(key: TrialKey, transcript: Transcript, ts: str) -> Iterator[RunLine]:
    """Yield the lines that record the transcript as a finished trial that was not graded."""
    yield from trial_lines(key, transcript.session_id, transcript, ts)
    yield TrialEnd(transcript.session_id)
    yield ScoreLine(transcript.session_id, NOT_GRADED)


class _Builder:
    """Goes through the messages once and gathers turns."""

    def __init__(self, conversation: Conversation, prompt: PromptVersion) -> None:
        self._conversation = conversation
        self._prompt = prompt
        self._messages: list[JsonObject] = []
        self._turns: list[_OpenTurn] = []
        self._history: tuple[JsonObject, ...] = ()
        self._requests = 0
        if conversation.system and conversation.system != prompt.text:
            self._messages.append({"role": "system", "content": conversation.system})

    def build(self) -> Transcript:
        for message in self._conversation.messages:
            self._take(message)
        if not self._turns:
            self._history = tuple(self._messages)
        turns = tuple(Turn(turn.n, turn.user, tuple(turn.requests), tuple(turn.calls)) for turn in self._turns)
        sha, text = self._prompt.sha, self._conversation.system
        return Transcript(self._conversation.id, sha, turns, self._history, text)

    def _take(self, message: Message) -> None:
        match message.role:
            case "user":
                self._take_user(message)
            case "assistant":
                self._take_assistant(message)
            case "tool":
                self._take_result(message)
            case "system":
                self._messages.append({"role": "system", "content": message.text})

    def _take_user(self, message: Message) -> None:
        if not self._turns:
            self._history = tuple(self._messages)
        if self._turns and not self._turns[-1].requests:
            turn = self._turns[-1]
            turn.user = "\n\n".join(text for text in (turn.user, message.text) if text)
        else:
            self._turns.append(_OpenTurn(len(self._turns) + 1, message.text))
        self._messages.append({"role": "user", "content": message.text})

    def _take_assistant(self, message: Message) -> None:
        blocks: list[JsonObject] = [{"type": "text", "text": message.text}] if message.text else []
        blocks += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input} for call in message.calls
        ]
        if self._turns:
            self._requests += 1
            stop_reason = "refusal" if message.refused else "tool_use" if message.calls else "end_turn"
            turn = self._turns[-1]
            turn.requests.append(Request(self._requests, turn.n, self._body(), tuple(blocks), stop_reason))
            turn.calls += [
                ToolCall(call.id, call.name, call.input, "", False, 0.0, self._requests, NO_RESULT)
                for call in message.calls
            ]
        if blocks:
            self._messages.append({"role": "assistant", "content": blocks})

    def _take_result(self, message: Message) -> None:
        """Answer the latest open call of this id, and tell the assistant in a user message, one for all its calls."""
        open_calls = [
            (turn, at)
            for turn in self._turns
            for at, call in enumerate(turn.calls)
            if call.id == message.call_id and call.origin == NO_RESULT
        ]
        if open_calls:
            turn, at = open_calls[-1]
            turn.calls[at] = replace(
                turn.calls[at], output=message.text, is_error=message.is_error, origin=message.origin
            )
        self._append_result(message)

    def _append_result(self, message: Message) -> None:
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": message.call_id, "content": message.text}
        if message.is_error:
            block["is_error"] = True
        last = self._messages[-1]
        if last["role"] == "user" and isinstance(last["content"], list):
            self._messages[-1] = {"role": "user", "content": [*last["content"], block]}
        else:
            self._messages.append({"role": "user", "content": [block]})

    def _body(self) -> JsonObject:
        """Return what the request must have held; the parameters are not known."""
        system = {"system": list(self._prompt.system)} if self._prompt.system else {}
        return {"model": self._conversation.model, **system, "messages": list(self._messages)}
