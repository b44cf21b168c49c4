"""What other programs may read of a record: its published keys, their JSON, and the JSON Schema of both.

A record says itself what is published of it. All fields are, unless some of them carry a `Key`: then only those. A
property is a key of the JSON when its return type carries one. What is written and what the schema says can't differ,
because both come from `members_of`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass, make_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Key:
    """What the schema says about a key, and an example; `name` is its name in the JSON where it is another one."""

    description: str
    example: Any
    name: str = ""


FLAT = object()
"""Marks a field whose own keys stand among those of the record that holds it."""


class Member(NamedTuple):
    """One published key: its name in the JSON, the attribute it comes from, its type, what is said about it."""

    name: str
    attribute: str
    hint: Any
    key: Key | None
    flat: bool


@cache
def members_of(kind: type) -> tuple[Member, ...]:
    """Return the published keys of a record's type, in order: fields, then properties."""
    fields = [_member(name, hint) for name, hint in get_type_hints(kind, include_extras=True).items()]
    chosen = [member for member in fields if member.key or member.flat] or fields
    properties = (
        _member(name, get_type_hints(value.fget, include_extras=True)["return"])
        for name, value in vars(kind).items()
        if isinstance(value, property) and value.fget
    )
    return (*chosen, *(member for member in properties if member.key))


def _member(attribute: str, hint: Any) -> Member:
    marks = hint.__metadata__ if get_origin(hint) is Annotated else ()
    key = next((mark for mark in marks if isinstance(mark, Key)), None)
    return Member(key.name if key and key.name else attribute, attribute, hint, key, FLAT in marks)


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and (is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields")))


def published(value: Any) -> Any:
    """Return what is published of a value as JSON objects, lists and plain values."""
    if _is_record(type(value)):
        found: dict[str, Any] = {}
        for member in members_of(value.__class__):
            inner = published(getattr(value, member.attribute))
            found |= inner if member.flat else {member.name: inner}
        return found
    if isinstance(value, Mapping):
        return {key: published(inner) for key, inner in value.items()}
    return [published(inner) for inner in value] if isinstance(value, tuple | list) else value


def published_schema(kind: type, title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what `published` returns for this type: every key, and no other."""
    from pydantic import TypeAdapter  # records are loaded by every command, and this is asked for by one

    schema = TypeAdapter(_shape(kind)).json_schema()
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}


@cache
def _shape(kind: type) -> type:
    """Return a type with a field for each published key, from which pydantic makes the schema."""
    shape = make_dataclass(kind.__name__, _fields(kind))
    shape.__doc__ = kind.__doc__
    return shape


def _fields(kind: type) -> Iterator[tuple[str, Any]]:
    from pydantic import Field

    for member in members_of(kind):
        hint = get_args(member.hint)[0] if get_origin(member.hint) is Annotated else member.hint
        if member.flat:
            yield from _fields(hint)
            continue
        told = Field(description=member.key.description, examples=[member.key.example]) if member.key else Field()
        yield member.name, Annotated[_shaped(hint), told]


def _shaped(hint: Any) -> Any:
    """Return a type with every record in it replaced by its published shape."""
    if _is_record(hint):
        return _shape(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is None or origin is Literal:
        return hint
    shapes = tuple(each if each is Ellipsis else _shaped(each) for each in inner)
    return Union[shapes] if origin in (Union, UnionType) else origin[shapes]  # noqa: UP007 - built at run time
