"""A short text that a regular expression matches, for placeholders. Knows literals, classes, groups and repetition;
what it cannot make it does not claim to."""

from __future__ import annotations

import re
import warnings

import regex

_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "x", "W": "-", "S": "x"}
_ANCHORS = frozenset("bBAZz")
_REPEAT = re.compile(r"\{(\d+)(?:,\d*)?\}[?+]?|[*+?][?+]?")
_GROUP = re.compile(r"\((?:\?:|\?P?<\w+>)?")
_CHECK_TIME_S = 0.05
_LONGEST = 200
_DEEPEST = 20


def text_matching(pattern: str) -> str | None:
    """Return a text in which the pattern is found, or None when none could be made."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # what a later `regex` may read differently is still checked
            made = _Maker(pattern).alternatives()
            if made is None or len(made) > _LONGEST:
                return None
            return made if regex.search(pattern, made, timeout=_CHECK_TIME_S) else None
    except (regex.error, TimeoutError):
        return None


class _Maker:
    """Reads a pattern from left to right and writes the shortest text it knows for each part."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0

    def alternatives(self) -> str | None:
        """Return the text of the first alternative, reading past the others; None where a part is not understood."""
        first = self._sequence()
        while first is not None and self._peek() == "|":
            self._at += 1
            if self._sequence() is None:
                return None
        return first

    def _sequence(self) -> str | None:
        made = ""
        while self._peek() not in ("", "|", ")"):
            atom = self._atom()
            if atom is None:
                return None
            made += self._repeated(atom)
            if len(made) > _LONGEST:
                return None
        return made

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _atom(self) -> str | None:
        letter = self._peek()
        if letter == "(":
            return self._group()
        self._at += 1
        if letter == "[":
            return self._one_of()
        if letter == "\\":
            escaped = self._peek()
            self._at += 1
            return "" if escaped in _ANCHORS else _CLASSES.get(escaped, escaped)
        return "" if letter in "^$" else "x" if letter == "." else letter

    def _group(self) -> str | None:
        opening = _GROUP.match(self._pattern, self._at)
        if opening is None or self._pattern[opening.end() : opening.end() + 1] == "?":
            return None  # look-around and flags
        self._at = opening.end()
        self._depth += 1
        inside = self.alternatives() if self._depth <= _DEEPEST else None
        self._depth -= 1
        if inside is None or self._peek() != ")":
            return None
        self._at += 1
        return inside

    def _one_of(self) -> str | None:
        end = self._pattern.find("]", self._at + 1)
        if end < 0:
            return None
        inside, self._at = self._pattern[self._at : end], end + 1
        if inside.startswith("^"):
            return next((each for each in "x0- " if not regex.search(f"[{inside[1:]}]", each)), None)
        return _CLASSES.get(inside[1:2], inside[1:2]) if inside.startswith("\\") else inside[:1]

    def _repeated(self, atom: str) -> str:
        repeat = _REPEAT.match(self._pattern, self._at)
        if repeat is None:
            return atom
        self._at = repeat.end()
        times = int(repeat.group(1)) if repeat.group(1) else int(repeat.group(0)[0] == "+")
        return atom * min(times, _LONGEST)
