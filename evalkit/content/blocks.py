"""Reads messages and their content blocks: what was said, which files came with it, and how much of a prompt they make.

Knows the Messages API's blocks and two keys of evalkit's own that a user's block may have: `file`, where it was read
from, and `shows`, what a person can see in it. Both are for people and graders; `sendable` takes them out.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import PurePosixPath
from typing import Any

import orjson

from evalkit.content.files import IMAGE_TYPES, PDF, image_size, pdf_pages
from evalkit.records import JsonObject

UserContent = str | Sequence[JsonObject]
"""What a user says: a text, or content blocks of the Messages API, which may carry `file` and `shows`."""

OWN_KEYS = ("file", "shows")
"""Keys of a block that are never sent."""

_FILES = frozenset({"image", "document"})
_SUFFIX = {"image/jpeg": "jpg", PDF: "pdf", "text/plain": "txt"}


@dataclass(frozen=True)
class AttachedFile:
    """A picture or document of a message.

    `size_bytes` is 0 where the block only names it. `text` is what can be read in it as text: the content of a plain
    document, its title and context, and what `shows` says. `block` is as it stands in the message.
    """

    kind: str
    file: str
    media_type: str
    size_bytes: int
    text: str
    block: JsonObject

    @property
    def name(self) -> str:
        """The file's name without its folders; its title, or its type, where no name is known."""
        title = str(self.block.get("title") or "")
        return PurePosixPath(self.file).name or title or self.media_type.rpartition("/")[2] or self.kind

    @property
    def is_readable(self) -> bool:
        """Whether all that is in it is known as text; in a picture or PDF only what `shows` says is."""
        source = self.block.get("source") or {}
        return source.get("type") in ("text", "content") or bool(self.block.get("shows"))

    @property
    def pages(self) -> int:
        """How many images and pages it counts as in a request: one, about its pages, or none for a plain text."""
        if self.media_type == PDF:
            return _pages(str((self.block.get("source") or {}).get("data") or ""))
        return int(self.kind == "image")

    @property
    def suffix(self) -> str:
        """The suffix that a file of its type has, without a dot."""
        return _SUFFIX.get(self.media_type) or self.media_type.rpartition("/")[2]

    def data(self) -> bytes:
        """Return the file's bytes; empty where the block only names it."""
        source = self.block.get("source") or {}
        data = source.get("data")
        if not isinstance(data, str):
            return b""
        return base64.b64decode(data) if source.get("type") == "base64" else data.encode()

    def __str__(self) -> str:
        size = f", {file_size(self.size_bytes)}" if self.size_bytes else ""
        return f"{self.kind} {self.name}{size}"


def file_size(count: int) -> str:
    """Return a file's size as people read it: `812 bytes`, `41 kB`, `3.2 MB`."""
    if count < 1_000:
        return f"{count} bytes"
    return f"{count / 1_000:.0f} kB" if count < 999_500 else f"{count / 1_000_000:.1f} MB"


def blocks_of(content: UserContent | None) -> Sequence[JsonObject]:
    """Return content as blocks; a text stands for one text block."""
    if isinstance(content, str):
        return ({"type": "text", "text": content},) if content else ()
    return content or ()


def text_of(content: UserContent | None) -> str:
    """Return all text of a message, paragraphs apart; nothing of its files, calls and results."""
    if isinstance(content, str):
        return content
    texts = (block["text"] for block in content or () if block.get("type") == "text" and block.get("text"))
    return "\n\n".join(map(str, texts))


def files_in(content: UserContent | None) -> tuple[AttachedFile, ...]:
    """Return the pictures and documents of a message, in order."""
    if isinstance(content, str):
        return ()
    return tuple(_file(block) for block in content or () if block.get("type") in _FILES)


def readable(content: UserContent | None) -> str:
    """Return a message as a line of text shows it: its words and, in brackets, its files, in the order written."""
    parts = (
        f"[{_file(block)}]" if block.get("type") in _FILES else str(block.get("text") or "")
        for block in blocks_of(content)
        if block.get("type") in _FILES or block.get("type") == "text"
    )
    return "\n\n".join(part for part in parts if part)


def sendable(content: UserContent) -> str | list[JsonObject]:
    """Return what is sent of a message: the blocks without the keys that are evalkit's own."""
    if isinstance(content, str):
        return content
    return [
        {key: value for key, value in block.items() if key not in OWN_KEYS} if block.get("type") in _FILES else block
        for block in content
    ]


def sent_messages(messages: Iterable[JsonObject]) -> tuple[JsonObject, ...]:
    """Return Messages API messages as they are sent: without the keys of their blocks that are evalkit's own."""
    return tuple(
        {**message, "content": sendable(message["content"])} if _has_own_keys(message.get("content")) else message
        for message in messages
    )


def _has_own_keys(content: UserContent | None) -> bool:
    if isinstance(content, str):
        return False
    return any(block.get("type") in _FILES and not block.keys().isdisjoint(OWN_KEYS) for block in content or ())


def kept_of(content: UserContent) -> tuple[str, tuple[JsonObject, ...]]:
    """Return what a record keeps of a user's message: its text, and its blocks where it is more than a text."""
    return text_of(content), () if isinstance(content, str) else tuple(content)


