"""What graders work out about a whole transcript once and share: kept while the transcript lives, dropped with it.

Knows nothing of what is kept. What is made must not hold the transcript itself (its turns are fine), or neither would
ever be dropped.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from evalkit.records import Transcript

Made = TypeVar("Made")


def once_per_transcript(make: Callable[[Transcript], Made]) -> Callable[[Transcript], Made]:
    """Decorate a pure function of a transcript so that it runs once for each.

    Transcripts hold dicts and have no hash, so the same one is told by being the same object.
    """
    kept: dict[int, tuple[weakref.ref[Transcript], Made]] = {}

    @wraps(make)
    def once(transcript: Transcript) -> Made:
        key = id(transcript)
        found = kept.get(key)
        if found is not None and found[0]() is transcript:
            return found[1]
        made = make(transcript)
        kept[key] = (weakref.ref(transcript, lambda gone: _drop(kept, key, gone)), made)
        return made

    return once


def _drop(kept: dict[int, tuple[weakref.ref[Transcript], Made]], key: int, gone: weakref.ref[Transcript]) -> None:
    """Forget a transcript, unless its place in memory is another one's by now."""
    if key in kept and kept[key][0] is gone:
        del kept[key]
