"""Pictures and documents in a record: each is a line of its own, once a file, and later lines name it by its hash.

Where a content block has `data`, its line has `{"blob": sha}`; put back, the block is what it was byte for byte. So a
hundred trials that show one photo hold it once. Knows which parts of a line hold content blocks; knows no files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

from evalkit.records import BlobLine
from evalkit.records.run import to_json

SHORTEST = 200
"""Data shorter than this stays where it is: a reference would save nothing."""

REFERENCE = b'{"blob":"'
"""What stands in the bytes of a line that refers to a blob; looked for first, because most lines have none."""

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class Blobs:
    """What a file being written has of pictures and documents already."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._written = set(known)

    def know(self, shas: Iterable[str]) -> None:
        """Take blobs as written already."""
        self._written.update(shas)

    def pack(self, obj: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what to write for a line: the blobs that the file lacks, then the line with references to them."""
        lines: list[dict[str, Any]] = []

        def refer(data: Any) -> Any:
            if not isinstance(data, str) or len(data) < SHORTEST:
                return data
            sha = sha256(data.encode("utf-8", "surrogatepass")).hexdigest()
            if sha not in self._written:
                self._written.add(sha)
                lines.append(to_json(BlobLine(sha, data)))
            return {"blob": sha}

        packed = _with_data(obj, refer)
        return [*lines, packed]


def put_back(obj: dict[str, Any], blobs: Mapping[str, str]) -> dict[str, Any]:
    """Return a line with the data that its references stand for; KeyError for one that `blobs` does not have."""
    return _with_data(obj, lambda data: blobs[data["blob"]] if _is_reference(data) else data)


def blobs_named(obj: dict[str, Any]) -> list[str]:
    """Return the hashes that a line refers to."""
    found: list[str] = []

    def note(data: Any) -> Any:
        found.extend([data["blob"]] if _is_reference(data) else [])
        return data

    _with_data(obj, note)
    return found


def data_length(messages: Iterable[Mapping[str, Any]]) -> int:
    """Return how many characters of messages are pictures and documents."""
    found: list[int] = []

    def note(data: Any) -> Any:
        found.append(len(data) if isinstance(data, str) else 0)
        return data

    for message in messages:
        _walked(message.get("content"), note)
    return sum(found)


def holds_base64(obj: Mapping[str, Any]) -> bool:
    """Tell whether a line is a blob of base64: no secret can be read in it, and looking for one could damage it."""
    return obj.get("line") == "blob" and _BASE64.fullmatch(str(obj["data"])) is not None


def _is_reference(data: Any) -> bool:
    return isinstance(data, Mapping) and [*data] == ["blob"]


def _with_data(obj: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a line with the `data` of every content block changed; what holds no block stays the same object."""
    changed = dict(obj)
    changed.update((key, _walked(obj[key], change)) for key in ("history", "content") if key in obj)
    request = obj.get("request")
    if isinstance(request, Mapping) and isinstance(request.get("body"), Mapping):
        body = request["body"]
        if "messages" in body:
            body = {**body, "messages": _walked(body["messages"], change)}
            changed["request"] = {**request, "body": body}
    return changed


def _walked(value: Any, change: Callable[[Any], Any]) -> Any:
    """Go through messages and blocks down to each `source`, also of blocks inside a tool's result."""
    if isinstance(value, Mapping):
        return {
            key: {**inner, "data": change(inner["data"])}
            if key == "source" and isinstance(inner, Mapping) and "data" in inner
            else _walked(inner, change)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_walked(inner, change) for inner in value]
    return value
