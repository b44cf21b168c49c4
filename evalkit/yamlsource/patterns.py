"""Whether a regular expression from a file is sound: it compiles, and it is small enough to be compiled at all.

The `regex` package unrolls counted repeats, so `a{99999999}` would fill the memory before any time limit could stop it;
a pattern's unrolled size is therefore estimated first. How patterns are matched is the graders' business.
"""

from __future__ import annotations

import re

import regex

MAX_CHARACTERS = 2_000
MAX_UNROLLED = 20_000
_PIECE = re.compile(
    r"\\[pPNx]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?#[^)]*\)|[()|]|\{(?P<low>\d*),?(?P<high>\d*)\}|[*+?]|.",
    re.DOTALL,
)


def pattern_fault(pattern: str) -> str:
    """Return what is wrong with a regular expression, as the end of a sentence; "" when it is sound."""
    if len(pattern) > MAX_CHARACTERS:
        return f"has {len(pattern):,} characters; at most {MAX_CHARACTERS:,} are taken."
    if _unrolled(pattern) > MAX_UNROLLED:
        return f"repeats too much: written out it has more than {MAX_UNROLLED:,} parts."
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        reason = getattr(error, "msg", None) or str(error) or type(error).__name__
        position = getattr(error, "pos", None)
        at = f" at its character {position + 1}" if isinstance(position, int) else ""
        return f"is not a regular expression: {reason}{at}."
    return ""


def _unrolled(pattern: str) -> int:
    """Estimate how many parts a pattern has when counted repeats are written out."""
    sums, last = [0], [0]
    for piece in _PIECE.finditer(pattern):
        text = piece[0]
        if text == "(":
            sums.append(0)
            last.append(0)
        elif text == ")" and len(sums) > 1:
            inner = sums.pop()
            last.pop()
            sums[-1] += inner
            last[-1] = inner
        elif piece["low"] or piece["high"]:
            times = max(int((piece["low"] or "0")[:9]), int((piece["high"] or "0")[:9]), 1)
            sums[-1] += last[-1] * (times - 1)
            last[-1] *= times
        elif text not in ("|", "*", "+", "?"):
            sums[-1] += 1
            last[-1] = 1
    return sum(sums)
