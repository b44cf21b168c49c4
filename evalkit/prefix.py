"""What of a request body the prompt cache goes by: its parts in the cache's order, its markers, and where two differ.

Order and effect as platform.claude.com describes prompt caching (read November 2026): tools, system, messages; a marker
writes everything up to itself; settings that change how messages are read are lost with the messages only. Knows bodies
of the Messages API; nothing of tokens, prices or runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

import orjson

from evalkit.records import JsonObject, PromptVersion

Lifetime = Literal["5m", "1h"]
_SETTINGS = ("tool_choice", "thinking", "output_config", "speed")
_SHOWN = 60


@dataclass(frozen=True)
class Part:
    """A piece of a prompt: its place in the body, its bytes without the marker, and its marker's lifetime if any."""

    where: str
    data: bytes
    marker: Lifetime | None = None


@dataclass(frozen=True)
class Difference:
    """The first byte at which a prompt leaves an earlier one's cached prefix: counted from the prompt's beginning.

    `input` names the prompt's input whose value stands there (`guest.name`), empty where none does or none is known.
    """

    byte: int
    where: str
    before: str
    after: str
    input: str = ""


def prompt_parts(body: JsonObject) -> tuple[Part, ...]:
    """Return the parts of a body's prompt in the order in which the cache reads them."""
    parts = [Part("model", orjson.dumps(body.get("model")))]
    parts += [_part(f"tools[{n}]", tool) for n, tool in enumerate(body.get("tools") or ())]
    parts += [_part(f"system[{n}]", block) for n, block in enumerate(_blocks(body.get("system")))]
    parts.append(Part("settings", orjson.dumps({key: body[key] for key in _SETTINGS if key in body}, default=dict)))
    for n, message in enumerate(body.get("messages") or ()):
        role = orjson.dumps(message.get("role"))
        content = [_part(f"messages[{n}].content[{m}]", each) for m, each in enumerate(_blocks(message.get("content")))]
        parts += [Part(part.where, role + part.data, part.marker) for part in content]
    automatic = body.get("cache_control")
    if automatic and not any(part.marker for part in parts[-1:]):
        parts[-1] = Part(parts[-1].where, parts[-1].data, _lifetime(automatic))
    return tuple(parts)


def cached_prefix(body: JsonObject) -> tuple[Part, ...]:
    """Return the parts up to the last marker, which is what a request leaves in the cache; none without a marker."""
    parts = prompt_parts(body)
    last = max((n for n, part in enumerate(parts) if part.marker), default=-1)
    return parts[: last + 1]


def standing_body(prompt: PromptVersion) -> JsonObject:
    """Return what of a request's body is the same in all sessions with this prompt, the automatic marker left out."""
    return {"model": prompt.model, "tools": prompt.tools, "system": prompt.system}


def cache_lifetime(body: JsonObject) -> Lifetime:
    """Return how long what a request writes up to its last marker is kept; 5m without a marker."""
    prefix = cached_prefix(body)
    return (prefix[-1].marker or "5m") if prefix else "5m"


def first_difference(before: JsonObject, after: JsonObject, inputs: JsonObject | None = None) -> Difference | None:
    """Return where a body leaves the prefix that an earlier one left in the cache; None when it goes on with it.

    `inputs` are those that the system prompt of `after` was rendered with.
    """
    offset, later = 0, prompt_parts(after)
    for n, part in enumerate(cached_prefix(before)):
        other = later[n] if n < len(later) else Part("the end", b"")
        if (part.where, part.data) != (other.where, other.data):
            pairs = zip(part.data, other.data, strict=False)
            at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            name = _input_at(other.data, at, inputs or {}) if other.where.startswith("system") else ""
            return Difference(offset + at, part.where, _excerpt(part.data, at), _excerpt(other.data, at), name)
        offset += len(part.data)
    return None


def _input_at(data: bytes, at: int, inputs: JsonObject) -> str:
    """Return which input's value is written over a byte of a part, or else ends just before it: the longest one."""
    written = {name: value for name, value in _values(inputs) if value}
    over = [name for name, value in written.items() if value in data[max(0, at - len(value) + 1) : at + len(value)]]
    before = [name for name, value in written.items() if data[:at].endswith(value)]
    return max(over or before, key=lambda name: len(written[name]), default="")


def _values(value: Any, name: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield every text and number in inputs with its path and the bytes it has in a body."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _values(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for n, item in enumerate(value):
            yield from _values(item, f"{name}[{n}]")
    elif value is not None:
        yield name, orjson.dumps(value if isinstance(value, str) else str(value))[1:-1]


def _blocks(value: Any) -> list[Any]:
    """Return content as blocks; a text stands for one text block."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    return list(value or ())


def _part(where: str, block: Any) -> Part:
    if not isinstance(block, Mapping):
        return Part(where, orjson.dumps(block))
    plain = {key: value for key, value in block.items() if key != "cache_control"}
    marker = block.get("cache_control")
    return Part(where, orjson.dumps(plain, default=dict), _lifetime(marker) if marker else None)


def _lifetime(marker: Any) -> Lifetime:
    return "1h" if isinstance(marker, Mapping) and marker.get("ttl") == "1h" else "5m"


def _excerpt(data: bytes, at: int) -> str:
    return data[max(0, at - _SHOWN // 3) : at + _SHOWN].decode("utf-8", "replace")
