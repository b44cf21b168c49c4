"""Pictures and documents on the page: small pictures once each in its style sheet, everything else as name and size.

A picture is a rule of the style sheet with its bytes, and every place that shows it has the rule's class: a photo of a
hundred trials stands in the page once, no script is needed to see it, and nothing is asked of any network. What the
page can't hold stays a name. Knows content blocks; nothing of turns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from evalkit.content import AttachedFile, UserContent, file_size, files_in
from evalkit.content.files import IMAGE_TYPES
from evalkit.reporting.safe_text import one_line

MOST_OF_ONE = 160_000
MOST_OF_ALL = 2_000_000
"""Characters of base64 that one picture, and all pictures of a page together, may take."""

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class FileView:
    """A file as a chip: its name, its type and size, what it shows, and the number of its picture (None: not shown)."""

    kind: str
    name: str
    detail: str
    shows: str = ""
    picture: int | None = None


@dataclass
class Pictures:
    """The pictures of one page, each with its number."""

    _numbers: dict[str, int] = field(default_factory=dict)
    _rules: list[str] = field(default_factory=list)
    _size: int = 0

    def view(self, content: UserContent) -> tuple[FileView, ...]:
        """Return the files of a message as the page shows them."""
        return tuple(self._view(file) for file in files_in(content))

    @property
    def style(self) -> str:
        """The rules that hold the pictures."""
        return "".join(self._rules)

    def _view(self, file: AttachedFile) -> FileView:
        number = self._number(file)
        size = f", {file_size(file.size_bytes)}" if file.size_bytes else ""
        left_out = ", too large for this page" if file.kind == "image" and number is None else ""
        detail = one_line(f"{file.media_type or file.kind}{size}{left_out}")
        return FileView(file.kind, one_line(file.name), detail, one_line(str(file.block.get("shows") or "")), number)

    def _number(self, file: AttachedFile) -> int | None:
        """Return the number of a picture; None for what is none, or has no room on the page."""
        data = (file.block.get("source") or {}).get("data")
        if file.media_type not in IMAGE_TYPES or not isinstance(data, str) or not _BASE64.fullmatch(data):
            return None
        if data not in self._numbers:
            if len(data) > MOST_OF_ONE or self._size + len(data) > MOST_OF_ALL:
                return None
            number = self._numbers[data] = len(self._numbers)
            self._size += len(data)
            self._rules.append(f'.pic-{number} {{ background-image: url("data:{file.media_type};base64,{data}"); }}\n')
        return self._numbers[data]
