"""From a Reply to a finished Message, whole and as the events that stream it: where it ends early, ids, usage, pieces.

Everything is derived from the request's bytes and the trial, so the same request gets the same message, ids included;
ids say `standin`. Text streams in word-sized pieces, tool input one top-level key at a time (in small fragments for
tools that ask for eager streaming), the signature of thinking last. Knows no faults and not who wrote the reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from evalkit.standin.cache import CacheUse
from evalkit.standin.context import CompactionResult, iteration_usage
from evalkit.standin.models import Model, count_block, count_output, count_text, request_thinks
from evalkit.standin.protocol.thinking import sign_thinking
from evalkit.standin.reply import JsonObject, NoScript, Reply

_DIRECT: JsonObject = {"type": "direct"}
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


@dataclass(frozen=True)
class Call:
    """What the protocol needs to know about one accepted request; `request` is as the client sent it."""

    request: JsonObject
    raw: bytes
    model: Model
    prompt_tokens: int
    trial: int = 1
    attempt: int = 0
    service_tier: str = "standard"
    compacted: CompactionResult | None = None

    def fake_id(self, prefix: str, *parts: object) -> str:
        """Return an id that is the same for the same request bytes, trial and attempt, and visibly made up."""
        seed = repr((self.trial, self.attempt, parts)).encode()
        return f"{prefix}_standin_{blake2b(self.raw + seed, digest_size=9).hexdigest()}"


@dataclass(frozen=True)
class FinishedMessage:
    """A complete message; `cut_input` is the unfinished JSON of its last tool call, if that was cut.

    `no_script` says why the message is only a placeholder, if it is one.
    """

    message: JsonObject
    cut_input: str | None = None
    no_script: NoScript | None = None

    @property
    def output_tokens(self) -> int:
        """Return the tokens the message is billed for."""
        iterations = self.message["usage"].get("iterations") or ()
        outside = sum(int(each["output_tokens"]) for each in iterations if each["type"] == "compaction")
        return int(self.message["usage"]["output_tokens"]) + outside


@dataclass(frozen=True)
class Cut:
    """Content after a limit was applied; `cut_input` is the unfinished JSON of a last tool call."""

    content: list[JsonObject]
    stop_reason: str
    stop_sequence: str | None = None
    cut_input: str | None = None


def finish_message(reply: Reply, call: Call, use: CacheUse, extras: JsonObject) -> FinishedMessage:
    """Return the Message for a reply; `extras` are further top-level fields (`diagnostics`, ...)."""
    cut = _apply_limits(reply, call)
    usage = _usage(use, cut, call)
    if call.compacted is not None:
        cut, usage = _with_compaction(cut, usage, use, call.compacted)
    message: JsonObject = {
        "id": call.fake_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": call.request["model"],
        "content": cut.content,
        "stop_reason": cut.stop_reason,
        "stop_sequence": cut.stop_sequence,
        "stop_details": reply.stop_details,
        "usage": usage,
        "container": None,
        "diagnostics": None,
        **extras,
    }
    return FinishedMessage(message, cut.cut_input, reply.no_script)


def _with_compaction(cut: Cut, usage: JsonObject, use: CacheUse, compacted: CompactionResult) -> tuple[Cut, JsonObject]:
    """Put the compaction block first and its tokens beside the totals; a reply that ends there has no totals."""
    block = [compacted.block] if compacted.block is not None else []
    if compacted.stop_reason is not None:
        nothing = iteration_usage(CacheUse(0), 0)
        usage = {**usage, **nothing, "output_tokens_details": {"thinking_tokens": 0}}
        return Cut(block, compacted.stop_reason), {**usage, "iterations": [compacted.iteration()]}
    said = {"type": "message", **iteration_usage(use, usage["output_tokens"])}
    cut = Cut([*block, *cut.content], cut.stop_reason, cut.stop_sequence, cut.cut_input)
    return cut, {**usage, "iterations": [compacted.iteration(), said]}


def _apply_limits(reply: Reply, call: Call) -> Cut:
    limit = call.request.get("max_tokens", 0)
    if limit == 0:  # a cache pre-warm says nothing
        return Cut([], "max_tokens")
    content = _complete_blocks(reply, call)
    if reply.cut_input_after is not None:
        return cut_input(content, reply.cut_input_after)
    cut = stop_at_sequence(Cut(content, reply.stop_reason), call.request.get("stop_sequences") or ())
    # The newer models accept more `max_tokens` than there is room for and stop at the window, with a reason of its own.
    room = call.model.context_tokens - call.prompt_tokens
    if limit <= room:
        return stop_at_limit(cut, limit, call.model)
    within = stop_at_limit(cut, max(room, 1), call.model)
    return within if within is cut else Cut(within.content, "model_context_window_exceeded", None, within.cut_input)


def _usage(use: CacheUse, cut: Cut, call: Call) -> JsonObject:
    limit = call.request.get("max_tokens", 0)
    output = count_output(cut.content, call.model) + count_text(cut.cut_input or "", call.model)
    thinking = sum(count_block(block, call.model) for block in cut.content if block["type"] == "thinking")
    return {
        **iteration_usage(use, min(output, limit)),
        "output_tokens_details": {"thinking_tokens": min(thinking, limit)},
        "server_tool_use": None,
        "service_tier": call.service_tier,
        "speed": call.request.get("speed") or "standard",
        "inference_geo": call.request.get("inference_geo") or "not_available",
    }


def _complete_blocks(reply: Reply, call: Call) -> list[JsonObject]:
    """Return the reply's blocks with ids and signatures; thinking only where it is on."""
    done: list[JsonObject] = []
    last = call.request["messages"][-1]
    if last["role"] == "assistant" and last["content"] and not isinstance(last["content"], str):
        pending = last["content"][-1]
        if pending["type"] == "server_tool_use":  # the reply paused in a search; the stand-in's searches find nothing
            result = {"type": "web_search_tool_result", "tool_use_id": pending["id"], "content": [], "caller": _DIRECT}
            done.append(result)
    before = [call.compacted.block] if call.compacted is not None and call.compacted.block is not None else []
    for index, block in enumerate(reply.content):
        if block["type"] != "thinking":
            done.append(_complete_block(block, index, call))
        elif request_thinks(call.request, call.model):
            done.append(_complete_thinking(block, [*before, *done], call))
    return done


