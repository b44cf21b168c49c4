"""A request as a conversation: the system prompt, the open turn, what the user told, and what the tools returned.

Knows the Messages API's shapes. All of it is read from the one request, so that what a memory strategy leaves out is
not known here either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import orjson

from evalkit.content import AttachedFile, files_in
from evalkit.standin.reply import JsonObject
from evalkit.standin.script.patterns import plain

_NOTES = re.compile(r"<conversation_memory>\n(.*?)</conversation_memory>[^\n]*\n?[^\n]*", re.DOTALL)
"""What `evalkit.engine.memory` puts behind a system prompt: told by the user, and no part of the prompt."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
# What differs between two equal conversations (ids that a server draws, cache marks) must not move the dice.
_NOT_SEEDED = frozenset({"id", "tool_use_id", "signature", "cache_control", "diagnostics", "metadata", "stream"})


@dataclass
class Call:
    """One tool call and what came of it: `result` is JSON where it was, else text; `error` is set when it failed."""

    tool: str
    input: JsonObject
    result: Any = None
    error: str | None = None
    answered: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the call has a result that is no error."""
        return self.answered and self.error is None

    def is_like(self, other: Call) -> bool:
        """Tell whether both ask a tool for the same thing."""
        return self.tool == other.tool and self.input == other.input


@dataclass
class Conversation:
    """What one request shows. `user` is the message of the open turn, `reply` the assistant's text before it.

    `files` are the pictures and documents of the open turn's message; each also stands at the end of `user`, in
    brackets: `[image png]`, `[document Policy HM-20418]`.
    `told` are the sentences of the user and of notes, oldest first; those in `told[:before]` came before the open turn.
    """

    request: JsonObject
    system: str = ""
    user: str = ""
    files: tuple[AttachedFile, ...] = ()
    reply: str = ""
    told: list[str] = field(default_factory=list)
    before: int = 0
    calls: list[Call] = field(default_factory=list)
    turn_calls: list[Call] = field(default_factory=list)

    @cached_property
    def tools(self) -> frozenset[str]:
        """The tools that may be called in the reply."""
        if self.choice.get("type") == "none":
            return frozenset()
        return frozenset(str(tool.get("name")) for tool in self.request.get("tools") or ())

    @property
    def choice(self) -> JsonObject:
        """The request's `tool_choice`."""
        chosen: JsonObject = self.request.get("tool_choice") or {}
        return chosen

    @property
    def failed(self) -> Call | None:
        """The newest call of the turn that failed and has not succeeded since."""
        for call in reversed(self.turn_calls):
            if call.error is not None and not self.has_result(call):
                return call
        return None

    def failures(self, call: Call) -> int:
        """Return how often the same call has failed in this turn."""
        return sum(other.error is not None and other.is_like(call) for other in self.turn_calls)

    def has_result(self, call: Call) -> bool:
        """Tell whether a call that asked the same has succeeded in the conversation."""
        return any(other.succeeded and other.is_like(call) for other in self.calls)

    def result_of(self, call: Call) -> Any:
        """Return the newest result of a call that `has_result`."""
        return next(other.result for other in reversed(self.calls) if other.succeeded and other.is_like(call))

    @cached_property
    def seed(self) -> bytes:
        """A hash of what counts in the request."""
        content = {key: value for key, value in self.request.items() if key not in _NOT_SEEDED}
        return blake2b(orjson.dumps(_seeded(content), option=orjson.OPT_SORT_KEYS), digest_size=32).digest()

    def chance(self, trial: int, rule: bytes) -> float:
        """Return a number in [0, 1) that is the same for the same request, trial and rule."""
        digest = blake2b(rule, key=self.seed, salt=trial.to_bytes(8, "big", signed=True), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


def read_conversation(request: JsonObject) -> Conversation:
    """Read the body of a Messages request."""
    found = Conversation(request)
    system = [_NOTES.sub("", _text(request.get("system")))]
    for notes in _NOTES.findall(_text(request.get("system"))):  # on messages that are gone
        found.told += sentences(notes)
    open_calls: dict[str, Call] = {}
    said: list[str] = []
    for message in request.get("messages") or ():
        role, content = message.get("role"), message.get("content")
        blocks: list[JsonObject] = (
            [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
        )
        text = _text(blocks)
        if role == "system":
            system.append(text)
        elif role == "assistant":
            said.append(text)
            for block in blocks:
                if block.get("type") == "compaction":  # notes that stand for messages that are gone
                    found.told += sentences(str(block.get("content") or ""))
                if block.get("type") == "tool_use":
                    call = Call(str(block.get("name")), dict(block.get("input") or {}))
                    open_calls[str(block.get("id"))] = call
                    found.calls.append(call)
                    found.turn_calls.append(call)
        else:
            for block in blocks:
                if block.get("type") == "tool_result" and str(block.get("tool_use_id")) in open_calls:
                    _answer(open_calls[str(block["tool_use_id"])], block)
            files = files_in(blocks)
            if text.strip() or files:
                named = [f"[{file.kind} {file.name}]" for file in files]
                found.user, found.turn_calls = plain("\n".join([*text.strip().splitlines(), *named])), []
                found.files = files
                found.reply = plain("\n".join(part for part in said if part).strip())
                said = []
                found.before = len(found.told)
                found.told += sentences(text)
    found.system = plain("\n\n".join(part for part in system if part))
    return found


def sentences(text: str) -> list[str]:
    """Return a text cut at line ends and behind full stops, question and exclamation marks."""
    return [part.strip() for part in _SENTENCE_END.split(plain(text)) if part.strip()]


def _answer(call: Call, block: JsonObject) -> None:
    text = _text(block.get("content"))
    call.answered = True
    if block.get("is_error"):
        call.error = text
        return
    try:
        call.result = orjson.loads(text)
    except orjson.JSONDecodeError:
        call.result = text


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else ()
    return "\n".join(str(block.get("text") or "") for block in blocks if block.get("type") == "text")


def _seeded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _seeded(item) for key, item in value.items() if key not in _NOT_SEEDED}
    if isinstance(value, list | tuple):
        return [_seeded(item) for item in value]
    return value
