"""A JSON value against its JSON Schema: where it does not fit, how its words are spelled, what could never be there.

Knows draft 2020-12 without the network; must not know what the schema is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from evalkit.records import JsonObject

_DEEPEST = 64
_LONGEST = 300
_NAME = re.compile(r"[^\W\d][\w-]*")
_COMBINING = frozenset({"anyOf", "allOf", "oneOf", "$ref", "$defs", "definitions", "description", "title"})


@dataclass(frozen=True)
class Misfit:
    """Where and why a value does not fit its schema."""

    at: tuple[str | int, ...]
    message: str


def find_misfit(value: Any, schema: JsonObject) -> Misfit | None:
    """Return the most telling reason why a value does not fit a schema, or None when it does."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        error = best_match(Draft202012Validator(dict(schema), registry=Registry()).iter_errors(value))
    except (Unresolvable, RecursionError) as exc:
        return Misfit((), f"the schema can't be followed: {exc}")
    return Misfit(tuple(error.absolute_path), error.message[:_LONGEST]) if error else None


def dead_end(schema: JsonObject, steps: Iterable[str | int], expected: Any) -> str:
    """Return why no value of a schema has a part at a path, or why `expected` is never it; an empty text where it can.

    Only a text, a number or a boolean is held against the schema; of objects, lists and null nothing is said.
    """
    nodes = [*_unfolded(schema, schema, set())]
    for step in steps:
        reached = [child for node in nodes for child in _below(node, step) if child is not False]
        if not reached:
            known = dict.fromkeys(name for node in nodes for name in node.get("properties") or ())
            return f"there is no {step!r}" + (f"; there are {', '.join(known)}" if known else "")
        nodes = [node for child in reached for node in _unfolded(child, schema, set())]
    if not isinstance(expected, str | int | float) or not nodes:
        return ""
    shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    misfits = [find_misfit(expected, {**shared, **node}) for node in nodes]
    return "; ".join(dict.fromkeys(each.message for each in misfits if each)) if all(misfits) else ""


def _unfolded(node: Any, root: JsonObject, seen: set[int]) -> Iterator[dict[str, Any]]:
    """Yield the subschemas that a value may be of, references and alternatives followed; {} is any value.

    `seen` are the identities of those that were met on the way: a schema may name itself, and more than once.
    """
    if node is False or id(node) in seen:
        return
    if not isinstance(node, dict):
        yield {}
        return
    seen.add(id(node))
    parts = [part for part in _parts(node, root) if part is not None]
    if not parts or not node.keys() <= _COMBINING:
        yield node
    for part in parts:
        yield from _unfolded(part, root, seen)


def _below(node: dict[str, Any], step: str | int) -> Iterator[Any]:
    """Yield what may stand one step below a subschema."""
    kind, others = ("object", "additionalProperties") if isinstance(step, str) else ("array", "items")
    kinds = node.get("type") or kind
    if kind in ([kinds] if isinstance(kinds, str) else kinds):
        known = (node.get("properties") or {}) if isinstance(step, str) else {}
        yield known.get(step, node.get(others, True))


def shown_path(steps: Iterable[str | int]) -> str:
    """Return the way into a JSON value as people write it: `a.b[0]`, `["odd key"]`."""
    shown = ""
    for step in steps:
        if isinstance(step, str) and _NAME.fullmatch(step):
            shown += f".{step}" if shown else step
        else:
            shown += f"[{orjson.dumps(step).decode()}]"
    return shown


def respelled(value: Any, schema: JsonObject) -> Any:
    """Return a value with enumerated words spelled as its schema spells them, where only their case differs."""
    return _respelled(value, schema, schema, 0, set())


def _respelled(value: Any, schema: Any, root: JsonObject, depth: int, seen: set[int]) -> Any:
    """Do so for a value `depth` levels down; the subschemas in `seen` have spoken of it already."""
    if not isinstance(schema, dict) or depth > _DEEPEST or id(schema) in seen:
        return value
    seen.add(id(schema))
    for part in _parts(schema, root):
        value = _respelled(value, part, root, depth, seen)
    if isinstance(value, str):
        return _spelled(value, schema)
    if isinstance(value, list):
        items = schema.get("items")
        return [_respelled(item, items, root, depth + 1, set()) for item in value]
    if isinstance(value, dict):
        known, other = schema.get("properties") or {}, schema.get("additionalProperties")
        return {key: _respelled(item, known.get(key, other), root, depth + 1, set()) for key, item in value.items()}
    return value


def _parts(schema: dict[str, Any], root: JsonObject) -> Iterable[Any]:
    """Return the subschemas that speak of the same value."""
    for key in ("anyOf", "allOf", "oneOf"):
        yield from schema.get(key) or ()
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        target: Any = root
        for step in reference[1:].strip("/").split("/") if reference != "#" else ():
            target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
        yield target


def _spelled(value: str, schema: dict[str, Any]) -> str:
    words = [word for word in (*(schema.get("enum") or ()), schema.get("const")) if isinstance(word, str)]
    if value in words:
        return value
    same = [word for word in words if word.casefold() == value.casefold()]
    return same[0] if len(same) == 1 else value
