"""The response cache tidies up after itself: what is not used any more goes, what is used stays."""

from __future__ import annotations

import os
from pathlib import Path

from evalkit.records import Request
from evalkit.store import ResponseCache, prune_cache

DAY = 24 * 3600.0
NOW = 1_800_000_000.0
REPLY = Request(1, 1, {}, ({"type": "text", "text": "Hello."},), stop_reason="end_turn")


def files(folder: Path) -> list[Path]:
    """Return the files of a cache."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_is_not_used_for_thirty_days_is_removed(tmp_path: Path) -> None:
    """An entry lives for thirty days from the day it was kept or last read; half-written files go the same way."""
    cache = ResponseCache(tmp_path)
    for name, days in (("aa", 29), ("bb", 31), ("cc", 400)):
        cache.save(name * 32, REPLY)
        path = tmp_path / name / f"{name * 31}.json"
        os.utime(path, (NOW - days * DAY, NOW - days * DAY))
    part = tmp_path / "aa" / f".{'aa' * 31}.json.1a2b"
    part.write_bytes(b"{")
    os.utime(part, (NOW - 31 * DAY, NOW - 31 * DAY))

    assert prune_cache(tmp_path, NOW) == 3
    assert [path.parent.name for path in files(tmp_path)] == ["aa"]


def test_reading_an_entry_is_using_it(tmp_path: Path) -> None:
    """A reply that is given again is as young as one that was kept now; one that was only passed over is not."""
    cache = ResponseCache(tmp_path)
    for name in ("aa", "bb"):
        cache.save(name * 32, REPLY)
        os.utime(tmp_path / name / f"{name * 31}.json", (0, 0))
    cache.load("aa" * 32)
    ResponseCache(tmp_path, fresh=True).load("bb" * 32)

    assert prune_cache(tmp_path, (tmp_path / "aa" / f"{'aa' * 31}.json").stat().st_mtime) == 1
    assert [path.parent.name for path in files(tmp_path)] == ["aa"]


def test_there_is_nothing_to_remove_where_there_is_no_cache(tmp_path: Path) -> None:
    """A folder that is missing, or holds something else, is left alone."""
    (tmp_path / "notes.json").write_text("{}")
    os.utime(tmp_path / "notes.json", (0, 0))
    assert prune_cache(tmp_path, NOW) == prune_cache(tmp_path / "none", NOW) == 0
    assert files(tmp_path) == [tmp_path / "notes.json"]
