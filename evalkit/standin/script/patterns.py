"""The patterns of a script: words or a regular expression to one compiled pattern that binds values to names.

`send * back|return` are words: whole words, `|` between alternatives, `*` for anything within the sentence; a `*` at
the end is the rest of the line and the value. `/…/` is a regular expression. `{name}` in either stands for the named
words of the script and binds them. Case does not count, and ’ is '. No language is understood here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import regex

from evalkit.yamlsource import did_you_mean, pattern_fault

TIMEOUT_S = 0.5
_FLAGS = regex.IGNORECASE | regex.MULTILINE
_NAME = regex.compile(r"(?<!\\[pPxuN])\{([a-z_][a-z0-9_]*)\}")
_PARTS = regex.compile(r"(\{[a-z_][a-z0-9_]*\}|\*|\s+)")
_WITHIN = r"[^.!?\n]*?"
_REST = r"(.+)"


class PatternFault(ValueError):
    """A pattern that can't be used; the message is the end of a sentence."""


class TooSlow(Exception):
    """A pattern took longer than `TIMEOUT_S`."""


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise TooSlow(f"the pattern takes longer than {TIMEOUT_S:g} s on this text") from exc


@dataclass(frozen=True)
class Words:
    """One entry of `words`: the pattern's text, and the patterns by the value they stand for, if they do."""

    text: str
    values: Mapping[str, str] = field(default_factory=dict)

    def value_of(self, found: str) -> str:
        """Return the value that a matched text stands for."""
        for value, pattern in self.values.items():
            if regex.fullmatch(pattern, found, _FLAGS, timeout=TIMEOUT_S):
                return value
        return found


@dataclass(frozen=True)
class Match:
    """A match: its values by name, and `value`: the first group where no group has a name, else all of it."""

    value: str
    names: Mapping[str, str]


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern of a script."""

    text: str
    words: Mapping[str, Words]

    @cached_property
    def _compiled(self) -> regex.Pattern[str]:
        return regex.compile(self.text, _FLAGS)

    @property
    def names(self) -> frozenset[str]:
        """The names that a match may bind."""
        return frozenset(self._compiled.groupindex)

    def first(self, text: str) -> Match | None:
        """Return the first match in a text that `plain` has been over; TooSlow when that takes too long."""
        return next(self.all(text), None)

    def all(self, text: str) -> Iterator[Match]:
        """Yield every match in a text."""
        with _in_time():
            for match in self._compiled.finditer(text, timeout=TIMEOUT_S):
                yield self._match(match)

    def replaced(self, text: str, by: str) -> str:
        """Return the text with every match replaced, word for word."""
        with _in_time():
            return str(self._compiled.sub(lambda _: by, text, timeout=TIMEOUT_S))

    def _match(self, match: regex.Match[str]) -> Match:
        bound = {name: value.strip() for name, value in match.groupdict().items() if value is not None}
        named = {
            name: self.words[name].value_of(value) if name in self.words else value for name, value in bound.items()
        }
        plain = match[1] if match.re.groups and not match.re.groupindex and match[1] is not None else match[0]
        only = next(iter(named.values())) if len(named) == 1 else plain.strip()
        return Match(only, named)


def plain(text: str) -> str:
    """Return a text as patterns see it: with straight apostrophes."""
    return text.replace("\u2019", "'")


def compile_words(text: str | Mapping[str, str]) -> Words:
    """Return an entry of `words`; PatternFault where it can't be used. It may not stand on other words."""
    if isinstance(text, str):
        return Words(_checked(_regex_of(text, {})))
    values = {value: _checked(_regex_of(pattern, {})) for value, pattern in text.items()}
    return Words("|".join(f"(?:{pattern})" for pattern in values.values()), values)


def compile_pattern(text: str, words: Mapping[str, Words]) -> Pattern:
    """Return a pattern; PatternFault where it can't be used."""
    return Pattern(_checked(_regex_of(text, words)), words)


def literal_pattern(text: str) -> str:
    """Return a pattern, as it stands in a script, that is found in this text and in texts that hold it."""
    words = " ".join(plain(text).split())
    if words and not regex.search(r"[|*{}/\\]", words):
        return words
    return f"/{literal_regex(words)}/"


def literal_regex(text: str) -> str:
    """Return what stands for a text between the slashes of a pattern; line ends and spaces are alike."""
    escaped: str = regex.escape(plain(text), literal_spaces=True)
    return regex.sub(r"\s+", r"\\s+", escaped.replace("/", "[/]"))


def _regex_of(text: str, words: Mapping[str, Words]) -> str:
    source = plain(text.strip())
    if len(source) > 1 and source.startswith("/") and source.endswith("/"):
        return _NAME.sub(lambda found: _group(found[1], words), source[1:-1])
    alternatives = [part.strip() for part in source.split("|")]
    if not all(alternatives):
        raise PatternFault("has an empty alternative; put words on both sides of every |.")
    return "|".join(_alternative(part, words) for part in alternatives)


def _alternative(text: str, words: Mapping[str, Words]) -> str:
    """Return the regular expression of words such as `send * back` or `my name is *`."""
    if text == "*":
        raise PatternFault("is only a *; leave the condition out where anything will do.")
    parts = [part for part in _PARTS.split(text) if part]
    pieces = []
    for index, part in enumerate(parts):
        if part == "*":
            pieces.append(_REST if index == len(parts) - 1 else _WITHIN)
        elif part.isspace():
            after_star = (index and parts[index - 1] == "*") or (index + 1 < len(parts) - 1 and parts[index + 1] == "*")
            pieces.append(r"\s*" if after_star else r"\s+")
        elif part.startswith("{") and part.endswith("}") and len(part) > 2:
            pieces.append(_group(part[1:-1], words))
        else:
            pieces.append(_whole_word(part))
    return "".join(pieces)


def _whole_word(part: str) -> str:
    start = r"(?<!\w)" if part[0].isalnum() or part[0] == "_" else ""
    end = r"(?!\w)" if part[-1].isalnum() or part[-1] == "_" else ""
    return start + str(regex.escape(part)) + end


def _group(name: str, words: Mapping[str, Words]) -> str:
    if name not in words:
        known = f"; words: {', '.join(sorted(words))}" if words else ""
        raise PatternFault(f"names {{{name}}}, which stands nowhere under `words`{did_you_mean(name, words)}{known}.")
    return f"(?P<{name}>{words[name].text})"


def _checked(pattern: str) -> str:
    if fault := pattern_fault(pattern):
        raise PatternFault(fault)
    return pattern
