"""Pydantic's errors in our words, at the place in the file.

Knows pydantic's error types and how a location leads to a node; knows no file format. Suggestions for unknown keys come
from the model that stands at the location.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from evalkit.records import Problem
from evalkit.yamlsource.model import FileModel
from evalkit.yamlsource.nodes import ListNode, MapNode, Node, ScalarNode
from evalkit.yamlsource.scalars import Plain
from evalkit.yamlsource.source import Source, ValuePath

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping (`key: value`)",
    "model_type": "a mapping (`key: value`)",
    "model_attributes_type": "a mapping (`key: value`)",
}
_LIMITS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
    "string_too_short": ("min_length", "at least {} characters"),
    "string_too_long": ("max_length", "at most {} characters"),
    "string_pattern_mismatch": ("pattern", "text of the form {}"),
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the nearest known word, or an empty text."""
    near = difflib.get_close_matches(word.lower(), {name.lower(): name for name in known}, n=1, cutoff=0.6)
    named = {name.lower(): name for name in known}
    return f" (did you mean {named[near[0]]!r}?)" if near else ""


def shown(text: str) -> str:
    """Return a value's text as it fits into a message."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def explain(source: Source, model: type[FileModel], base: ValuePath, error: Mapping[str, Any]) -> Problem:
    """Return the problem for one of pydantic's errors about the value at `base`."""
    kind, ctx = error["type"], error.get("ctx", {})
    path = (*base, *_real_steps(source.node(base), error["loc"]))
    models = _models_at(model, error["loc"][:-1] if kind in {"extra_forbidden", "missing"} else error["loc"])
    if kind == "extra_forbidden":
        return _unknown_key(source, path, models)
    if kind == "missing":
        return _missing_key(source, base, error, models)
    if kind == "evalkit":
        key = str(ctx["key"])
        return source.problem((*path, key) if key else path, str(ctx["message"]))
    if kind.startswith("union_tag"):
        return _wrong_tag(source, path, ctx)
    return source.problem(path, f"{_named(path)}{_found(source.node(path))}; expected {_wanted(kind, ctx, error)}.")


def _unknown_key(source: Source, path: ValuePath, models: list[type[FileModel]]) -> Problem:
    keys = [field.alias or name for model in models for name, field in model.model_fields.items()]
    word = str(path[-1])
    answer = next((model.refused[word] for model in models if word in model.refused), "")
    if answer:
        return source.problem(path, answer, key=True)
    message = f"unknown key {word!r}{_in(models)}{did_you_mean(word, keys)}"
    if "did you mean" not in message:
        message += f"; known keys: {', '.join(dict.fromkeys(keys))}"
    return source.problem(path, message, key=True)


def _missing_key(source: Source, base: ValuePath, error: Mapping[str, Any], models: list[type[FileModel]]) -> Problem:
    parent = (*base, *_real_steps(source.node(base), error["loc"][:-1]))
    return source.problem(parent, f"key {str(error['loc'][-1])!r} is missing{_in(models)}")


def _wrong_tag(source: Source, path: ValuePath, ctx: Mapping[str, Any]) -> Problem:
    key = str(ctx.get("discriminator", "")).strip("'")
    if "tag" not in ctx:
        return source.problem(path, f"key {key!r} is missing")
    tag, known = str(ctx["tag"]), [word.strip(" '") for word in str(ctx["expected_tags"]).split(",")]
    return source.problem(
        (*path, key), f"unknown kind {tag!r}{did_you_mean(tag, known)}; expected {' or '.join(known)}"
    )


def _wanted(kind: str, ctx: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return words.format(ctx[name])
    if kind == "literal_error":
        return str(ctx["expected"])
    if kind == "too_short":
        return f"at least {ctx['min_length']} entr{'y' if ctx['min_length'] == 1 else 'ies'}"
    if kind == "too_long":
        return f"at most {ctx['max_length']} entries"
    return str(error["msg"])


def _named(path: ValuePath) -> str:
    keys = [step for step in path if isinstance(step, str)]
    if not path:
        return "the file is "
    if isinstance(path[-1], int):
        return f"entry {path[-1] + 1} of {keys[-1]!r} is " if keys else f"entry {path[-1] + 1} is "
    return f"{keys[-1]!r} is "


def _found(node: Node | None) -> str:
    if isinstance(node, MapNode):
        return "a mapping" if node.items else "an empty mapping"
    if isinstance(node, ListNode):
        return "a list" if node.items else "an empty list"
    if not isinstance(node, ScalarNode):
        return "empty"
    if isinstance(node.value, Plain):
        if node.value.value is None:
            return "empty"
        return node.value.source if isinstance(node.value.value, bool) else f"the number {node.value.source}"
    return f"the text {shown(node.value)}"


def _in(models: list[type[FileModel]]) -> str:
    called = next((model.called for model in models if model.called), "")
    return f" in {called}" if called else ""


def _real_steps(node: Node | None, loc: tuple[str | int, ...]) -> ValuePath:
    """Return the steps of a pydantic location that lead through the tree: names of union members are left out."""
    steps: list[str | int] = []
    for step in loc:
        if isinstance(node, MapNode) and isinstance(step, str):
            if step not in node.items:
                continue
            node = node.items[step]
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            continue
        steps.append(step)
    return tuple(steps)


def _models_at(model: type[FileModel], loc: tuple[str | int, ...]) -> list[type[FileModel]]:
    """Return the models a value at a location may have."""
    kinds: list[Any] = [model]
    for step in loc:
        kinds = [found for kind in kinds for found in _stepped(kind, step)] or _tagged(kinds, step) or kinds
        kinds = [found for kind in kinds for found in _members(kind)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, FileModel)]


def _members(kind: Any) -> Iterator[Any]:
    """Open Annotated, Optional and unions."""
    if get_origin(kind) in {list, dict, Literal} or isinstance(kind, type):
        yield kind
        return
    for part in get_args(kind)[:1] if hasattr(kind, "__metadata__") else get_args(kind):
        yield from _members(part)


def _stepped(kind: Any, step: str | int) -> Iterator[Any]:
    if get_origin(kind) is list and isinstance(step, int):
        yield from _members(get_args(kind)[0])
    elif get_origin(kind) is dict and isinstance(step, str):
        yield from _members(get_args(kind)[1])
    elif isinstance(kind, type) and issubclass(kind, FileModel):
        for name, field in kind.model_fields.items():
            if step in (name, field.alias):
                yield from _members(field.annotation)


def _tagged(kinds: list[Any], step: str | int) -> list[Any]:
    """Return the members of a discriminated union that carry this tag."""
    return [
        kind
        for kind in kinds
        if isinstance(kind, type)
        and issubclass(kind, FileModel)
        and any(step in get_args(field.annotation) for field in kind.model_fields.values())
    ]
