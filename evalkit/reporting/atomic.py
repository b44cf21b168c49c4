"""Writes a file whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(out: Path) -> Iterator[BinaryIO]:
    """Open a file beside `out` that takes its place at the end; an error removes it and leaves `out` as it was."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(out)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
