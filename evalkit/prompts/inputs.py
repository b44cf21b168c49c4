"""The values of a prompt's inputs: JSON, bounded, as YAML and the command line write them, and the files in them.

`{file: PATH}` anywhere in a value stands for the text of that file; whose folder the path is in is the caller's affair.
Must not know templates; `source.py` renders them with these values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from evalkit.errors import FileProblems, UsageError
from evalkit.prompts.refs import MAX_FILE_BYTES, is_inside
from evalkit.yamlsource import ValuePath, read_below, refusal
from evalkit.yamlsource.nodes import Cell, Plain

MAX_CHARACTERS = 1_000_000
MAX_ENTRIES = 20_000
MAX_DEPTH = 20
_WORDS = {"text": "text", "flag": "true or false", "list": "a list", "object": "a mapping"}


def _as_written(raw: Any) -> Any:
    """Return a raw value as JSON; a number that would be printed in other characters (`1.10`) stays text.

    So does a table's cell: a table says itself which of its columns are numbers.
    """
    if isinstance(raw, Cell):
        return raw.source
    if isinstance(raw, Plain):
        is_number = isinstance(raw.value, int | float) and not isinstance(raw.value, bool)
        return raw.source if is_number and str(raw.value) != raw.source else raw.value
    if isinstance(raw, dict):
        return {key: _as_written(item) for key, item in raw.items()}
    return [_as_written(item) for item in raw] if isinstance(raw, list) else raw


def _given(raw: Any) -> Any:
    value = _as_written(raw)
    if value is None:
        raise refusal('an input can\'t be empty; expected text (`""` for none), a number, a list or a mapping.')
    return value


InputValue = Annotated[Any, BeforeValidator(_given)]
"""Text, a number, true or false, a list or a mapping, as a file of the project holds it."""


def value_fault(value: Any) -> str:
    """Return why a value can't be that of an input, or an empty text."""
    characters = 0
    for entries, (depth, part) in enumerate(_parts(value, 1), 1):
        if isinstance(part, str):
            characters += len(part)
            if "\0" in part:
                return "holds a NUL character"
        elif isinstance(part, float) and not math.isfinite(part):
            return f"holds {part}, which is no JSON number"
        elif not isinstance(part, int | float | list | tuple | Mapping | None):
            return f"holds a {type(part).__name__}; expected text, numbers, true, false, lists and mappings"
        for much, most, what in (
            (characters, MAX_CHARACTERS, "characters"),
            (entries, MAX_ENTRIES, "entries"),
            (depth, MAX_DEPTH, "levels"),
        ):
            if much > most:
                return f"has more than {most:,} {what}"
    return ""


def _parts(value: Any, depth: int) -> Iterator[tuple[int, Any]]:
    """Yield a value and everything in it, keys too, with how deep each stands; not below the deepest level."""
    yield depth, value
    if depth > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield depth, key
            yield from _parts(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item, depth + 1)


def kind_fault(value: Any, default: Any) -> str:
    """Return what a value had to be, by the default that it replaces; empty when it is of that kind."""
    wanted, found = _kind(default), _kind(value)
    return "" if found == wanted else f"is {_WORDS[found]}; expected {_WORDS[wanted]}, as its default is"


def _kind(value: Any) -> str:
    """Return which kind a value is of; a number stands wherever a text may, and the other way round."""
    if isinstance(value, bool):
        return "flag"
    return "object" if isinstance(value, Mapping) else "list" if isinstance(value, list | tuple) else "text"


ReadFile = Callable[[Any, ValuePath], str | None]
"""Gives the text of a file that a value names; the path leads to its name. None where it can't be read."""


def with_files(value: Any, read: ReadFile, path: ValuePath = ()) -> Any:
    """Return a value in which the text of a file stands for each `{file: PATH}`."""
    if isinstance(value, Mapping):
        if set(value) == {"file"}:
            return read(value["file"], (*path, "file"))
        return {key: with_files(item, read, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [with_files(item, read, (*path, n)) for n, item in enumerate(value)]
    return value


def file_fault(name: Any, folder: str) -> str:
    """Return why a name can't be that of a file below a folder, or an empty text."""
    if not isinstance(name, str):
        return f"`file` is {json.dumps(name, default=str)[:60]}; expected the path of a file."
    return "" if is_inside(name) else f"{name!r} is not below {folder}; expected a path that stays inside it."


def parse_value(text: str, root: Path) -> Any:
    """Return what was typed for an input: `@FILE` is a file's text, JSON but for texts and null is JSON, else text.

    Paths are relative to the project. UsageError for a file that can't be read.
    """

    def read(name: Any, _: ValuePath = ()) -> str:
        if fault := file_fault(name, "the project"):
            raise UsageError(fault)
        try:
            return read_below(root, name, MAX_FILE_BYTES).text
        except FileProblems as error:
            raise UsageError(f"{error.problems[0].place}: {error.problems[0].message}") from error

    if text.startswith("@"):
        return read(text[1:])
    try:
        value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    is_other = isinstance(value, int | float) and json.dumps(value) != text  # `1.10`, `NaN`
    if value is None or isinstance(value, str) or is_other:
        return text
    return with_files(value, read)


def parse_inputs(pairs: Iterable[tuple[str, str]], root: Path) -> dict[str, Any]:
    """Return the inputs of a command line (`--set NAME=VALUE`) by name; UsageError names the one that can't be read."""
    values = {}
    for name, text in pairs:
        try:
            values[name] = parse_value(text, root)
        except UsageError as error:
            raise UsageError(f"--set {name}: {error}") from error
    return values
