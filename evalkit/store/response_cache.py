"""Replies that were paid for once, kept below `.evalkit_cache` so that the same question of the same trial is free.

A key is made from the endpoint, the bytes of the request, its headers, and the trial that asks: five trials stay five
draws, and another text is another key. Errors are never kept, and what is not used any more is removed in time. Knows
files; must not know when a reply may be used.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from evalkit.records import JsonObject, Request
from evalkit.store.files import plain, shallow
from evalkit.store.scrubbing import Scrubber

CACHE = ".evalkit_cache"
KEEP_S = 30 * 24 * 3600.0
"""Replies that nobody has used for this long are for prompts that are gone."""
_VERSION = 1
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)


class ResponseCache:
    """The replies of one project; `fresh` reads none of them, and keeps the new ones all the same."""

    def __init__(self, folder: Path, *, fresh: bool = False, scrub: Scrubber | None = None) -> None:
        self._folder = folder
        self._fresh = fresh
        self._scrub = scrub or Scrubber()

    def load(self, key: str) -> Request | None:
        """Return the kept reply, None when there is none; a file that is torn or of another version is none."""
        if self._fresh:
            return None
        path = self._path(key)
        try:
            stored = orjson.loads(path.read_bytes())
            found = _REQUEST.validate_python(stored["request"]) if stored["version"] == _VERSION else None
        except (FileNotFoundError, orjson.JSONDecodeError, ValidationError, KeyError, TypeError):
            return None
        with suppress(OSError):  # a folder that can be read only is a cache all the same
            os.utime(path)
        return found

    def save(self, key: str, request: Request) -> None:
        """Keep a complete reply, whole or not at all; its body is in the key and is not kept."""
        if request.failure is not None or request.stop_reason is None:
            return
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = replace(request, body={}, attempts=(), waited_ms=0.0, from_cache=False)
        data = orjson.dumps({"version": _VERSION, "request": shallow(kept)}, default=plain)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        part.write_bytes(self._scrub(data))
        part.replace(path)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key[2:]}.json"


def prune_cache(folder: Path, now: float, keep_s: float = KEEP_S) -> int:
    """Remove the replies that were neither kept nor used for `keep_s` seconds before `now`; return how many.

    What can't be looked at or removed stays where it is: tidying up must not fail a run that is over.
    """
    removed = 0
    for path in [*folder.glob("??/*.json"), *folder.glob("??/.*.json.*")]:
        with suppress(OSError):
            if now - path.stat().st_mtime > keep_s:
                path.unlink()
                removed += 1
    return removed


def cache_key(endpoint: str, body: JsonObject, headers: Mapping[str, str], trial: str) -> str:
    """Return the key of one request of one trial; `trial` says which one, and which time it asks this."""
    sent = orjson.dumps(body, default=plain).decode()
    return hashlib.sha256(orjson.dumps([_VERSION, endpoint, sent, sorted(headers.items()), trial])).hexdigest()
