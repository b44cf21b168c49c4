"""Names that stand beside codes, in the prompt or in tool results, so that a thing can be named instead of its code.
Knows only how a code and a name stand together; not what the things are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .arguments import Argument
from .dialogue import Call
from .words import stems


@dataclass(frozen=True)
class Entry:
    """One thing: its code and what it is called."""

    code: str
    name: str


def entries_in_text(argument: Argument, texts: Iterable[str]) -> tuple[Entry, ...]:
    """Return an entry for each text that holds exactly one code beside a name."""
    found = []
    for text in texts:
        codes = argument.codes_in(text)
        if len(codes) == 1:
            name = text.replace(codes[0], "").strip(" :()-–,.")
            found.append(Entry(codes[0], name))
    return tuple(found)


def entries_in_results(argument: Argument, calls: Iterable[Call]) -> tuple[Entry, ...]:
    """Return the entries that tool results hold: objects with a code of this form and a name."""
    found: dict[str, Entry] = {}
    for call in calls:
        for part in _objects(call.data):
            strings = {key: value for key, value in part.items() if isinstance(value, str)}
            codes = [value for value in strings.values() if argument.codes_in(value) == (value,)]
            name = next((value for key, value in strings.items() if "name" in key or "title" in key), "")
            if codes and name:
                found.setdefault(codes[0], Entry(codes[0], name))
    return tuple(found.values())


def named_in(entries: Iterable[Entry], text: str) -> tuple[Entry, ...]:
    """Return the entries that the text names by a word that no other entry has."""
    listed = list(entries)
    counts = Counter(word for entry in listed for word in stems(entry.name))
    said = stems(text)
    return tuple(entry for entry in listed if any(word in said and counts[word] == 1 for word in stems(entry.name)))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)
