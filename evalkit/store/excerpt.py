"""The lines of one suite out of a run: a run file of its own, as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from evalkit.store.folders import RUN_FILE

_OF_RUN = ("run", "prompt", "run_end")
_OF_SUITE = ("suite", "case", "baseline")


def copy_sessions(folder: Path, suite: str) -> Iterator[bytes]:
    """Yield the lines of a run that concern one suite, byte for byte, in their order; together they are a run."""
    sessions: set[str] = set()
    with (folder / RUN_FILE).open("rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                continue
            obj = orjson.loads(raw)
            kind = obj["line"]
            if kind == "session" and obj["key"]["suite"] == suite:
                sessions.add(obj["session_id"])
            of_suite = kind in _OF_SUITE and obj.get("path", obj.get("suite")) == suite
            if kind in _OF_RUN or of_suite or obj.get("session_id") in sessions:
                yield raw
