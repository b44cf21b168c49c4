"""The prompt cache: a request as a row of blocks, what of it is read and written, until when, and why it missed.

The rules are those of Anthropic's prompt caching page (platform.claude.com, read November 2026): writes happen at
markers, reads look back 20 steps from a marker, lifetimes count from the start of the request, an entry can be read
once the response that wrote it has begun, and a setting invalidates what is rendered behind it. Knows no prices.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import orjson

from evalkit.standin.models import (
    MESSAGE_OVERHEAD_TOKENS,
    TOOLS_OVERHEAD_TOKENS,
    Model,
    count_block,
    count_text,
    request_effort,
    request_thinks,
)
from evalkit.standin.reply import JsonObject

Ttl = Literal["5m", "1h"]
Section = Literal["tools", "system", "messages"]
MissType = Literal[
    "model_changed", "tools_changed", "system_changed", "messages_changed", "previous_message_not_found", "unavailable"
]
REMEMBERED_MESSAGES = 5_000
LOOK_BACK_STEPS = 20
LIFETIME_S: dict[Ttl, float] = {"5m": 300.0, "1h": 3600.0}
_PURGE_ABOVE = 50_000
THINKING = frozenset({"thinking", "redacted_thinking"})
"""The blocks that hold thinking: no cache marker may stand on them."""


class Position(NamedTuple):
    """One block of the prompt; `step` is its place in the look-back, where runs of tool calls or results count once."""

    section: Section
    tokens_so_far: int
    digest: bytes
    step: int
    marker: Ttl | None
    markable: bool


@dataclass(frozen=True)
class Prompt:
    """Hold the blocks of one request in the order tools, system, messages."""

    positions: tuple[Position, ...]
    model_id: str
    tools_digest: bytes
    system_digest: bytes
    total_tokens: int


class _Builder:
    """Walk a request once, carrying the running digest, token count and look-back step."""

    def __init__(self, model: Model, root: bytes) -> None:
        self.model = model
        self.digest = root
        self.tokens = 0
        self.step = 0
        self.positions: list[Position] = []

    def salt(self, value: object) -> None:
        """Mix a setting into the digest, so that everything after it depends on the setting."""
        self.digest = blake2b(self.digest + orjson.dumps(value), digest_size=16).digest()

    def add(self, section: Section, prefix: bytes, block: JsonObject, *, same_step: bool = False) -> None:
        """Append one block; its cache marker is noted and left out of the digest."""
        marker, plain = _without_marker(block)
        encoded = orjson.dumps(plain)
        self.digest = blake2b(self.digest + prefix + encoded, digest_size=16).digest()
        self.tokens += count_block(plain, self.model, encoded)
        if not same_step:
            self.step += 1
        markable = block.get("type") not in THINKING and block.get("text") != ""
        self.positions.append(Position(section, self.tokens, self.digest, self.step, marker, markable))


def read_prompt(request: JsonObject, model: Model, scope: str = "") -> Prompt:
    """Lay a valid request out as cache positions; `scope` keeps workspaces apart."""
    # A change of the format loses the whole prompt, so it belongs to the root. Other settings are mixed in where
    # the API renders them: a change of one loses only what comes after.
    config = request.get("output_config") or {}
    root = orjson.dumps([scope, model.id, config.get("format")])
    builder = _Builder(model, blake2b(root, digest_size=16).digest())
    tools = request.get("tools") or ()
    builder.tokens += TOOLS_OVERHEAD_TOKENS if tools else 0
    for tool in tools:
        if _is_web_search(tool):  # lives in the system section: see _system_settings
            builder.tokens += count_text(tool["type"], model)
        else:
            builder.add("tools", b"t", tool)
    tools_digest = builder.digest
    builder.salt(_system_settings(request))
    for block in as_blocks(request.get("system")):
        builder.add("system", b"s", block)
    system_digest = builder.digest
    builder.salt(_message_settings(request, model))
    _add_messages(builder, request["messages"])
    if ttl := marker_ttl(request.get("cache_control")):  # falls on the last block that can be marked
        last = next((at for at, each in reversed([*enumerate(builder.positions)]) if each.markable), None)
        if last is not None:
            position = builder.positions[last]
            builder.positions[last] = position._replace(marker=position.marker or ttl)
    return Prompt(tuple(builder.positions), model.id, tools_digest, system_digest, builder.tokens)


def as_blocks(content: Any) -> Sequence[JsonObject]:
    """Return message or system content as a list of blocks; a string is one text block."""
    if content is None:
        return ()
    if isinstance(content, str):
        return ({"type": "text", "text": content},)
    blocks: Sequence[JsonObject] = content
    return blocks


def blocks_of(messages: Sequence[JsonObject]) -> Iterator[tuple[int, int, JsonObject]]:
    """Yield every content block of messages whose content is a list, behind its message's number and its own."""
    for index, message in enumerate(messages):
        if not isinstance(message["content"], str):
            for position, block in enumerate(message["content"]):
                yield index, position, block


