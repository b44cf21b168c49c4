"""Values as YAML text that the strict loader reads back as the same values. Knows scalars and flow style, no files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _./@#-]*")
_BLOCK_UNSAFE = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def scalar(text: str) -> str:
    """Return text as a YAML scalar on one line: plain where that is safe, else in double quotes."""
    ends_well = text == text.strip() and not text.endswith(":") and " #" not in text
    if _PLAIN.fullmatch(text) and ends_well and text.lower() not in _WORDS:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """Return text as a double-quoted YAML scalar on one line; what can't be printed is escaped."""
    return f'"{"".join(map(_escaped, text))}"'


def block(text: str, indent: int) -> str:
    """Return text as a scalar behind a key: as a block of lines where it has several, else on one line.

    `indent` is that of the block's lines.
    """
    lines = text.split("\n")
    clean = all(line == line.rstrip() for line in lines) and not _BLOCK_UNSAFE.search(text)
    if len(lines) < 2 or not clean or not lines[0] or lines[0].startswith(" ") or not lines[-1]:
        return scalar(text)
    pad = " " * indent
    return "|-\n" + "\n".join(f"{pad}{line}" if line else "" for line in lines)


def flow(value: Any) -> str:
    """Return a JSON value on one line: flow style with plain words where that is safe."""
    if isinstance(value, str):
        return scalar(value) if not re.search(r"[,\[\]{}]", value) else quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return orjson.dumps(value).decode()


def _escaped(char: str) -> str:
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char)
    if named is not None:
        return named
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
