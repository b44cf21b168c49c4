"""What is said in a case, as a suite writes it: texts, messages with pictures and documents, and what was said before.

The keys of a message and of a history entry with their meaning, and how they become what the Messages API takes. Files
are read here, below the project only, and checked against the API's limits, so that nothing is refused once a run pays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, ClassVar

import orjson
from pydantic import BeforeValidator, Field, model_validator

from evalkit.content import FileKind, FileNotes, UserContent, files_in, make_block, text_of
from evalkit.content.files import (
    MANY_IMAGES,
    MAX_EDGE_OF_MANY_PX,
    MAX_PAGES,
    MAX_REQUEST_BYTES,
    image_size,
    read_limit,
)
from evalkit.errors import FileProblems, UsageError
from evalkit.records import JsonObject, Problem
from evalkit.suites.values import ToolMention
from evalkit.wording import number
from evalkit.yamlsource import FileModel, Json, JsonMap, Source, Text, ValuePath, find_beside, read_bytes_below, refusal
from evalkit.yamlsource.nodes import ListNode, MapNode

Words = Annotated[Text, Field(min_length=1)]
"""Text that is not empty."""


class PartFile(FileModel):
    """A part of a message: a text, a picture or a document."""

    called: ClassVar[str] = "a part of a message"
    text: Words | None = Field(None, description="What the user says.", examples=["Is this covered?"])
    image: Words | None = Field(
        None,
        description="A picture: PNG, JPEG, GIF or WebP; its path relative to the file that names it.",
        examples=["photos/dent.png"],
    )
    document: Words | None = Field(
        None,
        description="A PDF or a plain text; its path relative to the file that names it.",
        examples=["documents/policy.pdf"],
    )
    title: Words | None = Field(None, description="The document's title, sent with it.", examples=["Policy HM-20418"])
    context: Words | None = Field(
        None, description="What the model is told about the document.", examples=["Valid since May 2024"]
    )
    shows: Words | None = Field(
        None,
        description="What can be seen in the picture or PDF, for graders and readers; never sent. "
        "`grounded` takes facts from it.",
        examples=["A repair bill of 3 May 2026 over £412.50"],
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> PartFile:
        given = [name for name in ("text", "image", "document") if getattr(self, name) is not None]
        if len(given) != 1:
            raise refusal("a part of a message is one of text, image, document.")
        for name in ("title", "context"):
            if getattr(self, name) is not None and given != ["document"]:
                raise refusal(f"`{name}` belongs to a document.", name)
        if self.shows is not None and given == ["text"]:
            raise refusal("`shows` belongs to an image or a document.", "shows")
        return self


def _parts(value: Any) -> Any:
    """Take a text as a message of one part."""
    if isinstance(value, list):
        if not value:
            raise refusal("an empty list is no message; expected a text, or at least one part.")
        return value
    if isinstance(value, dict):
        raise refusal("a message is a text, or a list of parts such as [{text: ...}, {image: FILE}].")
    return [{"text": value}]


Message = Annotated[
    list[PartFile],
    BeforeValidator(_parts, json_schema_input_type=Annotated[str, Field(min_length=1)] | list[PartFile]),
]
"""What a user says: a text, or parts in their order."""


class PastCallFile(FileModel):
    """A tool call that was made before the case begins."""

    called: ClassVar[str] = "a call"
    tool: Text
    input: JsonMap
    returns: Json = None
    error: Words | None = None


def _past_call(value: Any) -> Any:
    """Accept `{lookup_order: {order_id: TN-1}, returns: ...}`."""
    if not isinstance(value, dict):
        raise refusal("a call is a mapping such as {lookup_order: {order_id: TN-1}, returns: {status: delivered}}.")
    named = [key for key in value if key not in ("returns", "error")]
    if len(named) != 1:
        raise refusal("a call is one tool with its input, and `returns` or `error` beside it.")
    if ("returns" in value) == ("error" in value):
        raise refusal(f"the call of {named[0]!r} has either `returns` or `error`; write exactly one of them.")
    if not isinstance(value[named[0]], dict):
        raise refusal(f"the input of {named[0]!r} must be a mapping; {{}} when it is empty.", named[0])
    answer = {key: value[key] for key in ("returns", "error") if key in value}
    return {"tool": named[0], "input": value[named[0]], **answer}


class HistoryEntry(FileModel):
    """A message that was said before the case begins."""

    called: ClassVar[str] = "a history entry"
    user: Message | None = Field(
        None, description="What the user said: a text, or a list of parts.", examples=["Hello"]
    )
    assistant: Words | None = Field(None, description="What the assistant said.", examples=["Hello."])
    calls: list[Annotated[PastCallFile, BeforeValidator(_past_call, json_schema_input_type=dict[str, Any])]] | None = (
        Field(
            None,
            min_length=1,
            description="Tool calls that the assistant made with it, each with what it `returns` or its `error`; "
            "the next entry is the assistant's again. `grounded` and `tools.after` know them; no grader counts them.",
            examples=[[{"lookup_order": {"order_id": "TN-1"}, "returns": {"status": "delivered"}}]],
        )
    )

    @model_validator(mode="after")
    def _one_speaker(self) -> HistoryEntry:
        if (self.user is None) == (self.assistant is None and self.calls is None):
            words = "a history entry is one `user: ...` or one `assistant: ...`. `calls` belong to the assistant."
            raise refusal(words)
        return self


@dataclass(frozen=True)
class _Read:
    """A file that was read: its bytes, or why it could not be."""

    data: bytes = b""
    problem: str = ""


@dataclass
class MessageReader:
    """Reads the messages of one suite; collects what is wrong, the files that were read, and the tools that are named.

    `files` maps each file's path in the project to the SHA-256 of its bytes.
    """

    root: Path
    source: Source
    problems: list[Problem] = field(default_factory=list)
    mentions: list[ToolMention] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    _read: dict[str, _Read] = field(default_factory=dict)
    _blocks: dict[tuple[str, str, FileNotes], JsonObject] = field(default_factory=dict)

    def message(self, parts: Sequence[PartFile], path: ValuePath) -> UserContent:
        """Return what is said at a path: a text, or content blocks where a file is among the parts.

        A variant that is a mapping says it under `user`.
        """
        path = (*path, "user") if isinstance(self.source.node(path), MapNode) else path
        in_list = isinstance(self.source.node(path), ListNode)
        blocks = [self._block(part, (*path, n) if in_list else path) for n, part in enumerate(parts)]
        made = tuple(block for block in blocks if block is not None)
        return made if any(part.text is None for part in parts) else text_of(made)

    def history(self, entries: Sequence[HistoryEntry], path: ValuePath) -> tuple[JsonObject, ...]:
        """Return what was said before as Messages API messages; the ids of its calls follow from where they stand."""
        messages: list[JsonObject] = []
        speaker, expected = "assistant", "user"
        for index, entry in enumerate(entries):
            at = (*path, index)
            speaker = "user" if entry.user is not None else "assistant"
            if speaker != expected:
                why = "the entry before it made calls, and the assistant goes on with what they returned"
                two = "the two take turns, user first"
                reason = why if index and entries[index - 1].calls else two
                self._problem(at, f"entry {index + 1} of 'history' is from the {speaker}; {reason}.")
                return tuple(messages)
            if entry.user is not None:
                messages.append({"role": "user", "content": self.message(entry.user, (*at, "user"))})
            else:
                messages += self._answer(entry, at)
            expected = "assistant" if entry.user is not None or entry.calls else "user"
        if entries and expected == "assistant":
            who = "a tool's result" if entries[-1].calls else "the user"
            words = f"'history' ends with {who}; expected the assistant's answer before the first turn."
            self._problem((*path, len(entries) - 1), words)
        return tuple(messages)

    def check_size(self, messages: Sequence[UserContent], path: ValuePath) -> None:
        """Note what the API would refuse of a conversation whose messages each fit; all of it is sent at last."""
        files = [file for content in messages for file in files_in(content)]
        images = [file for file in files if file.kind == "image"]
        sent = sum(len(str(file.block["source"]["data"])) for file in files)
        if sent > MAX_REQUEST_BYTES:
            self._problem(
                path,
                f"the files of this conversation are {number(sent)} bytes large as they are sent; "
                f"a request holds {number(MAX_REQUEST_BYTES)} at most. Leave some out, or make them smaller.",
            )
        pages = sum(file.pages for file in files)
        if pages > MAX_PAGES:
            words = f"{pages} images and PDF pages in one conversation; a request holds {MAX_PAGES} at most."
            self._problem(path, words)
        elif len(images) > MANY_IMAGES:
            for file in images:
                size = image_size(file.data())
                if size and max(size) > MAX_EDGE_OF_MANY_PX:
                    self._problem(
                        path,
                        f"{file.file} is {size[0]}×{size[1]} pixels large; with more than {MANY_IMAGES} images in a "
                        f"request each is {MAX_EDGE_OF_MANY_PX} at most on each edge.",
                    )

    def _problem(self, path: ValuePath, message: str) -> None:
        self.problems.append(self.source.problem(path, message))

    def _block(self, part: PartFile, path: ValuePath) -> JsonObject | None:
        """Return the block of one part; None, with the problem noted, where its file can't be sent."""
        if part.text is not None:
            return {"type": "text", "text": part.text}
        kind: FileKind = "image" if part.image is not None else "document"
        name, at = str(part.image or part.document), (*path, kind)
        file, fault = find_beside(self.root, self.source.place(at).file, name)
        if fault:
            self._problem(at, fault)
            return None
        read = self._file(file)
        if read.problem:
            self._problem(at, read.problem)
            return None
        notes = FileNotes(part.title or "", part.context or "", part.shows or "")
        try:
            if (kind, file, notes) not in self._blocks:
                self._blocks[kind, file, notes] = make_block(kind, read.data, file, notes)
        except UsageError as error:
            self._problem(at, str(error))
            return None
        return self._blocks[kind, file, notes]

    def _file(self, file: str) -> _Read:
        if file not in self._read:
            try:
                data = read_bytes_below(self.root, file, read_limit())
                self._read[file] = _Read(data)
                self.files[file] = sha256(data).hexdigest()
            except FileProblems as error:
                reason = error.problems[0].message
                missing = reason == "no such file."
                words = f"there is no file {file}; the path is relative to the file that names it."
                self._read[file] = _Read(problem=words if missing else f"{file} {reason}")
        return self._read[file]

    def _answer(self, entry: HistoryEntry, path: ValuePath) -> list[JsonObject]:
        """Return what the assistant said, and where it called tools what they answered."""
        if not entry.calls:
            return [{"role": "assistant", "content": entry.assistant}]
        said: list[JsonObject] = [{"type": "text", "text": entry.assistant}] if entry.assistant else []
        results: list[JsonObject] = []
        for number_, call in enumerate(entry.calls, 1):
            call_id = f"toolu_history_{int(path[-1]) + 1}_{number_}"
            at = (*path, "calls", number_ - 1, call.tool)
            # What a tool answered must fit it; a call that failed may have failed for not fitting.
            given = call.input if call.error is None else None
            self.mentions.append(ToolMention(call.tool, self.source.key_place(at), given, at, whole=True))
            said.append({"type": "tool_use", "id": call_id, "name": call.tool, "input": call.input})
            result: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id, "content": _result(call)}
            results.append({**result, "is_error": True} if call.error is not None else result)
        return [{"role": "assistant", "content": said}, {"role": "user", "content": results}]


def _result(call: PastCallFile) -> str:
    """Return a result as a tool gives it to the model: text as it is, any other value as JSON."""
    if call.error is not None:
        return call.error
    return call.returns if isinstance(call.returns, str) else orjson.dumps(call.returns).decode()


def identity_of(content: Any) -> Any:
    """Return content for a case's hash: files by their bytes and by what is said of them, never by where they lie."""
    if isinstance(content, Mapping):
        return {
            key: sha256(inner.encode("utf-8", "surrogatepass")).hexdigest()
            if key == "data" and isinstance(inner, str)
            else identity_of(inner)
            for key, inner in content.items()
            if not (key == "file" and content.get("type") in ("image", "document"))
        }
    if isinstance(content, list | tuple):
        return [identity_of(inner) for inner in content]
    return content