def _add_messages(builder: _Builder, messages: Sequence[JsonObject]) -> None:
    forgotten = -1 if builder.model.keeps_cache_across_user_text else _last_user_text(messages)
    last_role = last_kind = ""
    for index, message in enumerate(messages):
        role = message["role"]
        if role != last_role:
            builder.tokens += MESSAGE_OVERHEAD_TOKENS
            last_kind = ""
        prefix = b"" if role == last_role else role.encode()  # messages of one role are one turn to the model
        for block in as_blocks(message["content"]):
            kind = block["type"]
            if index < forgotten and kind in THINKING:
                continue  # models of this generation drop old thinking once the user speaks again
            builder.add("messages", prefix, block, same_step=kind == last_kind and kind in {"tool_use", "tool_result"})
            prefix, last_kind = b"", kind
        last_role = role


def _last_user_text(messages: Sequence[JsonObject]) -> int:
    """Return the index of the last user message that is more than tool results, or -1."""
    spoken = (
        index
        for index in range(len(messages) - 1, -1, -1)
        if messages[index]["role"] == "user"
        and any(block["type"] != "tool_result" for block in as_blocks(messages[index]["content"]))
    )
    return next(spoken, -1)


def _system_settings(request: JsonObject) -> list[Any]:
    tools = request.get("tools") or ()
    cites = any(
        (block.get("citations") or {}).get("enabled") if block["type"] == "document" else False
        for _, _, block in blocks_of(request["messages"])
    )
    return [request.get("speed") or "standard", [tool for tool in tools if _is_web_search(tool)], cites]


def _message_settings(request: JsonObject, model: Model) -> list[Any]:
    thinking = request.get("thinking") or {}
    choice = request.get("tool_choice") or {"type": "auto"}
    kind = thinking.get("type") if thinking.get("type") == "between_tools" else request_thinks(request, model)
    return [
        kind,
        thinking.get("budget_tokens"),
        request_effort(request, model),
        [choice.get("type"), choice.get("name"), bool(choice.get("disable_parallel_tool_use"))],
        any(block["type"] == "image" for _, _, block in blocks_of(request["messages"])),
    ]


def _is_web_search(tool: JsonObject) -> bool:
    return str(tool.get("type") or "").startswith("web_search")


def _without_marker(block: JsonObject) -> tuple[Ttl | None, JsonObject]:
    """Return a block's marker and the block without it; a marker inside a tool result marks the result."""
    content = block.get("content")
    nested = block.get("type") == "tool_result" and isinstance(content, list)
    if not nested:
        if "cache_control" not in block:
            return None, block
        return marker_ttl(block["cache_control"]), {k: v for k, v in block.items() if k != "cache_control"}
    parts = [_without_marker(part) for part in content or ()]
    marker = marker_ttl(block.get("cache_control")) or next((ttl for ttl, _ in reversed(parts) if ttl), None)
    plain = {k: v for k, v in block.items() if k != "cache_control"}
    plain["content"] = [part for _, part in parts]
    return marker, plain


def marker_ttl(control: JsonObject | None) -> Ttl | None:
    """Return how long a marker asks to keep its prefix; None without a marker."""
    if control is None:
        return None
    return "1h" if control.get("ttl") == "1h" else "5m"


@dataclass(frozen=True)
class CacheUse:
    """Split one prompt's tokens; the four counts always sum to the prompt. `writes` are the entries to publish."""

    input_tokens: int
    write_5m_tokens: int = 0
    write_1h_tokens: int = 0
    read_tokens: int = 0
    writes: tuple[tuple[bytes, Ttl], ...] = ()
    started_at: float = 0.0

    @property
    def write_tokens(self) -> int:
        """Sum the writes of both lifetimes."""
        return self.write_5m_tokens + self.write_1h_tokens


@dataclass
class _Entry:
    ttl: Ttl
    expires_at: float