def _complete_block(block: JsonObject, index: int, call: Call) -> JsonObject:
    kind = block["type"]
    if kind == "text":
        return {"type": kind, "text": block["text"], "citations": block.get("citations")}
    if kind == "tool_use":
        named = {"name": block["name"], "input": block["input"]}
        return {"type": kind, "id": call.fake_id("toolu", index), **named, "caller": _DIRECT}
    if kind == "server_tool_use":
        return {**block, "id": block.get("id") or call.fake_id("srvtoolu", index)}
    return block


def _complete_thinking(block: JsonObject, before: list[JsonObject], call: Call) -> JsonObject:
    """Sign a thinking block for the conversation up to it; `before` are the blocks of the same reply."""
    request = call.request
    if before:
        request = {**request, "messages": [*request["messages"], {"role": "assistant", "content": before}]}
    display = (call.request.get("thinking") or {}).get("display")
    shown = display != "omitted" if display else call.model.shows_thinking
    signature = sign_thinking(request, call.model)
    return {"type": "thinking", "thinking": block["thinking"] if shown else "", "signature": signature}


def encode_input(value: JsonObject) -> str:
    """Return a tool input as the JSON text the API streams."""
    return json.dumps(value, ensure_ascii=False)


def cut_input(content: list[JsonObject], characters: int) -> Cut:
    """Break the last block, a tool call, off after some characters of its input."""
    encoded = encode_input(content[-1]["input"])
    kept = max(1, min(characters, len(encoded) - 1))
    return Cut([*content[:-1], {**content[-1], "input": {}}], "max_tokens", cut_input=encoded[:kept])


def stop_at_sequence(cut: Cut, sequences: Sequence[str]) -> Cut:
    """End the content before the first stop sequence that occurs in a text block."""
    for index, block in enumerate(cut.content):
        if block["type"] != "text":
            continue
        hits = [(block["text"].find(each), each) for each in sequences if each and each in block["text"]]
        if hits:
            at, sequence = min(hits)
            kept = [{**block, "text": block["text"][:at]}] if at else []
            return Cut(cut.content[:index] + kept, "stop_sequence", sequence)
    return cut


def stop_at_limit(cut: Cut, limit: int, model: Model) -> Cut:
    """End the content where `limit` output tokens are used up."""
    left = limit - 1  # the end of the turn is billed as a token
    for index, block in enumerate(cut.content):
        cost = count_block(block, model)
        if cost <= left:
            left -= cost
            continue
        kept = cut.content[:index]  # a block that no text or input is left of goes as a whole
        characters = int(left * model.characters_per_token)
        if block["type"] == "text" and characters:
            return Cut([*kept, {**block, "text": block["text"][:characters]}], "max_tokens")
        if block["type"] == "tool_use" and characters:
            return cut_input([*kept, block], characters)
        return Cut(kept, "max_tokens")
    return cut


def message_events(finished: FinishedMessage, request: JsonObject, *, eager: bool = False) -> list[JsonObject]:
    """Return the events of a streamed reply, from message_start to message_stop.

    `eager` streams the input of every tool in fragments, except where a tool says no (the legacy beta header).
    """
    message = finished.message
    opening = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {**message["usage"], "output_tokens": 1, "output_tokens_details": None},
    }
    opening["usage"].pop("iterations", None)
    delta = {
        "type": "message_delta",
        "delta": {key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details", "container")},
        "usage": {key: message["usage"][key] for key in _WHOLE_USAGE if key in message["usage"]},
    }
    if "context_management" in message:  # known only once everything is said
        opening["context_management"] = None
        delta["context_management"] = message["context_management"]
    events: list[JsonObject] = [{"type": "message_start", "message": opening}]
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
    return [*events, delta, {"type": "message_stop"}]


def encode_event(event: JsonObject) -> bytes:
    """Return one event as the bytes of an SSE frame, blank line included."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


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
