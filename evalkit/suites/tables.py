"""Tables of a project: CSV files and JSON Lines as rows, each knowing its line.

A cell of a CSV file is text; a value of JSON Lines keeps its type, and a number how it was typed. Knows the two formats
and their bounds; must not know what the rows are for.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from evalkit.records import Problem
from evalkit.wording import listed, plural
from evalkit.yamlsource import SourceText, did_you_mean, shown
from evalkit.yamlsource.nodes import Cell, Plain, Spot, resolve

MAX_ROWS = 20_000
MAX_BYTES = 20_000_000
MAX_PROBLEMS = 100
DELIMITERS = (",", ";", "\t", "|")
JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Row:
    """A row: where its line begins, and its values by column."""

    spot: Spot
    values: Mapping[str, Any]


@dataclass
class Table:
    """A file's columns and rows, and what is wrong with it; bad rows are left out."""

    text: SourceText
    columns: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, line: int, message: str, offset: int = 0) -> None:
        """Note what is wrong in a line, or at a character of it."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(self.text.problem(self.text.place(self.text.start_of(line) + offset), message))

    def add(self, line: int, values: Mapping[str, Any]) -> None:
        """Add a row."""
        self.rows.append(Row(Spot(self.text, self.text.start_of(line)), values))


def read_table(text: SourceText, delimiter: str | None, numbers: Sequence[str]) -> Table:
    """Return the rows of a file: JSON Lines by its name, else CSV with a header.

    The columns `numbers` of a CSV file hold numbers; a cell that is none is a problem.
    """
    table = Table(text)
    lines = text.text.splitlines(keepends=True)
    if text.file.endswith(JSON_LINES):
        _read_json(table, lines)
    else:
        _read_csv(table, lines, delimiter or ("\t" if text.file.endswith(".tsv") else ","), numbers)
    if not table.rows and not table.problems:
        table.problem(1, "there are no rows; expected at least one.")
    return table


def _read_csv(table: Table, lines: Sequence[str], delimiter: str, numbers: Sequence[str]) -> None:
    records = _records(table, lines, delimiter)
    line, header = next(records, (1, []))
    table.columns = tuple(name.strip() for name in header)
    _check_header(table, line, delimiter)
    for name in numbers:
        if name not in table.columns:
            table.problem(line, f"there is no column {name!r} to hold numbers{named_columns(name, table.columns)}")
    if table.problems:
        return
    for line, cells in records:
        if _is_full(table, line):
            return
        if len(cells) != len(table.columns):
            message = (
                f"{plural(len(cells), 'cell')} in this row; the header has {plural(len(table.columns), 'column')}."
            )
            table.problem(line, f"{message} Put a cell that holds {shown(delimiter)} or a quote in double quotes.")
            continue
        values: dict[str, Any] = dict(zip(table.columns, map(_cell, cells), strict=True))
        wrong = [name for name in numbers if not _is_number(resolve(str(_text(values[name]))))]
        for name in wrong:
            table.problem(
                line, f"{name!r} is {shown(str(_text(values[name])))}; expected a number, such as 1250 or 3.5."
            )
        if not wrong:
            table.add(line, values | {name: resolve(str(_text(values[name]))) for name in numbers})


def _records(table: Table, lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a CSV file with the lines they begin on; empty lines are passed over."""
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        table.problem(line, f"not CSV: {error}. A quote in a quoted cell is written twice, and the cell must end.")


def _check_header(table: Table, line: int, delimiter: str) -> None:
    columns = table.columns
    if not columns:
        table.problem(line, "the file is empty; expected a header with the names of the columns, then rows.")
    other = next((one for one in DELIMITERS if one != delimiter and one in "".join(columns)), None)
    if len(columns) == 1 and other:
        name = {"\t": '"\\t"'}.get(other, f'"{other}"')
        table.problem(line, f"the header is one column; if its columns end at {name}, say so with delimiter: {name}.")
        return
    for number, name in enumerate(columns, 1):
        if not name:
            table.problem(line, f"column {number} has no name in the header; every column needs one.")
        elif "{" in name or "}" in name:
            table.problem(line, f"column {name!r} has a brace in its name; it could not be written between braces.")
    for name, count in Counter(filter(None, columns)).items():
        if count > 1:
            table.problem(line, f"column {name!r} is in the header {count} times; names of columns must differ.")


def _cell(text: str) -> str | Cell:
    """Return a cell; one that looks like a number or a boolean is still text, unless a key asks for those."""
    value = resolve(text)
    return Cell(value.value, text) if isinstance(value, Plain) and value.value is not None else text


def _text(value: str | Cell) -> str:
    return value.source if isinstance(value, Cell) else value


def _is_number(value: str | Plain) -> bool:
    return isinstance(value, Plain) and isinstance(value.value, int | float) and not isinstance(value.value, bool)


def _is_full(table: Table, line: int) -> bool:
    if len(table.rows) < MAX_ROWS:
        return False
    table.problem(line, f"more than {MAX_ROWS:,} rows; split the file.")
    return True


class _Refused(ValueError):
    """A line of JSON that is not taken, in words."""


def _read_json(table: Table, lines: Sequence[str]) -> None:
    columns: dict[str, None] = {}
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        if _is_full(table, line):
            break
        try:
            values = json.loads(
                text.rstrip("\r\n"),
                object_pairs_hook=_object,
                parse_int=_number,
                parse_float=_number,
                parse_constant=_no_constant,
            )
        except json.JSONDecodeError as error:
            table.problem(line, f"not JSON: {error.msg}; expected one object a line.", error.pos)
            continue
        except (_Refused, RecursionError) as error:
            table.problem(line, str(error) if isinstance(error, _Refused) else "nested too deep; flatten it.")
            continue
        if not isinstance(values, dict):
            table.problem(line, 'expected an object a line, such as {"id": "a", "amount": 1250}.')
            continue
        columns |= dict.fromkeys(values)
        table.add(line, values)
    table.columns = tuple(columns)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _Refused(f"key {twice!r} is given twice in one object.")
    return made


def _number(source: str) -> Plain:
    """Return a number that keeps how it was typed."""
    value = resolve(source)
    if isinstance(value, Plain):
        return value
    raise _Refused(f"the number {shown(source)} is too large; put it in quotes.")


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON; expected a number or null.")


def named_columns(name: str, columns: Sequence[str]) -> str:
    """Return which columns there are, or the one that was probably meant."""
    return did_you_mean(name, columns) or f"; columns: {listed([*columns])}"