def _file(block: JsonObject) -> AttachedFile:
    source: Mapping[str, Any] = block.get("source") or {}
    data = source.get("data")
    plain = source.get("type") == "text"
    size = 0
    if isinstance(data, str):
        size = len(data.encode("utf-8", "surrogatepass")) if plain else len(data) * 3 // 4 - data[-2:].count("=")
    inner = source.get("content")
    texts = [block.get("title"), block.get("context"), block.get("shows"), data if plain else ""]
    texts.append(text_of(inner) if isinstance(inner, str | list) else "")
    text = "\n\n".join(str(part) for part in texts if part)
    kind, media_type = str(block["type"]), str(source.get("media_type") or "")
    return AttachedFile(kind, str(block.get("file") or ""), media_type, max(size, 0), text, block)


@dataclass(frozen=True)
class Said:
    """What one side said in a conversation: the role, what was said, and for an assistant the calls it made with it.

    `calls` are its `tool_use` blocks, `results` the `tool_result` blocks by their call's id.
    """

    role: str
    content: UserContent
    calls: tuple[JsonObject, ...] = ()
    results: Mapping[str, JsonObject] = ()  # type: ignore[assignment]

    @property
    def text(self) -> str:
        """All text of it."""
        return text_of(self.content)

    def result_of(self, call: JsonObject) -> tuple[str, bool]:
        """Return what a call of it brought as text, and whether that was an error; empty when nothing came."""
        block = dict(self.results).get(str(call.get("id")), {})
        return text_of(block.get("content")), bool(block.get("is_error"))


def spoken(messages: Iterable[JsonObject]) -> Iterator[Said]:
    """Yield who said what in Messages API messages: a message that only answers calls belongs to the one before it."""
    open_said: Said | None = None
    for message in messages:
        content = message.get("content")
        blocks = blocks_of(content)
        results = {str(one.get("tool_use_id")): one for one in blocks if one.get("type") == "tool_result"}
        if results and open_said is not None:
            open_said = Said(open_said.role, open_said.content, open_said.calls, {**dict(open_said.results), **results})
            blocks = [one for one in blocks if one.get("type") != "tool_result"]
            if not blocks:
                continue
            content = list(blocks)
        if open_said is not None:
            yield open_said
        calls = tuple(one for one in blocks if one.get("type") == "tool_use")
        open_said = Said(str(message.get("role")), content if content is not None else "", calls, {})
    if open_said is not None:
        yield open_said


# An image makes about width × height / 750 tokens, scaled down to the model's own resolution before: 2,576 pixels on
# the long edge and 4,784 tokens for the models since Opus 4.7; for older ones, which have less, an upper bound.
# A page of a PDF makes 1,500 to 3,000 tokens. Source: platform.claude.com, vision and PDF support, read November 2026.
PIXELS_PER_TOKEN = 750
LONG_EDGE_PX = 2_576
MOST_IMAGE_TOKENS = 4_784
UNKNOWN_IMAGE_TOKENS = 1_500
_HEADER = 400_000
"""Characters of base64 in which an image's size stands, behind the camera's own data; a multiple of four."""
PDF_PAGE_TOKENS = 2_500


@dataclass(frozen=True)
class Weight:
    """How large messages are: `characters` of their JSON without the bytes of files, and `tokens` of those files."""

    characters: int = 0
    tokens: int = 0

    def __add__(self, other: Weight) -> Weight:
        return Weight(self.characters + other.characters, self.tokens + other.tokens)

    def tokens_at(self, characters_per_token: float) -> int:
        """Return the estimated tokens of all of it."""
        return round(self.characters / characters_per_token) + self.tokens


def weigh(messages: Iterable[JsonObject]) -> Weight:
    """Return how large messages are for a model; any JSON objects of a request may stand among them."""
    whole = tuple(messages)
    characters = sum(len(orjson.dumps(message, default=dict).decode()) for message in whole)
    return Weight(characters) + weigh_files(whole)


def weigh_files(messages: Iterable[JsonObject]) -> Weight:
    """Return what messages' pictures and PDFs add to the length of their JSON: less by their bytes, more in tokens."""
    weight = Weight()
    for message in messages:
        content = message.get("content")
        for block in () if isinstance(content, str) else content or ():
            if block.get("type") in _FILES and (tokens := file_tokens(block)) is not None:
                weight += Weight(-len(str((block.get("source") or {}).get("data") or "")), tokens)
    return weight


def file_tokens(block: JsonObject) -> int | None:
    """Return about how many tokens a picture or a PDF makes; None for a block that is text to the model."""
    source: Mapping[str, Any] = block.get("source") or {}
    data, media_type = source.get("data"), source.get("media_type")
    if block.get("type") == "image":
        if source.get("type") == "base64" and media_type in IMAGE_TYPES and isinstance(data, str):
            return _image_tokens(data)
        return UNKNOWN_IMAGE_TOKENS
    if block.get("type") == "document" and source.get("type") not in ("text", "content"):
        pages = _pages(data) if source.get("type") == "base64" and isinstance(data, str) else 1
        return pages * PDF_PAGE_TOKENS
    return None


def _image_tokens(data: str) -> int:
    try:
        size = image_size(base64.b64decode(data[:_HEADER]))
    except ValueError:
        size = None
    return tokens_of_size(*size) if size else UNKNOWN_IMAGE_TOKENS


def tokens_of_size(width: int, height: int) -> int:
    """Return the tokens of an image of so many pixels."""
    scale = min(1.0, LONG_EDGE_PX / max(width, height))
    return min(ceil(width * scale * height * scale / PIXELS_PER_TOKEN), MOST_IMAGE_TOKENS)


@lru_cache(maxsize=16)
def _pages(data: str) -> int:
    try:
        return pdf_pages(base64.b64decode(data))
    except ValueError:
        return 1
