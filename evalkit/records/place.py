"""Where something stands in a file of the project, and what is wrong there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from posixpath import normpath
from typing import Literal


@dataclass(frozen=True, order=True)
class Place:
    """A position in a file; `line` and `column` count from 1, 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def below(self, folder: str) -> Place:
        """Return the place as seen from above `folder` (`services/shop/`); an absolute place and none stay."""
        if not folder or not self.file or self.file.startswith("/"):
            return self
        return replace(self, file=normpath(folder + self.file))


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong (or questionable) in a file of the project.

    `source_line` is the text of the line, so that a caret can be drawn under `place.column`.
    """

    place: Place
    message: str
    severity: Literal["error", "warning"] = "error"
    source_line: str = field(default="", compare=False)
