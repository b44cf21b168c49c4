"""What an unquoted YAML value is: text, unless it is plainly null, true, false or a JSON-like number.

The YAML 1.2 core rules, narrowed to what can't be mistaken for domain data: `NO`, `on`, `12:30`, `00123`, `0o17`,
`2026-11-22`, `True`, `+44123` and numbers that fit neither 64 bits nor a finite float stay text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_INT = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Plain:
    """An unquoted value that is not text, with the characters it was written as (`1.10` is 1.1)."""

    value: int | float | bool | None
    source: str


def resolve(source: str) -> str | Plain:
    """Return what an unquoted value means."""
    if source in _WORDS:
        return Plain(_WORDS[source], source)
    if len(source) > 40 or source[-1] not in "0123456789":
        return source
    if _INT.fullmatch(source):
        number = int(source)
        return Plain(number, source) if -(2**63) <= number < 2**63 else source
    if _FLOAT.fullmatch(source):
        value = float(source)
        return Plain(value, source) if math.isfinite(value) else source
    return source
