"""The patterns of brand-voice rules: many wordings as one regular expression, joined the way Vale joins them.

Knows regular expressions as text; nothing of replies or rules.
"""

from __future__ import annotations

import re
from functools import lru_cache

from evalkit.graders.patterns import Range, find_all

_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)")
_GROUP = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?!\?)", re.DOTALL)
_META = frozenset("\\^$.|?*+()[]{}")


@lru_cache(maxsize=1024)
def any_of(tokens: tuple[str, ...], raw: tuple[str, ...] = (), *, nonword: bool = False, append: bool = False) -> str:
    """Return one pattern for any of the tokens, between word boundaries unless `nonword` or there is only `raw`.

    `raw` parts are joined in front of it, or behind it with `append`.
    """
    joined = "|".join(_scoped(token) for token in tokens if token.strip())
    body = f"(?:{joined})" if nonword or not tokens else rf"\b(?:{joined})\b"
    front = "".join(raw)
    return body + front if append else front + body


@lru_cache(maxsize=1024)
def any_key(keys: tuple[str, ...], *, nonword: bool = False) -> str:
    """Return one pattern with a group for each key, in order; groups inside keys capture nothing."""
    joined = "|".join(f"({uncaptured(_scoped(key))})" for key in keys)
    return f"(?:{joined})" if nonword else rf"\b(?:{joined})\b"


def uncaptured(pattern: str) -> str:
    """Return a pattern whose groups capture nothing."""
    return _GROUP.sub(lambda found: "(?:" if found.group() == "(" else found.group(), pattern)


def is_phrase(pattern: str) -> bool:
    """Return whether a pattern stands for itself and nothing else."""
    return not _META.intersection(pattern)


def shields(exceptions: tuple[str, ...], found: str, text: str, at: Range, *, ignore_case: bool) -> bool:
    """Return whether an exception lets a found text stand: it is in the found text, or is a phrase around it."""
    if not exceptions:
        return False
    longest_first = tuple(sorted(exceptions, key=len, reverse=True))
    if find_all(any_of(longest_first), found, ignore_case=ignore_case):
        return True
    phrases = tuple(exception for exception in longest_first if is_phrase(exception) and len(exception) > len(found))
    if not phrases:
        return False
    around = find_all(any_of(phrases), text, ignore_case=ignore_case)
    return any(start <= at[0] and at[1] <= end for start, end in around)


def _scoped(token: str) -> str:
    """Return a token whose leading `(?i)` holds for itself alone."""
    flags = _FLAGS.match(token)
    return f"(?{flags.group(1)}:{token[flags.end() :]})" if flags else token
