"""One argument of a tool, read from its schema: how its value is recognised in text, and what to call it when asking.
Knows JSON Schema as far as tools use it, and how an example in a description shows a form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import regex

from ..reply import JsonObject
from .placeholder import value_for
from .remember import remembered

ArgumentKind = Literal["code", "choice", "text", "number", "flag", "other"]

_EXAMPLE = re.compile(
    r"\b(?:like|such as|example|e\.g\.|format|looks like)[:,]?\s+"
    r"(?:[\"'`“]([^\"'`”]{2,40})[\"'`”]|(#?[A-Za-z0-9][\w#/.-]*\w))",
    re.IGNORECASE,
)
_PATTERN_TIME_S = 0.05


@dataclass(frozen=True)
class Argument:
    """One argument. `pattern` finds its codes in text; `many`: it takes a list; `fixed`: for what text cannot fill."""

    name: str
    kind: ArgumentKind
    required: bool
    choices: tuple[str, ...] = ()
    pattern: str = ""
    upper: bool = False
    many: bool = False
    fixed: Any = None

    @property
    def noun(self) -> str:
        """Return the argument's name in words."""
        return self.name.replace("_", " ").replace("-", " ").strip()

    def codes_in(self, text: str) -> tuple[str, ...]:
        """Return the codes in a text in order, each once, in capitals where the example has them."""
        if self.kind != "code":
            return ()
        found = _found(self.pattern, text)
        return tuple(dict.fromkeys(code.upper() for code in found)) if self.upper else found

    def holding(self, value: object) -> object:
        """Return a found value as the schema wants it: in a list where it takes many."""
        return [value] if self.many else value


@remembered(16_384)
def _found(pattern: str, text: str) -> tuple[str, ...]:
    try:
        matches = regex.finditer(pattern, text, regex.IGNORECASE, timeout=_PATTERN_TIME_S)
        return tuple(dict.fromkeys(match.group(0) for match in matches))
    except TimeoutError:  # a prompt's own pattern may be a slow one: then it finds nothing
        return ()


def read_argument(name: str, schema: Any, required: bool) -> Argument:
    """Read one property of a tool's input schema."""
    schema = schema if isinstance(schema, dict) else {}
    inner = schema.get("items") if _type_of(schema) == "array" else None
    if isinstance(inner, dict) and _type_of(inner) not in ("object", "array"):
        inner = {"description": schema.get("description", ""), **inner}
        return _read(name, inner, required, many=True)
    if _type_of(schema) in ("array", "object"):
        return Argument(name, "other", required, fixed=value_for(schema))
    return _read(name, schema, required, many=False)


def _read(name: str, schema: JsonObject, required: bool, *, many: bool) -> Argument:
    if choices := schema.get("enum"):
        return Argument(name, "choice", required, choices=tuple(map(str, choices)), many=many)
    kind = _type_of(schema)
    if kind in ("number", "integer"):
        return Argument(name, "number", required, many=many)
    if kind == "boolean":
        return Argument(name, "flag", required, many=many)
    if pattern := _own_pattern(schema):
        return Argument(name, "code", required, pattern=pattern, upper="a-z" not in pattern, many=many)
    example = _example_of(schema)
    if example:
        upper = example == example.upper()
        return Argument(name, "code", required, pattern=pattern_like(example), upper=upper, many=many)
    return Argument(name, "text", required, many=many)


def _type_of(schema: JsonObject) -> str:
    kinds = schema.get("type")
    named: Iterable[str] = kinds if isinstance(kinds, list) else [str(kinds)]
    return next((kind for kind in named if kind != "null"), "string")


def _own_pattern(schema: JsonObject) -> str:
    pattern = str(schema.get("pattern") or "")
    if not pattern:
        return ""
    try:
        regex.compile(pattern)
    except regex.error:
        return ""
    return rf"(?<!\w)(?:{pattern.removeprefix('^').removesuffix('$')})(?!\w)"


def _example_of(schema: JsonObject) -> str:
    given = [str(each) for each in schema.get("examples") or [] if isinstance(each, str)]
    given += [quoted or plain for quoted, plain in _EXAMPLE.findall(str(schema.get("description", "")))]
    return next((each for each in given if re.search(r"\d", each) and " " not in each), "")


def pattern_like(example: str) -> str:
    """Return a pattern for codes like an example: letters for letters, digits for digits, marks as they are.

    Lower-case words may be of any length (`ann_lee_12`); a run that mixes letters and digits (`4WQ150`) may mix them
    anyhow, and then counts only in capitals.
    """
    lower = example != example.upper()
    parts = []
    for run in re.findall(r"[A-Za-z\d]+|[^A-Za-z\d]", example):
        pieces = re.findall(r"[A-Za-z]+|\d+", run)
        if not pieces:
            parts.append(re.escape(run))
        elif len(pieces) > 2 and not lower:
            parts.append(rf"(?-i:[A-Z\d]{{{len(run)}}})")
        else:
            parts += [_like_piece(piece, any_length=lower) for piece in pieces]
    return rf"(?<!\w){''.join(parts)}(?!\w)"


def _like_piece(piece: str, *, any_length: bool) -> str:
    length = "+" if any_length else f"{{{len(piece)}}}"
    return (r"\d" if piece.isdigit() else "[A-Z]") + length
