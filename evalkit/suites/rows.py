"""Cases from the rows of a table: a case with `rows` becomes one case for each row, its `{{ column }}`s filled in.

This is done to the file's values before any format sees them, so a case from a row is a case like any other. Only the
names of columns stand between braces: nothing is calculated. Cases without `rows` keep their braces as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from evalkit.errors import FileProblems
from evalkit.records import Problem
from evalkit.suites.tables import DELIMITERS, MAX_BYTES, Row, Table, named_columns, read_table
from evalkit.yamlsource import FileModel, Source, SourceText, Text, check_schema, find_beside, read_below
from evalkit.yamlsource.nodes import ListNode, MapNode, Node, Plain, ScalarNode
from evalkit.yamlsource.parser import MAX_NODES

ROWS = "rows"
COLUMN = re.compile(r"\{\{\s*([^{}\s](?:[^{}]*[^{}\s])?)\s*\}\}")
"""A column's name between two pairs of braces."""


class RowsFile(FileModel):
    """A table, and how it is read."""

    called: ClassVar[str] = "rows"
    file: Text = Field(
        min_length=1,
        description="A CSV file with a header, or JSON Lines (.jsonl), relative to this file.",
        examples=["loans.csv"],
    )
    delimiter: Literal[DELIMITERS] | None = Field(  # type: ignore[valid-type]
        None, description="What separates the cells of a CSV file; a comma when left out.", examples=[";"]
    )
    numbers: list[Text] = Field(
        [],
        description="Columns of a CSV file whose cells are numbers in JSON too, such as a tool's input. JSON Lines "
        "have types of their own.",
        examples=[["amount"]],
    )

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"file": value}


def with_rows(source: Source, root: Path) -> Source:
    """Return a suite whose cases with `rows` stand once for each row; `root` is the project's folder.

    What is wrong with a table is a problem at its line, and the rows that are right are there. Raises FileProblems when
    there are too many values.
    """
    cases = source.node(("cases",))
    if not isinstance(source.root, MapNode) or not isinstance(cases, ListNode):
        return source
    if not any(isinstance(case, MapNode) and ROWS in case.items for case in cases.items):
        return source
    made = _Rows(source, root)
    items = [one for index, case in enumerate(cases.items) for one in made.cases(index, case)]
    whole = replace(source.root, items={**source.root.items, "cases": replace(cases, items=items)})
    return replace(source, root=whole, problems=(*source.problems, *made.problems), others=made.texts)


class _Rows:
    """Makes the cases of one suite; reads each file once."""

    def __init__(self, source: Source, root: Path) -> None:
        self.problems: list[Problem] = []
        self.texts: dict[str, SourceText] = dict(source.others)
        self._source = source
        self._root = root
        self._count = 0

    def cases(self, index: int, case: Node) -> Iterator[Node]:
        """Yield what an entry of `cases` stands for."""
        if not isinstance(case, MapNode) or ROWS not in case.items:
            yield case
            return
        table = self._table(index)
        if table is None:
            return
        template = _Template(case)
        faults = list(self._faults(index, template, table))
        self.problems += [*table.problems, *faults]
        for row in table.rows if not faults else ():
            missing = [name for name in template.columns if name not in row.values]
            if missing:
                message = f"the row has no {missing[0]!r}, which the case uses; every row needs it."
                self.problems.append(replace(row.spot.text.problem(row.spot.place, message), used=(case.place,)))
                continue
            self._count += template.size
            if self._count > MAX_NODES:
                message = f"more than {MAX_NODES:,} values with all rows; split the table, or the suite."
                raise FileProblems([*self.problems, self._source.problem(("cases", index, ROWS), message)])
            yield template.filled(row, self.problems)

    def _table(self, index: int) -> Table | None:
        """Return the table that a case names; None, and a problem, where it can't be read."""
        path = ("cases", index, ROWS)
        asked, problems = check_schema(self._source, RowsFile, path)
        self.problems += problems
        if asked is None:
            return None
        node = self._source.node(path)
        at = (*path, "file") if isinstance(node, MapNode) else path
        file, fault = find_beside(self._root, self._source.place(at).file, asked.file)
        if fault:
            self.problems.append(self._source.problem(at, fault))
            return None
        try:
            text = self.texts.get(file) or read_below(self._root, file, MAX_BYTES)
        except FileProblems as error:
            self.problems += error.problems
            return None
        self.texts[file] = text
        return read_table(text, asked.delimiter, asked.numbers)

    def _faults(self, index: int, template: _Template, table: Table) -> Iterator[Problem]:
        """Yield what is wrong with the case whatever the row: columns that are not there, an id that stays the same."""
        source, path = self._source, ("cases", index)
        for name, node in template.columns.items() if table.columns else ():
            if name not in table.columns:
                message = f"{table.text.file} has no column {name!r}{named_columns(name, table.columns)}"
                yield replace(node.text.problem(node.place, message), used=tuple(spot.place for spot in node.used))
        own_id = source.value((*path, "id"))
        if own_id is not None and not COLUMN.search(str(own_id)):
            example = table.columns[0] if table.columns else "id"
            message = (
                f"every row would be the case {str(own_id)!r}; put the column in that tells rows apart, "
                f'such as "{own_id}-{{{{ {example} }}}}".'
            )
            yield source.problem((*path, "id"), message)


