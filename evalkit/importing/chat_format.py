"""Reads one recorded conversation in the form of the Chat Completions API (an object with `messages`) as a transcript.

Knows that form, the small differences between those who write it, and the Messages API's content blocks; nothing of
files and runs. Keys that are not mentioned here are other programs' own and are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

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
)
from evalkit.store import trial_lines, turns_of

Role = Literal["system", "user", "assistant", "tool"]

INVALID_JSON = "INVALID_JSON"
"""The key under which tool arguments that are no JSON object are kept as text; the engine writes the same."""

_NOT_IN_A_CASE_ID = re.compile(r"[^\w.+/-]")
_LONGEST_CASE_ID = 120


class Malformed(ValueError):
    """A line is no conversation; the message says what is wrong and what was expected."""


@dataclass(frozen=True)
class RecordedCall:
    """A tool call that the assistant asked for."""

    id: str
    name: str
    input: JsonObject


@dataclass(frozen=True)
class Message:
    """One message. `calls` belong to the assistant; `call_id` and `is_error` to a tool's result."""

    role: Role
    text: str
    calls: tuple[RecordedCall, ...] = ()
    call_id: str = ""
    is_error: bool = False
    origin: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Conversation:
    """A recorded conversation; `case_id` is spelled as a suite may spell it, `case` as it was recorded."""

    id: str
    case: str
    case_id: str
    trial: int | None
    model: str
    system: str
    messages: tuple[Message, ...]


def parse_conversation(line: bytes) -> Conversation:
    """Return the conversation that one line holds.

    `id` and `messages` are needed; `case` (the id when missing), `trial` and `model` are not. System messages at the
    beginning are the system prompt. Raises Malformed with the first thing that is wrong.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        raise Malformed(f"not JSON: {exc.msg} (column {exc.colno}); expected one JSON object a line.") from exc
    if not isinstance(record, dict):
        raise Malformed(f"{_kind(record)}; expected a JSON object with `id` and `messages`.")
    entries, trial = record.get("messages"), record.get("trial")
    if not isinstance(entries, list) or not entries:
        raise Malformed(f"`messages` is {_kind(entries)}; expected a list of at least one message.")
    messages = [_message(entry, f"message {number}") for number, entry in enumerate(entries, start=1)]
    leading = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    _check_results(messages)
    identity = _needed_text(record, "id")
    case = identity if record.get("case") is None else _needed_text(record, "case")
    # Characters that a suite's ids can't have become hyphens.
    case_id = _NOT_IN_A_CASE_ID.sub("-", case).lstrip(".+/-")[:_LONGEST_CASE_ID]
    if not case_id:
        raise Malformed(f"{case!r} can't name a case; expected letters or digits.")
    if trial is not None and (not isinstance(trial, int) or isinstance(trial, bool) or trial < 0):
        raise Malformed(f"`trial` is {_kind(trial)}; expected a whole number.")
    return Conversation(
        id=identity,
        case=case,
        case_id=case_id,
        trial=trial,
        model="unknown" if record.get("model") is None else _needed_text(record, "model"),
        system="\n\n".join(message.text for message in messages[:leading] if message.text),
        messages=tuple(messages[leading:]),
    )


def _needed_text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Malformed(f"`{key}` is {_kind(value)}; expected a text.")
    return value.strip()


def _message(entry: Any, where: str) -> Message:
    if not isinstance(entry, dict):
        raise Malformed(f"{where} is {_kind(entry)}; expected an object with `role` and `content`.")
    role, text = entry.get("role"), _text(entry.get("content"), where)
    match role:
        case "system" | "developer":
            return Message("system", text)
        case "user":
            return Message("user", text)
        case "assistant":
            return _assistant_message(entry, text, where)
        case "tool":
            return _tool_message(entry, text, where)
    raise Malformed(f"{where}: `role` is {role!r}; expected system, user, assistant or tool.")


def _assistant_message(entry: Mapping[str, Any], text: str, where: str) -> Message:
    calls = entry.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise Malformed(f"{where}: `tool_calls` is {_kind(calls)}; expected a list.")
    refusal = entry.get("refusal")
    refused = isinstance(refusal, str) and bool(refusal) and not text
    recorded = tuple(_call(call, f"{where}, tool call {number}") for number, call in enumerate(calls or (), start=1))
    return Message("assistant", str(refusal) if refused else text, recorded, refused=refused)


def _tool_message(entry: Mapping[str, Any], text: str, where: str) -> Message:
    """A result is an error when it says so, or when nothing is said and its text begins with `Error`."""
    call_id, is_error = entry.get("tool_call_id"), entry.get("is_error")
    if not isinstance(call_id, str) or not call_id:
        raise Malformed(f"{where}: `tool_call_id` is {_kind(call_id)}; expected the id of a tool call before it.")
    if is_error is not None and not isinstance(is_error, bool):
        raise Malformed(f"{where}: `is_error` is {_kind(is_error)}; expected true or false.")
    looks_wrong = is_error is None and text.startswith("Error")
    origin = "recorded, an error because its text begins so" if looks_wrong else "recorded"
    return Message("tool", text, call_id=call_id, is_error=is_error or looks_wrong, origin=origin)


def _call(call: Any, where: str) -> RecordedCall:
    """Read `{id, name, arguments}` or `{id, function: {name, arguments}}`."""
    if not isinstance(call, dict):
        raise Malformed(f"{where} is {_kind(call)}; expected an object with `id`, `name` and `arguments`.")
    named = call.get("function", call)
    name = named.get("name") if isinstance(named, dict) else None
    if not isinstance(call.get("id"), str) or not call["id"] or not isinstance(name, str) or not name:
        raise Malformed(f"{where}: expected texts as `id` and `name`; found {call.get('id')!r} and {name!r}.")
    arguments = named.get("arguments")
    if arguments is None or arguments == "":
        arguments = {}
    elif isinstance(arguments, str):
        try:
            parsed = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            parsed = None
        # Text that is no object is the model's mistake, and kept.
        arguments = parsed if isinstance(parsed, dict) else {INVALID_JSON: arguments}
    if not isinstance(arguments, dict):
        raise Malformed(f"{where}: `arguments` is {_kind(arguments)}; expected an object or its JSON text.")
    return RecordedCall(call["id"], name, arguments)


def _text(content: Any, where: str) -> str:
    """Return content as text; of a list of parts the texts, and `[kind]` for a part that is none, such as an image."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Malformed(f"{where}: `content` is {_kind(content)}; expected a text, a list of parts or null.")
    texts = []
    for part in content:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, dict) and isinstance(part.get("type"), str):
            texts.append(f"[{part['type']}]")
        else:
            what = f"a part of `content` is {_kind(part)}"
            raise Malformed(f"{where}: {what}; expected an object with `type` and `text`.")
    return "\n\n".join(texts)


