"""Seeded chance: the same request and trial always roll the same. Knows no clock and no global random source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from .remember import remembered

T = TypeVar("T")

# What differs between two equal conversations (ids drawn by a server, cache marks, diagnostics) must not move the dice.
_NOT_SEEDED = frozenset({"id", "tool_use_id", "signature", "cache_control", "diagnostics", "metadata", "stream"})


@dataclass(frozen=True)
class Dice:
    """Rolls that depend on the seed and on what is rolled for, and on nothing else."""

    seed: bytes

    def roll(self, key: str) -> float:
        """Return a number in [0, 1) for this key."""
        digest = hashlib.blake2b(key.encode(), key=self.seed, digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    def pick(self, key: str, options: Sequence[T]) -> T:
        """Return one of the options, always the same one for this key."""
        return options[int(self.roll(key) * len(options))]


def dice_for(request: dict[str, Any], trial: int) -> Dice:
    """Return the dice of a request in a trial; ids, cache marks and diagnostics of the request do not matter."""
    parts = (b"%b:%b" % (orjson.dumps(key), _canonical(request[key])) for key in sorted(request.keys() - _NOT_SEEDED))
    content = b"{%b}" % b",".join(parts)
    return Dice(hashlib.blake2b(content, digest_size=32, salt=trial.to_bytes(8, "big", signed=True)).digest())


def _canonical(value: Any) -> bytes:
    """Return the JSON that counts, keys in order; what a conversation repeats from request to request is not redone."""
    if isinstance(value, list):
        return b"[%b]" % b",".join(map(_canonical, value))
    raw = orjson.dumps(value)
    return _canonical_json(raw)


@remembered(4096)
def _canonical_json(raw: bytes) -> bytes:
    return orjson.dumps(_without_ids(orjson.loads(raw)), option=orjson.OPT_SORT_KEYS)


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(item) for key, item in value.items() if key not in _NOT_SEEDED}
    if isinstance(value, list):
        return [_without_ids(item) for item in value]
    return value