class PromptCache:
    """Remember prefixes for as long as the API would; `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._lock = threading.Lock()

    def open(self, prompt: Prompt, minimum_tokens: int) -> CacheUse:
        """Look a prompt up as its request starts; what it writes stays invisible until `publish`."""
        now = self._clock()
        markers = [
            index
            for index, position in enumerate(prompt.positions)
            if position.marker is not None and position.tokens_so_far >= minimum_tokens
        ]
        if not markers:
            return CacheUse(prompt.total_tokens, started_at=now)
        with self._lock:
            hit = self._longest_hit(prompt.positions, markers, now)
            # reading keeps alive what was read, and what earlier markers of the same prompt left on the way there
            for index in {*(marker for marker in markers if marker <= hit), hit} - {-1}:
                entry = self._entries.get(prompt.positions[index].digest)
                if entry is not None and entry.expires_at > now:
                    entry.expires_at = now + LIFETIME_S[entry.ttl]
        return _split(prompt, markers, hit, now)

    def publish(self, use: CacheUse) -> None:
        """Make the entries of a request readable, because its response has begun."""
        with self._lock:
            for digest, ttl in use.writes:
                self._entries[digest] = _Entry(ttl, use.started_at + LIFETIME_S[ttl])
            if len(self._entries) > _PURGE_ABOVE:
                now = self._clock()
                self._entries = {d: e for d, e in self._entries.items() if e.expires_at > now}

    def _longest_hit(self, positions: Sequence[Position], markers: Sequence[int], now: float) -> int:
        for marker in reversed(markers):
            oldest_step = positions[marker].step - LOOK_BACK_STEPS
            for index in range(marker, -1, -1):
                # runs of calls and of results are one step: a turn with thirty tools does not use the look-back up
                if positions[index].step <= oldest_step:
                    break
                entry = self._entries.get(positions[index].digest)
                if entry is not None and entry.expires_at > now:
                    return index
        return -1


def _split(prompt: Prompt, markers: Sequence[int], hit: int, now: float) -> CacheUse:
    """Bill the tokens: read up to the hit, one-hour writes up to their last marker, five-minute writes behind it."""
    positions = prompt.positions
    written = [index for index in markers if index > hit]
    long_lived = [index for index in written if positions[index].marker == "1h"]
    read = positions[hit].tokens_so_far if hit >= 0 else 0
    until_1h = positions[long_lived[-1]].tokens_so_far if long_lived else read
    until_last = positions[written[-1]].tokens_so_far if written else read
    return CacheUse(
        input_tokens=prompt.total_tokens - until_last,
        write_5m_tokens=until_last - until_1h,
        write_1h_tokens=until_1h - read,
        read_tokens=read,
        writes=tuple((positions[index].digest, positions[index].marker or "5m") for index in written),
        started_at=now,
    )


@dataclass(frozen=True)
class CacheMiss:
    """Name the first part of the prompt that differs; tokens are those of the earlier prompt that went unused.

    Without a type the comparison is still to come.
    """

    type: MissType | None
    missed_tokens: int | None = None

    def to_json(self) -> JsonObject:
        """Return the response's `diagnostics` object."""
        if self.type is None:
            return {"cache_miss_reason": None}
        reason: JsonObject = {"type": self.type}
        if self.missed_tokens is not None:
            reason["cache_missed_input_tokens"] = self.missed_tokens
        return {"cache_miss_reason": reason}


class Diagnostics:
    """Keep the prompts of answered requests that asked for diagnostics, the newest 5,000.

    The API does not say when a comparison is pending or unavailable. Here it is pending while the earlier response is
    still under way, and unavailable where one of the two prompts is not what its client sent (edits, compaction).
    """

    def __init__(self) -> None:
        self._prompts: OrderedDict[str, Prompt | None] = OrderedDict()
        self._under_way: set[str] = set()

    def explain(self, previous_message_id: str | None, prompt: Prompt | None) -> CacheMiss | None:
        """Return why `prompt` can't reuse the named message's prompt; None for a first turn or a clean continuation.

        A prompt that the server edited is None.
        """
        if previous_message_id is None:
            return None
        if previous_message_id not in self._prompts:
            return CacheMiss("previous_message_not_found")
        previous = self._prompts[previous_message_id]
        if previous is None or prompt is None:
            return CacheMiss("unavailable")
        if previous_message_id in self._under_way:
            return CacheMiss(None)
        return compare_prompts(previous, prompt)

    def remember(self, message_id: str, prompt: Prompt | None) -> None:
        """Keep a prompt under the id of the message that answers it, from now until `complete` under way."""
        self._prompts[message_id] = prompt
        self._under_way.add(message_id)
        if len(self._prompts) > REMEMBERED_MESSAGES:
            self._under_way.discard(self._prompts.popitem(last=False)[0])

    def complete(self, message_id: str) -> None:
        """Note that a response has ended, well or badly."""
        self._under_way.discard(message_id)


def compare_prompts(previous: Prompt, current: Prompt) -> CacheMiss | None:
    """Return the first difference in prefix order, or None where `current` starts with all of `previous`."""
    if previous.model_id != current.model_id:
        return CacheMiss("model_changed", previous.total_tokens)
    before, now = previous.positions, current.positions
    differing = (index for index, (old, new) in enumerate(zip(before, now, strict=False)) if old.digest != new.digest)
    shared = next(differing, min(len(before), len(now)))
    unused = previous.total_tokens - (before[shared - 1].tokens_so_far if shared else 0)
    if previous.tools_digest != current.tools_digest:
        return CacheMiss("tools_changed", unused)
    if previous.system_digest != current.system_digest:
        return CacheMiss("system_changed", unused)
    return CacheMiss("messages_changed", unused) if shared < len(before) else None