class _Template:
    """A case with columns between braces."""

    def __init__(self, case: MapNode) -> None:
        keys = {key: node for key, node in case.keys.items() if key != ROWS}
        self._case = replace(case, items={key: case.items[key] for key in keys}, keys=keys)
        self.columns: dict[str, ScalarNode] = {}
        self.size = 0
        self._open: set[int] = set()
        self._survey(self._case)

    def _survey(self, node: Node) -> bool:
        """Count what is there, and note which parts differ from row to row."""
        self.size += 1
        if isinstance(node, ScalarNode):
            return self._note_columns(node)
        keyed = [self._note_columns(key) for key in node.keys.values()] if isinstance(node, MapNode) else []
        parts = node.items.values() if isinstance(node, MapNode) else node.items
        differing = [self._survey(part) for part in parts]  # each, so that all are counted
        if any((*keyed, *differing)):
            self._open.add(id(node))
        return id(node) in self._open

    def _note_columns(self, node: ScalarNode) -> bool:
        found = COLUMN.findall(node.value) if isinstance(node.value, str) else []
        for name in found:
            self.columns.setdefault(name, node)
            self._open.add(id(node))
        return bool(found)

    def filled(self, row: Row, problems: list[Problem]) -> MapNode:
        """Return the case for a row; what can't be put into a text is a problem."""
        return replace(self._filled_map(self._case, row, problems), row=row.spot)

    def _filled(self, node: Node, row: Row, problems: list[Problem]) -> Node:
        if id(node) not in self._open:
            return node
        if isinstance(node, MapNode):
            return self._filled_map(node, row, problems)
        if isinstance(node, ListNode):
            return replace(node, items=[self._filled(item, row, problems) for item in node.items])
        whole = COLUMN.fullmatch(str(node.value))
        return _as_node(row.values[whole[1]], node, row) if whole else self._filled_text(node, row, problems)

    def _filled_map(self, node: MapNode, row: Row, problems: list[Problem]) -> MapNode:
        items: dict[str, Node] = {}
        keys: dict[str, ScalarNode] = {}
        for key, item in node.items.items():
            written = node.keys[key]
            new = self._filled_text(written, row, problems) if id(written) in self._open else written
            name = str(new.value) if new is not written else key
            if name in items:
                message = f"the key {name!r} comes twice with this row; two entries would be one."
                problems.append(replace(row.spot.text.problem(row.spot.place, message), used=(written.place,)))
            items[name], keys[name] = self._filled(item, row, problems), new
        return replace(node, items=items, keys=keys)

    def _filled_text(self, node: ScalarNode, row: Row, problems: list[Problem]) -> ScalarNode:
        text = str(node.value)
        for name in COLUMN.findall(text):
            if not isinstance(row.values[name], str | bool | Plain):
                kind = "empty" if row.values[name] is None else "no single value"
                message = f"{name!r} is {kind}; inside a text, expected text, a number, true or false."
                problems.append(replace(row.spot.text.problem(row.spot.place, message), used=(node.place,)))
                return node
        return replace(node, value=COLUMN.sub(lambda found: _as_text(row.values[found[1]]), text), cell=row.spot)


def _as_text(value: str | bool | Plain) -> str:
    """Return a value as it was typed."""
    if isinstance(value, Plain):
        return value.source
    return value if isinstance(value, str) else str(value).lower()


def _as_node(value: Any, node: ScalarNode, row: Row) -> Node:
    """Return a row's value in the place of a text that is a column and nothing else."""
    if isinstance(value, dict):
        keys = {key: replace(node, value=key) for key in value}
        items = {key: _as_node(item, node, row) for key, item in value.items()}
        return MapNode(node.text, node.index, items, keys, used=node.used, cell=row.spot)
    if isinstance(value, list):
        return ListNode(
            node.text, node.index, [_as_node(item, node, row) for item in value], used=node.used, cell=row.spot
        )
    plain = (
        Plain(value, "null" if value is None else str(value).lower())
        if value is None or isinstance(value, bool)
        else value
    )
    return replace(node, value=plain, cell=row.spot)
