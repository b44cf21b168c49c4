"""Conversations in compressed groups, so that a page with thousands of them opens at once.

Knows the packing: JSON, gzip, base64, some conversations per group. The groups are kept in a temporary file while the
trials stream by, and remember where each trial went.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO

import orjson

from evalkit.records import CaseKey
from evalkit.reporting.html.conversation import TrialView

GROUP_TRIALS = 100
GROUP_BYTES = 1_000_000


@dataclass
class Packs:
    """Groups of conversations; `where` lists for each case the (group, position) of its trials, by trial number."""

    where: dict[CaseKey, list[tuple[int, int, int]]] = field(default_factory=dict)
    _file: IO[bytes] = field(default_factory=TemporaryFile)
    _lengths: list[int] = field(default_factory=list)
    _group: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, case: CaseKey, trial: TrialView) -> None:
        """Pack one conversation."""
        packed = orjson.dumps(trial)
        self.where.setdefault(case, []).append((trial.trial, len(self._lengths), len(self._group)))
        self._group.append(packed)
        self._size += len(packed)
        if len(self._group) >= GROUP_TRIALS or self._size >= GROUP_BYTES:
            self._close_group()

    def groups(self) -> Iterator[bytes]:
        """Yield the groups in order, as base64 text; nothing can be added after that."""
        if self._group:
            self._close_group()
        self._file.seek(0)
        for length in self._lengths:
            yield self._file.read(length)

    def close(self) -> None:
        """Give the temporary file back."""
        self._file.close()

    def _close_group(self) -> None:
        whole = b"[" + b",".join(self._group) + b"]"
        text = base64.b64encode(gzip.compress(whole, compresslevel=6, mtime=0))
        self._file.write(text)
        self._lengths.append(len(text))
        self._group, self._size = [], 0
