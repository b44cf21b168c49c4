"""From a Reply to a finished Message object: ids, signatures, limits, usage.

Everything is derived from the request's bytes and the trial, so the same request gets the same message, ids included;
ids say `standin`. Knows neither how the message travels nor who wrote the reply.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from evalkit.standin.cache import CacheUse
from evalkit.standin.context.compact import Compacted, iteration_usage
from evalkit.standin.models import Model, request_thinks
from evalkit.standin.protocol.limits import Cut, cut_input, stop_at_limit, stop_at_sequence
from evalkit.standin.protocol.thinking import sign_thinking
from evalkit.standin.reply import JsonObject, Reply
from evalkit.standin.tokens import count_block, count_output, count_text

_DIRECT: JsonObject = {"type": "direct"}


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
    compacted: Compacted | None = None

    def fake_id(self, prefix: str, *parts: object) -> str:
        """Return an id that is the same for the same request bytes, trial and attempt, and visibly made up."""
        seed = repr((self.trial, self.attempt, parts)).encode()
        return f"{prefix}_standin_{blake2b(self.raw + seed, digest_size=9).hexdigest()}"


@dataclass(frozen=True)
class Finished:
    """A complete message; `cut_input` is the unfinished JSON of its last tool call, if that was cut."""

    message: JsonObject
    cut_input: str | None = None

    @property
    def output_tokens(self) -> int:
        """Return the tokens the message is billed for."""
        iterations = self.message["usage"].get("iterations") or ()
        outside = sum(int(each["output_tokens"]) for each in iterations if each["type"] == "compaction")
        return int(self.message["usage"]["output_tokens"]) + outside


def finish_message(reply: Reply, call: Call, use: CacheUse, extras: JsonObject) -> Finished:
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
    return Finished(message, cut.cut_input)


def _with_compaction(cut: Cut, usage: JsonObject, use: CacheUse, compacted: Compacted) -> tuple[Cut, JsonObject]:
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
        "input_tokens": use.input_tokens,
        "cache_creation_input_tokens": use.write_tokens,
        "cache_read_input_tokens": use.read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": use.write_5m_tokens,
            "ephemeral_1h_input_tokens": use.write_1h_tokens,
        },
        "output_tokens": min(output, limit),
        "output_tokens_details": {"thinking_tokens": min(thinking, limit)},
        "server_tool_use": None,
        "service_tier": call.service_tier,
        "speed": call.request.get("speed") or "standard",
        "inference_geo": call.request.get("inference_geo") or "not_available",
    }


def _complete_blocks(reply: Reply, call: Call) -> list[JsonObject]:
    """Return the reply's blocks with ids and signatures; thinking only where it is on."""
    done: list[JsonObject] = list(_pending_results(call.request))
    before = [call.compacted.block] if call.compacted is not None and call.compacted.block is not None else []
    for index, block in enumerate(reply.content):
        if block["type"] != "thinking" or request_thinks(call.request, call.model):
            done.append(_complete_block(block, index, [*before, *done], call))
    return done


def _pending_results(request: JsonObject) -> Iterator[JsonObject]:
    """Yield the result of a server-side tool that the last reply paused in: the stand-in's searches find nothing."""
    last = request["messages"][-1]
    if last["role"] == "assistant" and last["content"] and not isinstance(last["content"], str):
        block = last["content"][-1]
        if block["type"] == "server_tool_use":
            yield {"type": "web_search_tool_result", "tool_use_id": block["id"], "content": [], "caller": _DIRECT}


def _complete_block(block: JsonObject, index: int, done: list[JsonObject], call: Call) -> JsonObject:
    kind = block["type"]
    if kind == "text":
        return {"type": "text", "text": block["text"], "citations": block.get("citations")}
    if kind == "tool_use":
        call_id = call.fake_id("toolu", index)
        return {
            "type": kind,
            "id": call_id,
            "name": block["name"],
            "input": block["input"],
            "caller": {"type": "direct"},
        }
    if kind == "server_tool_use":
        return {**block, "id": block.get("id") or call.fake_id("srvtoolu", index)}
    if kind == "thinking":
        shown = block["thinking"] if _shows_thinking(call) else ""
        return {
            "type": kind,
            "thinking": shown,
            "signature": sign_thinking(_with_reply(call.request, done), call.model),
        }
    return block


def _shows_thinking(call: Call) -> bool:
    display = (call.request.get("thinking") or {}).get("display")
    return display != "omitted" if display else call.model.shows_thinking


def _with_reply(request: JsonObject, done: list[JsonObject]) -> JsonObject:
    if not done:
        return request
    return {**request, "messages": [*request["messages"], {"role": "assistant", "content": done}]}
