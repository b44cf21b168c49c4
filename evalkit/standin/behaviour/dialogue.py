"""A request's messages as a conversation: user turns with the tool calls and replies that followed, and apart from them
the memory blocks that stand for older turns. Knows the Messages API's shapes and nothing of prompts or phrases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..reply import JsonObject
from .remember import remembered
from .tables import compiled, load_table


@dataclass(frozen=True)
class Call:
    """One tool call of the conversation and what came back; `data` is the result as JSON when it is JSON."""

    name: str
    input: JsonObject
    text: str = ""
    is_error: bool = False

    @property
    def data(self) -> Any:
        """Return the result as a JSON value, or its text when it is not JSON."""
        try:
            return orjson.loads(self.text)
        except orjson.JSONDecodeError:
            return self.text

    def same_as(self, other: Call) -> bool:
        """Say whether both ask the same tool for the same thing."""
        return self.name == other.name and self.input == other.input


@dataclass(frozen=True)
class Turn:
    """One user message and all that followed: rounds of tool calls, and the assistant's text."""

    user: str
    rounds: tuple[tuple[Call, ...], ...] = ()
    said: str = ""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Return all calls of the turn in order."""
        return tuple(call for round_ in self.rounds for call in round_)


@dataclass(frozen=True)
class Dialogue:
    """The conversation so far; the last turn is the one to answer. `memory` stands for what came before the first."""

    system: str
    turns: tuple[Turn, ...]
    memory: tuple[str, ...] = ()

    @property
    def turn(self) -> Turn:
        """Return the turn that is open."""
        return self.turns[-1]

    @property
    def past(self) -> tuple[Turn, ...]:
        """Return the turns before the open one."""
        return self.turns[:-1]

    def results(self) -> Iterator[Call]:
        """Yield the successful calls of the whole conversation, newest first."""
        for turn in reversed(self.turns):
            yield from (call for call in reversed(turn.calls) if not call.is_error)


def text_of(content: Any) -> str:
    """Return the text of a content value: a string, or its text blocks joined by newlines."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(
        str(block.get("text", "")) for block in blocks if isinstance(block, dict) and block.get("type") == "text"
    )


@dataclass
class _Reader:
    """Collects messages into turns; mutable only while reading."""

    system: list[str]
    turns: list[Turn] = field(default_factory=list)
    open_calls: dict[str, Call] = field(default_factory=dict)
    memory: list[str] = field(default_factory=list)

    def own(self, text: str) -> str:
        """Return a text without the memory blocks in it, which are kept."""
        rest, found = cut_memory(text)
        self.memory += found
        return rest

    def read(self, message: JsonObject) -> None:
        role, content = message.get("role"), message.get("content")
        blocks = content if isinstance(content, list) else [{"type": "text", "text": str(content or "")}]
        if role == "system":
            self.system.append(self.own(text_of(content)))
            return
        self.memory += [str(block.get("content") or "") for block in blocks if block.get("type") == "compaction"]
        if role == "assistant":
            self._read_assistant(blocks)
        else:
            self._read_user(blocks)

    def _read_assistant(self, blocks: list[JsonObject]) -> None:
        if not self.turns and all(block.get("type") == "compaction" for block in blocks):
            return
        last = self.turns.pop() if self.turns else Turn(user="")
        said = "\n".join(part for part in (last.said, text_of(blocks)) if part)
        self.turns.append(Turn(last.user, last.rounds, said))
        calls = [block for block in blocks if block.get("type") == "tool_use"]
        self.open_calls = {
            str(block.get("id")): Call(str(block.get("name")), block.get("input") or {}) for block in calls
        }

    def _read_user(self, blocks: list[JsonObject]) -> None:
        results = [block for block in blocks if block.get("type") == "tool_result"]
        text = self.own(text_of([block for block in blocks if block.get("type") == "text"]))
        if results and self.turns:
            last = self.turns.pop()
            self.turns.append(Turn(last.user, (*last.rounds, tuple(map(self._answered, results))), last.said))
        if text and (not results):
            self._add_user_text(text)

    def _add_user_text(self, text: str) -> None:
        if self.turns and not self.turns[-1].said and not self.turns[-1].rounds:  # consecutive user messages are one
            text = f"{self.turns.pop().user}\n{text}"
        self.turns.append(Turn(user=text))

    def _answered(self, block: JsonObject) -> Call:
        asked = self.open_calls.get(str(block.get("tool_use_id")), Call("", {}))
        return Call(asked.name, asked.input, text_of(block.get("content")), bool(block.get("is_error")))


def read_dialogue(request: JsonObject) -> Dialogue:
    """Read the system text and the turns of a Messages API request; unknown block types are passed over."""
    reader = _Reader(system=[])
    reader.read({"role": "system", "content": request.get("system") or ""})
    for message in request.get("messages") or []:
        reader.read(message)
    system = "\n\n".join(part for part in reader.system if part)
    return Dialogue(system, tuple(reader.turns) or (Turn(user=""),), tuple(filter(None, reader.memory)))


@remembered(4096)
def cut_memory(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a text without its memory blocks, and the blocks: tagged ones, and paragraphs under such a label."""
    rest, found = _cut_tagged(text)
    label = compiled(load_table("told")["memory_label"])
    found += [match.group(1).strip() for match in label.finditer(rest)]
    return (label.sub("", rest).strip(), tuple(found)) if found else (text, ())


def _cut_tagged(text: str) -> tuple[str, list[str]]:
    """Cut what stands between an opening tag and its closing one; a tag that is never closed is text like any other."""
    tag = compiled(load_table("told")["memory_tag"])
    kept, found, at, unclosed = [], list[str](), 0, set[str]()
    for opening in tag.finditer(text):
        closing = f"</{opening.group(1)}>"
        if opening.start() < at or closing in unclosed:
            continue
        end = text.find(closing, opening.end())
        if end < 0:
            unclosed.add(closing)
            continue
        kept.append(text[at : opening.start()])
        found.append(text[opening.end() : end].strip())
        at = end + len(closing)
    return "".join([*kept, text[at:]]), found
