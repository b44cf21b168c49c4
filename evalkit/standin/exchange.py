"""One request from its bytes to the wire: where protocol, context, prompt cache, script and faults come together.

Synchronous and free of HTTP: `open` accepts a request or raises the API's error, `begin` is called when the
response begins, `finish` says what to send.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from evalkit.standin.cache import CacheUse, Diagnostics, Prompt, PromptCache, read_prompt
from evalkit.standin.context import (
    CompactionResult,
    DueCompaction,
    EditedRequest,
    apply_edits,
    behind_block,
    block_of,
    compaction_due,
)
from evalkit.standin.directions import Directions, mark_no_script
from evalkit.standin.errors import ApiError, bad_request
from evalkit.standin.faults import Fault, FaultRates, Send, Step, healthy
from evalkit.standin.models import count_output
from evalkit.standin.protocol.message import Call, FinishedMessage, encode_event, finish_message, message_events
from evalkit.standin.protocol.ratelimits import RateLimiter, RateLimits
from evalkit.standin.protocol.thinking import check_thinking_blocks
from evalkit.standin.protocol.validate import FINE_GRAINED_TOOLS, Terms, check_length, validate_request
from evalkit.standin.reply import Answer, Cue, JsonObject, NoScript, Reply

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream; charset=utf-8"
_PROXY_PAGE = b"<html><body>The stand-in plays a proxy that answers in place of the API.</body></html>"
_BODY_PIECES = 6


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Configure one stand-in server.

    `first_byte_s` and `event_s` slow every reply down: time until the response begins, and between its events.
    `slow_s` is how long the slow faults take in all, `stall_s` how long a stalled response is held at most.
    A message batch ends at its `batch_polls`-th retrieval.
    """

    answer: Answer
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    limits: RateLimits = field(default_factory=RateLimits)
    faults: FaultRates = field(default_factory=FaultRates)
    first_byte_s: float = 0.0
    event_s: float = 0.0
    slow_s: float = 2.0
    stall_s: float = 60.0
    retry_after_s: float = 1
    batch_polls: int = 1


@dataclass(frozen=True)
class Exchange:
    """An accepted request on its way to its response; `seen` is the request as the model sees it."""

    call: Call
    seen: JsonObject
    prompt: Prompt
    use: CacheUse
    fault: Fault | None
    cue: Cue
    extras: JsonObject
    eager_tools: bool = False
    no_summary: NoScript | None = None

    @property
    def streams(self) -> bool:
        """Tell whether the request asked for a stream."""
        return bool(self.call.request.get("stream"))


@dataclass(frozen=True)
class Outgoing:
    """A response with status 200: its content type, the steps of its body, and headers of its own."""

    content_type: str
    steps: Sequence[Step]
    headers: Mapping[str, str] = field(default_factory=dict)


