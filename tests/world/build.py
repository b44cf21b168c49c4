"""Worlds for tests, read from YAML as a suite would have it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from evalkit.records import JsonObject, Problem
from evalkit.world import Entities, World, WorldFile, WorldRead, read_world
from evalkit.yamlsource import SourceText, check_schema, parse_yaml

LIBRARY = """\
entities:
  book:
    B1: {title: Tidal Maps, author: Oda Renn, copies: 2, price: 12.5, tags: [sea]}
    B2: {title: Cold Harbours, author: Oda Renn, copies: 0, price: 9}
    B3: {title: The Bee Year, author: Jon Pell, copies: 1, price: 20}
  reader:
    R7: {name: Tove, loans: [B3], fees: [{usd: 2}, {usd: 3}], blocked: false}
  loan:
    L1: {book: B3, reader: R7, due: "2026-12-01"}
tools:
  get_book: {get: book, by: input.book}
  find_books:
    {find: book, where: {author: "{{ input.author }}", title: "{{ input.title }}"}, sort: -price, only: [title]}
  lend:
    - {get: reader, by: input.reader, missing: "No reader {{ input.reader }}."}
    - {require: not reader.blocked, error: "{{ reader.name }} may not borrow."}
    - {get: book, by: input.book}
    - {require: book.copies > 0, error: "{{ book.title }} is out."}
    - {update: book, set: {copies: "{{ book.copies - 1 }}"}}
    - create: loan
      set: {book: "{{ book.id }}", reader: "{{ reader.id }}", due: "{{ input.due }}", on: "{{ inputs.today }}"}
    - {update: reader, append: {loans: "{{ book.id }}"}}
    - {returns: {loan: "{{ loan.id }}", copies_left: "{{ book.copies }}"}}
  fees:
    get: reader
    by: input.reader
    returns: {usd: "{{ reader.fees | sum(attribute='usd') }}", open: "{{ reader.fees | length }}"}
  rename: {update: reader, by: input.reader, set: {name: "{{ input.name }}", street: "{{ input.street }}"}}
  give_back:
    - {get: loan, where: {book: "{{ input.book }}", reader: "{{ input.reader }}"}, missing: "It is not lent."}
    - {update: book, by: loan.book, set: {copies: "{{ book.copies + 1 }}"}}
    - {delete: loan}
    - {returns: Thank you.}
  block: {update: reader, where: reader.fees | length > 1, set: {blocked: true}}
  reserve: {update: book, each: input.books, by: one, set: {reserved: "{{ at + 1 }}"}}
"""


def read(text: str, base: World | None = None) -> WorldRead:
    """Return a world with what is wrong with it."""
    source = parse_yaml(SourceText("world.yaml", text))
    file, problems = check_schema(source, WorldFile)
    assert file is not None, problems
    return read_world(source, (), file, base=base, inputs={"today"})


def world(text: str = LIBRARY, base: World | None = None) -> World:
    """Return a world with which nothing is wrong."""
    found = read(text, base)
    assert found.problems == ()
    return replace(found.world, inputs={"today": "2026-11-22"})


def problems(text: str, base: World | None = None) -> list[str]:
    """Return what is wrong with a world, each with its line and column."""
    return [_placed(one) for one in read(text, base).problems]


def _placed(problem: Problem) -> str:
    return f"{problem.place.line}:{problem.place.column} {problem.message}"


class Playing:
    """A world in which one call follows the other."""

    def __init__(self, of: World) -> None:
        self.world = of
        self.entities: Entities = of.entities

    def ask(self, name: str, **tool_input: Any) -> Any:
        """Return what a tool answers: a JSON value, or `error: ...`."""
        answer = self.world.call(self.entities, name, tool_input)
        assert not answer.broken, answer.broken
        self.entities = answer.entities
        return f"error: {answer.output}" if answer.is_error else _value(answer.output)

    def entity(self, kind: str, key: str) -> JsonObject:
        """Return the fields of an entity as they are now."""
        return self.entities[kind][key]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
