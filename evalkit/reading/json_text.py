"""JSON in a text: where it stands, what it says, and where each part of it stands; and how a part is named.

A path names a part as people write it: `a.b[0]`, `["odd key"].c`, `[0].name`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

from evalkit.reading.sentences import Range

Steps = tuple[str | int, ...]

_FENCE = re.compile(r"^```([\w+-]*)[ \t\r]*$", re.MULTILINE)
_STEP = re.compile(r'(?P<dot>\.?)(?P<name>[^\W\d][\w-]*)|\[(?P<index>\d{1,9})\]|\[(?P<key>"(?:[^"\\]|\\.)*")\]')
_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder()
_SHOWN = 80


@dataclass(frozen=True)
class JsonText:
    """JSON that begins at `start` of a text, and its value; `start` is None where it stands in no single text."""

    text: str
    start: int | None
    value: Any

    def place_of(self, steps: Steps) -> Range | None:
        """Return the range of a part in the text; None where there is no such part."""
        at = None if self.start is None else self._skip(self.start)
        try:
            for step in steps:
                at = None if at is None else self._child(at, step)
            return None if at is None else (at, _DECODER.raw_decode(self.text, at)[1])
        except RecursionError:
            return None

    def _child(self, at: int, step: str | int) -> int | None:
        """Return where a member or an item of the object or list at `at` begins; of equal keys the last one counts."""
        text, found = self.text, None
        if text[at] != ("{" if isinstance(step, str) else "["):
            return None
        at, number = self._skip(at + 1), 0
        while text[at] not in "}]":
            key: str | int = number
            if isinstance(step, str):
                key, at = _DECODER.raw_decode(text, at)
                at = self._skip(self._skip(at) + 1)  # behind the colon
            if key == step:
                found = at
            at, number = self._skip(_DECODER.raw_decode(text, at)[1]), number + 1
            if text[at] == ",":
                at = self._skip(at + 1)
        return found

    def _skip(self, at: int) -> int:
        """Return the next place that is no white space."""
        while self.text[at] in _SPACE:
            at += 1
        return at


def find_json(text: str) -> JsonText | str:
    """Return the JSON of a text, or why there is none: the text as a whole, or the one code block in it."""
    try:
        return JsonText(text, 0, orjson.loads(text))
    except orjson.JSONDecodeError as error:
        blocks = _blocks(text)
        if len(blocks) > 1:
            return f"{len(blocks)} code blocks; expected JSON in one, or JSON alone"
        if not blocks:
            return f"not JSON: {error}: {shown(text)}"
    inner = text[slice(*blocks[0])]
    try:
        return JsonText(text, blocks[0][0], orjson.loads(inner))
    except orjson.JSONDecodeError as error:
        return f"the code block is not JSON: {error}: {shown(inner)}"


def _blocks(text: str) -> list[Range]:
    """Return the insides of the code blocks that are of JSON or of no named language."""
    found: list[Range] = []
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opening is None:
            opening = fence
        elif not fence[1]:
            if opening[1].lower() in {"", "json"}:
                found.append((opening.end(), fence.start()))
            opening = None
    return found


def shown(text: str) -> str:
    """Return the beginning of a text, as messages quote it."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def parse_path(path: str) -> Steps:
    """Return the steps of a path; ValueError says where it is none."""
    steps: list[str | int] = []
    at = 0
    while at < len(path) or not steps:
        match = _STEP.match(path, at)
        if match is None or (match["name"] and bool(match["dot"]) != bool(steps)):
            raise ValueError(f'{path!r} is no path: at character {at + 1} a name, [0] or ["key"] was expected.')
        if match["index"]:
            steps.append(int(match["index"]))
        else:
            steps.append(match["name"] or orjson.loads(match["key"]))
        at = match.end()
    return tuple(steps)


def step_into(value: Any, steps: Steps) -> tuple[Any, int]:
    """Return the part of a value at a path, or the deepest part on the way there, and how many steps lead to it."""
    for number, step in enumerate(steps):
        is_there = (
            step in value
            if isinstance(step, str) and isinstance(value, dict)
            else isinstance(step, int) and isinstance(value, list) and step < len(value)
        )
        if not is_there:
            return value, number
        value = value[step]
    return value, len(steps)