class Desk:
    """Answer requests; holds what outlives one: the cache, the rate limits, the diagnostics."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cache = PromptCache(settings.clock)
        self._diagnostics = Diagnostics()
        self.limiter = RateLimiter(settings.limits, settings.clock, settings.wall_clock)

    def open(self, raw: bytes, terms: Terms, directions: Directions, workspace: str = "") -> Exchange:
        """Accept a request and look its prompt up in the cache; raises ApiError where the API would refuse it."""
        request = parse_body(raw)
        fault, cue = directions.fault_and_cue(request)
        fault = fault or self._settings.faults.draw(raw, directions.trial, directions.attempt)
        if fault is not None and fault.streams_only and not request.get("stream"):
            fault = None
        # an error on purpose comes before the request is looked at, as from an overloaded server
        error = fault.error_for(streams=bool(request.get("stream"))) if fault is not None else None
        if fault is not None and error is not None:
            headers = {"retry-after": f"{self._settings.retry_after_s:g}"} if fault.retry_after else {}
            raise ApiError(replace(error, headers=headers))
        model = validate_request(request, terms)
        readable, transformations = check_thinking_blocks(request, model, drop_mismatches=terms.in_batch)
        edited = apply_edits(readable, model, workspace)
        check_length(edited.prompt.total_tokens, model)
        use = self._cache.open(edited.prompt, model.cache_minimum_tokens)
        if not terms.in_batch:
            self.limiter.admit(model.rate_class, use.input_tokens + use.write_tokens)
        tier = "batch" if terms.in_batch else "standard"
        call = Call(readable, raw, model, edited.prompt.total_tokens, directions.trial, directions.attempt, tier)
        extras = self._extras(readable, edited, transformations)
        eager = FINE_GRAINED_TOOLS in terms.betas
        exchange = Exchange(call, edited.request, edited.prompt, use, fault, cue, extras, eager)
        due = compaction_due(edited.request, edited.prompt.total_tokens)
        return exchange if due is None else self._compact(exchange, due, workspace)

    def _compact(self, exchange: Exchange, due: DueCompaction, workspace: str) -> Exchange:
        """Have the conversation summed up; what follows, if anything, sees the summary instead of the messages."""
        call = exchange.call
        # a case's own step is what the assistant says next; the summary is not that
        reply = self._settings.answer(due.asking(exchange.seen), call.trial, replace(exchange.cue, step=None))
        exchange = replace(exchange, no_summary=reply.no_script)
        block = None if reply.no_script else block_of(reply, due)
        tokens = count_output([block] if block else [], call.model)
        stop_reason = "compaction" if due.ends else None
        if due.ends and (block is None or tokens > call.request["max_tokens"]):
            block, stop_reason = None, "end_turn" if block is None else "max_tokens"
            tokens = min(tokens, call.request["max_tokens"])
        elif block is None:
            block = {"type": "compaction", "content": None}
        compacted = CompactionResult(block, exchange.use, tokens, stop_reason)
        if stop_reason is not None:
            return replace(exchange, call=replace(call, compacted=compacted))
        seen = behind_block(exchange.seen, block) if block and block["content"] else exchange.seen
        prompt = read_prompt(seen, call.model, workspace)
        use = self._cache.open(prompt, call.model.cache_minimum_tokens)
        call = replace(call, compacted=compacted, prompt_tokens=prompt.total_tokens)
        return replace(exchange, call=call, seen=seen, use=use)

    def begin(self, exchange: Exchange) -> None:
        """Note that the response begins: its cache entries become readable, its prompt can be compared with."""
        if exchange.call.compacted is not None:
            self._cache.publish(exchange.call.compacted.use)
        self._cache.publish(exchange.use)
        if exchange.call.request.get("diagnostics") is not None:
            prompt = exchange.prompt if exchange.seen is exchange.call.request else None
            self._diagnostics.remember(exchange.call.fake_id("msg"), prompt)

    def end(self, exchange: Exchange) -> None:
        """Note that the response has ended, so that later prompts can be compared with its own."""
        if exchange.call.request.get("diagnostics") is not None:
            self._diagnostics.complete(exchange.call.fake_id("msg"))

    def finish(self, exchange: Exchange) -> Outgoing:
        """Ask whoever answers for the reply and return what to send."""
        finished = self.compose(exchange)
        fault = exchange.fault
        content_type = STREAM_TYPE if exchange.streams else JSON_TYPE
        if fault is not None and fault.body is not None:
            bodies = {
                "html": Outgoing("text/html; charset=utf-8", [Send(_PROXY_PAGE)]),
                "json": Outgoing(JSON_TYPE, [Send(orjson.dumps(finished.message))]),
                "empty": Outgoing(content_type, []),
            }
            return bodies[fault.body]
        if exchange.streams:
            events = message_events(finished, exchange.call.request, eager=exchange.eager_tools)
            if fault is not None and fault.events is not None:
                events = fault.events(events)
            frames = [encode_event(event) for event in events]
        else:
            frames = [orjson.dumps(finished.message)]
        if fault is None or fault.wire is None:
            steps = healthy(frames)
        elif exchange.streams:
            steps = fault.wire(frames)
        else:  # cut into pieces, so that the body can break off in between
            size = max(1, -(-len(frames[0]) // _BODY_PIECES))
            steps = fault.wire([frames[0][start : start + size] for start in range(0, len(frames[0]), size)])
        return Outgoing(content_type, steps, mark_no_script(finished.no_script or exchange.no_summary))

    def compose(self, exchange: Exchange) -> FinishedMessage:
        """Return the finished message of an exchange and account for its output tokens."""
        call = exchange.call
        if call.compacted is not None and call.compacted.stop_reason is not None:
            reply = Reply(())
        else:
            reply = self._settings.answer(exchange.seen, call.trial, exchange.cue)
        if exchange.fault is not None and exchange.fault.reply is not None:
            reply = exchange.fault.reply(reply, call.request)
        finished = finish_message(reply, call, exchange.use, exchange.extras)
        if call.service_tier != "batch":
            self.limiter.spend_output(call.model.rate_class, finished.output_tokens)
        return finished

    def count_tokens(self, raw: bytes, terms: Terms) -> JsonObject:
        """Return the token count of a request without answering it; the cache is not touched."""
        request = parse_body(raw)
        model = validate_request(request, replace(terms, endpoint="count_tokens"))
        self.limiter.admit_count(model.rate_class)
        readable, _ = check_thinking_blocks(request, model)
        edited = apply_edits(readable, model)
        total = edited.prompt.total_tokens
        if request.get("context_management") is None:
            return {"input_tokens": total}
        return {"input_tokens": total, "context_management": {"original_input_tokens": edited.original_tokens}}

    def _extras(self, request: JsonObject, edited: EditedRequest, transformations: list[JsonObject]) -> JsonObject:
        extras: JsonObject = {}
        if request.get("diagnostics") is not None:
            miss = self._diagnostics.explain(
                request["diagnostics"].get("previous_message_id"), edited.prompt if edited.request is request else None
            )
            extras["diagnostics"] = miss.to_json() if miss else None
        if transformations:
            extras["input_transformations"] = transformations
        if request.get("context_management") is not None:
            extras["context_management"] = {"applied_edits": list(edited.applied)}
        return extras


def parse_body(raw: bytes) -> JsonObject:
    """Return the JSON object of a request body; raises the API's 400."""
    try:
        value = orjson.loads(raw)
    except ValueError as exc:
        raise bad_request(f"The request body is not valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise bad_request("body: Input should be a valid dictionary")
    return value
