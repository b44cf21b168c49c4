"""Documents and search results that a request brings along: which sentence answers the question, and how it is cited.
Knows the blocks' shapes and the API's citation forms; reads plain text only, no PDF and no picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..reply import JsonObject
from .scene import Move, Passage, Scene
from .words import sentences, stems

_ENOUGH = 0.5  # share of the question's words


def read_sources(request: JsonObject) -> tuple[Passage, ...]:
    """Return the passages of all documents and search results of a request, in order."""
    found: list[Passage] = []
    counts = {"document": 0, "search_result": 0}
    for block in _blocks(request.get("messages") or ()):
        kind = block.get("type")
        if kind in counts:
            passages = _document(block, counts[kind]) if kind == "document" else _search_result(block, counts[kind])
            cites = (block.get("citations") or {}).get("enabled")
            found += [each if cites else replace(each, citation=None) for each in passages]
            counts[kind] += 1
    return tuple(found)


def quote_source(scene: Scene) -> Move | None:
    """Answer a question from the passage that shares most of its words, if it shares enough of them."""
    if not scene.sources:
        return None
    asked = scene.asked
    best = max(scene.sources, key=lambda each: len(stems(each.text) & asked))
    if not asked or len(stems(best.text) & asked) < _ENOUGH * len(asked):
        return None
    return Move(say=(best.text,), citation=best.citation)


def cite(text: str, move: Move) -> list[JsonObject]:
    """Return a reply's text as blocks: the quoted passage is one of its own, with its citation."""
    quote = move.say[0] if move.say else ""
    if move.citation is None or quote not in text:
        return [{"type": "text", "text": text}]
    before, _, after = text.partition(quote)
    parts: list[JsonObject] = [{"type": "text", "text": quote, "citations": [move.citation]}]
    return [*_plain(before), *parts, *_plain(after)]


def _plain(text: str) -> list[JsonObject]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _blocks(messages: Any) -> Iterator[JsonObject]:
    for message in messages:
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            yield block
            if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
                yield from block["content"]


def _document(block: JsonObject, index: int) -> Iterator[Passage]:
    source = block.get("source") or {}
    base = {"document_index": index, "document_title": block.get("title"), "file_id": None}
    if source.get("type") == "text":
        start = 0
        for sentence in _sentences(str(source.get("data", ""))):
            start = str(source["data"]).index(sentence, start)
            place = {"start_char_index": start, "end_char_index": start + len(sentence)}
            start += len(sentence)
            yield Passage(sentence, {"type": "char_location", "cited_text": sentence, **base, **place})
    elif source.get("type") == "content":
        parts = source.get("content")
        for number, text in enumerate([parts] if isinstance(parts, str) else [_text(part) for part in parts or ()]):
            place = {"start_block_index": number, "end_block_index": number + 1}
            yield Passage(text, {"type": "content_block_location", "cited_text": text, **base, **place})


def _search_result(block: JsonObject, index: int) -> Iterator[Passage]:
    for number, part in enumerate(block.get("content") or ()):
        citation = {
            "type": "search_result_location",
            "cited_text": _text(part),
            "search_result_index": index,
            "source": block.get("source"),
            "title": block.get("title"),
            "start_block_index": number,
            "end_block_index": number + 1,
        }
        yield Passage(_text(part), citation)


def _text(part: JsonObject) -> str:
    return str(part.get("text", ""))


def _sentences(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from sentences(line)
