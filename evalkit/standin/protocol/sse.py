"""A finished message as the API streams it: the events in order, and each event as bytes.

Text goes out in word-sized pieces, tool input one top-level key at a time (in small fragments for tools that ask
for eager streaming), the signature of thinking last. Knows the wire format, not what is wrong with it on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from evalkit.standin.protocol.message import FinishedMessage, encode_input
from evalkit.standin.reply import JsonObject

_TEXT_PIECE = re.compile(r"(?s).{1,12}\S{0,24}\s?")
_INPUT_FRAGMENT_CHARACTERS = 12
_WHOLE_USAGE = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
    "iterations",
)
PING: JsonObject = {"type": "ping"}


def message_events(finished: FinishedMessage, request: JsonObject, *, eager: bool = False) -> list[JsonObject]:
    """Return the events of a streamed reply, from message_start to message_stop.

    `eager` streams the input of every tool in fragments, except where a tool says no (the legacy beta header).
    """
    message = finished.message
    events = [_message_start(message)]
    content = message["content"]
    if not content:
        events.append(PING)
    for index, block in enumerate(content):
        cut = finished.cut_input if index == len(content) - 1 else None
        start, deltas = _block_parts(block, cut, request, eager=eager)
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        if index == 0:
            events.append(PING)
        events.extend({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        events.append({"type": "content_block_stop", "index": index})
    events.append(_message_delta(message))
    events.append({"type": "message_stop"})
    return events


def encode_event(event: JsonObject) -> bytes:
    """Return one event as the bytes of an SSE frame, blank line included."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


def _message_start(message: JsonObject) -> JsonObject:
    opening = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {**message["usage"], "output_tokens": 1, "output_tokens_details": None},
    }
    opening["usage"].pop("iterations", None)
    if "context_management" in message:  # known only once everything is said: message_delta has it
        opening["context_management"] = None
    return {"type": "message_start", "message": opening}


def _message_delta(message: JsonObject) -> JsonObject:
    delta = {key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details", "container")}
    event: JsonObject = {
        "type": "message_delta",
        "delta": delta,
        "usage": {key: message["usage"][key] for key in _WHOLE_USAGE if key in message["usage"]},
    }
    if "context_management" in message:
        event["context_management"] = message["context_management"]
    return event


def _block_parts(
    block: JsonObject, cut: str | None, request: JsonObject, *, eager: bool
) -> tuple[JsonObject, list[JsonObject]]:
    """Return the opening of a block with its insides empty, and the deltas that fill it."""
    kind = block["type"]
    if kind == "text":
        deltas: list[JsonObject] = [
            {"type": "text_delta", "text": piece} for piece in _TEXT_PIECE.findall(block["text"])
        ]
        citations = block.get("citations")
        deltas += [{"type": "citations_delta", "citation": citation} for citation in citations or ()]
        return {**block, "text": "", "citations": [] if citations else citations}, deltas
    if kind in {"tool_use", "server_tool_use"}:
        inputs = _fragments(cut) if cut is not None else _input_pieces(block, request, eager=eager)
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in inputs]
    if kind == "thinking":
        pieces = _TEXT_PIECE.findall(block["thinking"]) or [""]
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {**block, "thinking": "", "signature": ""}, deltas
    if kind == "compaction" and block.get("signature") is None:
        parts = {"content": block["content"], "encrypted_content": block.get("encrypted_content")}
        return {"type": kind, "content": None}, [{"type": "compaction_delta", **parts}]
    return block, []  # a signed compaction block, results of server tools and redacted thinking arrive whole


def _input_pieces(block: JsonObject, request: JsonObject, *, eager: bool) -> Iterator[str]:
    tool: JsonObject = next((each for each in request.get("tools") or () if each.get("name") == block["name"]), {})
    wanted = tool.get("eager_input_streaming")
    if not block["input"]:
        yield ""
    elif eager if wanted is None else wanted:
        yield from _fragments(encode_input(block["input"]))
    else:
        yield ""
        for number, key in enumerate(block["input"]):
            pair = encode_input({key: block["input"][key]})[1:-1]
            yield ("{" if number == 0 else ", ") + pair
        yield "}"


def _fragments(encoded: str) -> Iterator[str]:
    yield ""
    for start in range(0, len(encoded), _INPUT_FRAGMENT_CHARACTERS):
        yield encoded[start : start + _INPUT_FRAGMENT_CHARACTERS]
