"""The parts of a reply that a brand-voice rule may speak of: headings, list items, quotes, table cells, sentences.

Reads Markdown line by line, as far as a chat shows it. Scopes and their names are Vale's where they make sense in a
chat; `~` leaves a kind out, `&` joins. Knows only text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from evalkit.reading.sentences import Range, sentences

KINDS = ("heading", "list", "blockquote", "table", "paragraph")
SCOPES = ("reply", "raw", "text", "sentence", "first_sentence", "last_sentence", *KINDS)
"""Every scope; `heading` also as `heading.h1` to `heading.h6`, `table` also as `table.header` and `table.cell`."""

DETAILS = frozenset([*(f"heading.h{level}" for level in range(1, 7)), "table.header", "table.cell"])

_HEADING = re.compile(r"[ ]{0,3}(#{1,6})(?=[ 	])")
_LIST = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_QUOTE = re.compile(r"\s*>\s?")
_FENCE = re.compile(r"\s*(```|~~~)")
_RULE = frozenset(" 	:|-")
_TICKS = re.compile(r"`+")


@dataclass(frozen=True)
class Block:
    """A part of a reply: where it starts, its text with inline code covered by asterisks, and its kind."""

    start: int
    text: str
    kind: str

    def shifted(self, found: Range) -> Range:
        """Return a range of this text as one of the reply."""
        return found[0] + self.start, found[1] + self.start

    def part(self, found: Range) -> Block:
        """Return a range of this text as a block of its own."""
        return Block(self.start + found[0], self.text[slice(*found)], self.kind)

    def is_a(self, kind: str) -> bool:
        """Return whether it is of a kind, or of one that is a detail of it: `heading.h2` is a heading."""
        return self.kind == kind or self.kind.startswith(f"{kind}.")


@lru_cache(maxsize=256)
def scoped(reply: str, scope: str | tuple[str, ...]) -> tuple[Block, ...]:
    """Return the parts of a reply that a scope, or any of several scopes, speaks of."""
    scopes = (scope,) if isinstance(scope, str) else scope
    found = dict.fromkeys(block for one in scopes for block in _one_scope(reply, one))
    return tuple(sorted(found, key=lambda block: block.start))


def is_scope(scope: str) -> bool:
    """Return whether a scope can be told apart in a chat."""
    parts = [part.strip().removeprefix("~") for part in scope.split("&")]
    return all(part in SCOPES or part in DETAILS for part in parts)


def _one_scope(reply: str, scope: str) -> Sequence[Block]:
    if scope in ("reply", "raw"):
        return (Block(0, reply, scope),)
    if scope in ("first_sentence", "last_sentence"):
        found = sentences(reply) or ((0, len(reply)),)
        start, end = found[0] if scope == "first_sentence" else found[-1]
        return (Block(start, reply[start:end], "sentence"),)
    parts = [part.strip() for part in scope.split("&")]
    blocks = prose(reply)
    if "sentence" in parts:
        blocks = tuple([block.part(found) for block in blocks for found in sentences(block.text)])
    for part in parts:
        wanted = part.removeprefix("~")
        if wanted not in ("text", "sentence"):
            blocks = tuple([block for block in blocks if block.is_a(wanted) != part.startswith("~")])
    return blocks


@lru_cache(maxsize=256)
def prose(reply: str) -> tuple[Block, ...]:
    """Return the headings, paragraphs, list items, quotes and table cells of a reply; code is left out."""
    covered = _without_code(_without_fences(reply))
    blocks: list[Block] = []
    lines = list(re.finditer(r"[^\n]*\n?", covered))
    for index, line in enumerate(lines):
        text = line.group().rstrip("\n")
        if not text.strip():
            continue
        following = lines[index + 1].group() if index + 1 < len(lines) else ""
        blocks += _line_blocks(text, line.start(), following)
    return tuple(_joined(blocks, covered))


def _line_blocks(line: str, start: int, following: str) -> Iterator[Block]:
    heading = _HEADING.match(line) if "#" in line else None
    if heading:
        text = line[heading.end() :].rstrip().rstrip("#")
        yield _block(start + heading.end(), text, f"heading.h{len(heading.group(1))}")
    elif line.count("|") > 1:
        if not _is_rule(line):
            kind = "table.header" if _is_rule(following.rstrip("\n")) else "table.cell"
            for cell in re.finditer(r"[^|]+", line):
                if cell.group().strip():
                    yield _block(start + cell.start(), cell.group(), kind)
    elif line.lstrip()[:1].isalpha():  # most lines: neither of the patterns below can match
        yield _block(start, line, "paragraph")
    else:
        kind, found = "list", _LIST.match(line)
        if found is None:
            kind, found = "blockquote", _QUOTE.match(line)
        marker = found.end() if found else 0
        yield _block(start + marker, line[marker:], kind if found else "paragraph")


def _is_rule(line: str) -> bool:
    """Return whether a line parts a table's header from its body."""
    return "-" in line and _RULE.issuperset(line)


def _block(start: int, text: str, kind: str) -> Block:
    """Return the block of a text without its outer white space."""
    inner = text.lstrip()
    return Block(start + len(text) - len(inner), inner.rstrip(), kind)


def _joined(blocks: Sequence[Block], reply: str) -> Iterator[Block]:
    """Join the lines of a paragraph."""
    open_block: Block | None = None
    for block in blocks:
        between = reply[open_block.start + len(open_block.text) : block.start] if open_block else ""
        if open_block and open_block.kind == block.kind == "paragraph" and between.count("\n") == 1:
            open_block = Block(open_block.start, reply[open_block.start : block.start + len(block.text)], "paragraph")
            continue
        if open_block:
            yield open_block
        open_block = block
    if open_block:
        yield open_block


def _without_code(text: str) -> str:
    """Return a text with inline code covered by asterisks: from a run of backticks to the next one just as long."""
    runs = [match.span() for match in _TICKS.finditer(text)]
    next_alike: dict[int, int] = {}
    closing: list[int] = []
    for start, end in reversed(runs):
        closing.append(next_alike.get(end - start, 0))
        next_alike[end - start] = end
    kept: list[str] = []
    done = 0
    for (start, _), end in zip(runs, reversed(closing), strict=True):
        if end and start >= done:
            kept += [text[done:start], "*" * (end - start)]
            done = end
    return "".join([*kept, text[done:]])


def _without_fences(reply: str) -> str:
    """Return the reply with fenced code replaced by as many spaces."""
    if "```" not in reply and "~~~" not in reply:
        return reply
    kept: list[str] = []
    fence = ""
    for line in re.findall(r"[^\n]*\n?", reply):
        mark = _FENCE.match(line)
        inside = bool(fence) or mark is not None
        if mark and not fence:
            fence = mark.group(1)
        elif mark and mark.group(1) == fence:
            fence = ""
        kept.append(re.sub(r"[^\n]", " ", line) if inside else line)
    return "".join(kept)