def _check_results(messages: Sequence[Message]) -> None:
    """Every result answers a call before it that has none yet; an id may be used again once it is answered."""
    waiting: dict[str, int] = {}
    for number, message in enumerate(messages, start=1):
        for call in message.calls:
            waiting[call.id] = waiting.get(call.id, 0) + 1
        if message.role == "tool":
            if not waiting.get(message.call_id):
                raise Malformed(
                    f"message {number} is a tool's result for {message.call_id!r}; no open call has this id."
                )
            waiting[message.call_id] -= 1


def _kind(value: object) -> str:
    names = {type(None): "missing", dict: "an object", list: "a list", bool: "a truth value"}
    return names.get(type(value)) or f"{value!r:.60}"


NOT_GRADED = TrialScore(TrialVerdict.NOT_MEASURED, reason="imported, not graded yet: evalkit run SUITE --via THIS_RUN")
NO_RESULT = "no result recorded"


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
        self._users: dict[int, str] = {}
        self._requests: list[Request] = []
        self._calls: list[tuple[int, ToolCall]] = []

    def build(self) -> Transcript:
        system, history = self._conversation.system, None
        if system and system != self._prompt.text:
            self._messages.append({"role": "system", "content": system})
        for message in self._conversation.messages:
            match message.role:
                case "user":
                    history = tuple(self._messages) if history is None else history
                    self._take_user(message)
                case "assistant":
                    self._take_assistant(message)
                case "tool":
                    self._take_result(message)
                case "system":
                    self._messages.append({"role": "system", "content": message.text})
        turns = turns_of(self._users, self._requests, self._calls)
        history = tuple(self._messages) if history is None else history
        return Transcript(self._conversation.id, self._prompt.sha, turns, history, system)

    def _take_user(self, message: Message) -> None:
        """Begin a turn; until the assistant has answered, what the user says belongs to the same one."""
        turn = len(self._users)
        if turn and not any(request.turn == turn for request in self._requests[-1:]):
            self._users[turn] = "\n\n".join(text for text in (self._users[turn], message.text) if text)
        else:
            self._users[turn + 1] = message.text
        self._messages.append({"role": "user", "content": message.text})

    def _take_assistant(self, message: Message) -> None:
        blocks: list[JsonObject] = [{"type": "text", "text": message.text}] if message.text else []
        blocks += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input} for call in message.calls
        ]
        if self._users:
            turn, number = len(self._users), len(self._requests) + 1
            # What the request must have held; its parameters are not known.
            system = {"system": list(self._prompt.system)} if self._prompt.system else {}
            body = {"model": self._conversation.model, **system, "messages": list(self._messages)}
            stop_reason = "refusal" if message.refused else "tool_use" if message.calls else "end_turn"
            self._requests.append(Request(number, turn, body, tuple(blocks), stop_reason))
            self._calls += [
                (turn, ToolCall(call.id, call.name, call.input, "", False, 0.0, number, NO_RESULT))
                for call in message.calls
            ]
        if blocks:
            self._messages.append({"role": "assistant", "content": blocks})

    def _take_result(self, message: Message) -> None:
        """Answer the latest open call of this id, and tell the assistant in a user message, one for all its calls."""
        for at, (turn, call) in reversed([*enumerate(self._calls)]):
            if call.id == message.call_id and call.origin == NO_RESULT:
                answered = replace(call, output=message.text, is_error=message.is_error, origin=message.origin)
                self._calls[at] = (turn, answered)
                break
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": message.call_id, "content": message.text}
        if message.is_error:
            block["is_error"] = True
        last = self._messages[-1]
        if last["role"] == "user" and isinstance(last["content"], list):
            self._messages[-1] = {"role": "user", "content": [*last["content"], block]}
        else:
            self._messages.append({"role": "user", "content": [block]})
