"""A system prompt cut into statements: sentences and list items, each with its section and paragraph. Knows
Markdown's outward forms and what an example is; does not know what any statement means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from .words import sentences

_HEADING = re.compile(r"^#{1,6}\s+(.*)$")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(.*)$")
_EXAMPLE_HEADING = re.compile(r"\bexamples?\b", re.IGNORECASE)
_TAG_OPEN = re.compile(r"^<(\w*example\w*)[^>]*>$", re.IGNORECASE)
_TAG_CLOSE = re.compile(r"^</\w*example\w*>$", re.IGNORECASE)
_LABEL_WORDS = 5


@dataclass(frozen=True)
class Statement:
    """One sentence of the prompt. `group` is its paragraph or list item, `lead` the line that a list item hangs on."""

    text: str
    group: str
    section: str
    lead: str = ""


@dataclass(frozen=True)
class Parts:
    """A prompt's statements and, apart from them, the text of its example dialogues."""

    statements: tuple[Statement, ...]
    examples: str


@dataclass
class _Cutter:
    """Walks over the lines; mutable only while cutting."""

    section: str = ""
    sections: int = 0
    lead: str = ""
    in_example: bool = False
    example_tag: bool = False
    open_group: list[str] = field(default_factory=list)
    open_lead: str = ""
    statements: list[Statement] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def close(self) -> None:
        group = " ".join(self.open_group)
        self.open_group = []
        self.statements += [Statement(text, group, self.section, self.open_lead) for text in sentences(group)]
        self.open_lead = ""

    def read(self, line: str) -> None:
        stripped = line.strip()
        if _TAG_OPEN.match(stripped) or _TAG_CLOSE.match(stripped):
            self.close()
            self.example_tag = bool(_TAG_OPEN.match(stripped))
            self.in_example = False  # with tags, the tags say where the examples are, not the heading
        elif heading := _HEADING.match(stripped):
            self._start_section(heading.group(1))
            self.in_example = bool(_EXAMPLE_HEADING.search(heading.group(1)))
        elif self.in_example or self.example_tag:
            self.examples.append(stripped)
        else:
            self._read_prose(line, stripped)

    def _start_section(self, title: str) -> None:
        self.close()
        self.sections += 1
        self.section, self.lead = f"{self.sections} {title}", ""

    def _read_prose(self, line: str, stripped: str) -> None:
        item = _ITEM.match(line)
        if not stripped:
            self.close()
        elif item:
            if self.open_group and not self.open_lead:
                self.lead = self.open_group[-1]
            self.close()
            self.open_group, self.open_lead = [item.group(1)], self.lead or self.section
        elif self._is_label(stripped):
            self._start_section(stripped)
        else:
            if not self.open_group:
                self.lead = ""
            self.open_group.append(stripped)

    def _is_label(self, stripped: str) -> bool:
        return not self.open_group and len(stripped.split()) <= _LABEL_WORDS and not re.search(r"[.!?:;,]$", stripped)


@lru_cache(maxsize=64)
def cut_prompt(system: str) -> Parts:
    """Cut a system prompt into statements and example text."""
    cutter = _Cutter()
    for line in system.splitlines():
        cutter.read(line)
    cutter.close()
    return Parts(tuple(cutter.statements), "\n".join(cutter.examples))


def quoted(text: str) -> Iterator[str]:
    """Yield what stands between double quotation marks, or in backticks, in a text."""
    for match in re.finditer(r"\"([^\"]+)\"|“([^”]+)”", text):
        yield match.group(1) or match.group(2)
