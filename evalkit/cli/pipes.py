"""Standard output and error that outlive whoever reads them.

`evalkit run | head` and a terminal that is closed must cost no report and change no exit code: what nobody reads any
more is dropped, and the command goes on to its end.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, TextIO

_NOBODY_READS = frozenset({errno.EPIPE, errno.EIO})
"""A pipe without a reader, and a terminal that is gone."""


class Outlet:
    """A text stream of this process; once its reader is gone, what is written to it goes nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        try:
            return self._stream.write(text)
        except OSError as exc:
            self._forsake(exc)
            return len(text)

    def flush(self) -> None:
        """Write out what is buffered, or drop it."""
        try:
            self._stream.flush()
        except OSError as exc:
            self._forsake(exc)

    def _forsake(self, exc: OSError) -> None:
        if exc.errno not in _NOBODY_READS:
            raise exc
        # the descriptor itself, so that what is still buffered, and the interpreter at its exit, write without error
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def outlive_readers() -> None:
    """Put an outlet before standard output and standard error."""
    sys.stdout, sys.stderr = Outlet(sys.stdout), Outlet(sys.stderr)
