"""Small checks that raise the API's 400 for one value: its type, its range, the keys of an object.

Knows the wording of the API's messages (`path: what is wrong`), not what any field means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.standin.errors import bad_request

Check = Callable[[Any, str], None]


def text(value: Any, path: str) -> None:
    """Accept a string."""
    if not isinstance(value, str):
        raise bad_request(f"{path}: Input should be a valid string")


def flag(value: Any, path: str) -> None:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise bad_request(f"{path}: Input should be a valid boolean")


def mapping(value: Any, path: str) -> None:
    """Accept an object with any keys."""
    if not isinstance(value, dict):
        raise bad_request(f"{path}: Input should be a valid dictionary")


def array(value: Any, path: str) -> None:
    """Accept a list of anything."""
    if not isinstance(value, list):
        raise bad_request(f"{path}: Input should be a valid list")


def anything(_value: Any, _path: str) -> None:
    """Accept every value."""


def integer(minimum: int) -> Check:
    """Return a check for a whole number of at least `minimum`."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise bad_request(f"{path}: Input should be a valid integer")
        if value < minimum:
            raise bad_request(f"{path}: Input should be greater than or equal to {minimum}")

    return check


def number(minimum: float, maximum: float) -> Check:
    """Return a check for a number within the bounds."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise bad_request(f"{path}: Input should be a valid number")
        if value < minimum:
            raise bad_request(f"{path}: Input should be greater than or equal to {minimum:g}")
        if value > maximum:
            raise bad_request(f"{path}: Input should be less than or equal to {maximum:g}")

    return check


def one_of(*choices: str) -> Check:
    """Return a check for one of a few words."""
    named = [f"'{choice}'" for choice in choices]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} or {named[-1]}"

    def check(value: Any, path: str) -> None:
        if value not in choices:
            raise bad_request(f"{path}: Input should be {listed}")

    return check


def matching(pattern: str) -> Check:
    """Return a check for a string that fully matches a pattern."""
    compiled = re.compile(pattern)

    def check(value: Any, path: str) -> None:
        text(value, path)
        if not compiled.fullmatch(value):
            raise bad_request(f"{path}: String should match pattern '{pattern}'")

    return check


def list_of(item: Check) -> Check:
    """Return a check for a list whose items each pass `item`."""

    def check(value: Any, path: str) -> None:
        array(value, path)
        for index, entry in enumerate(value):
            item(entry, f"{path}.{index}")

    return check


@dataclass(frozen=True)
class Shape:
    """The keys an object may have; optional keys may be null, any other key is refused."""

    required: Mapping[str, Check]
    optional: Mapping[str, Check] = field(default_factory=dict)

    def __call__(self, value: Any, path: str) -> None:
        """Raise for the first missing, wrong or unknown key of an object at `path`."""
        mapping(value, path)
        prefix = f"{path}." if path else ""
        for key, check in self.required.items():
            if key not in value:
                raise bad_request(f"{prefix}{key}: Field required")
            check(value[key], prefix + key)
        for key, entry in value.items():
            if key in self.required:
                continue
            optional = self.optional.get(key)
            if optional is None:
                raise bad_request(f"{prefix}{key}: Extra inputs are not permitted")
            if entry is not None:
                optional(entry, prefix + key)


@dataclass(frozen=True)
class Tagged:
    """A union told apart by `type`; paths name the tag, as the API's do (`content.0.text.foo`)."""

    shapes: Mapping[str, Check]
    names_tag: bool = True

    def __call__(self, value: Any, path: str) -> None:
        """Raise unless the object's `type` is known and its shape fits."""
        mapping(value, path)
        tag = value.get("type")
        if tag is None:
            raise bad_request(f"{path}.type: Field required")
        shape = self.shapes.get(tag) if isinstance(tag, str) else None
        if shape is None:
            known = ", ".join(f"'{name}'" for name in sorted(self.shapes))
            raise bad_request(
                f"{path}: Input tag '{tag}' found using 'type' does not match any of the expected tags: {known}"
            )
        shape(value, f"{path}.{tag}" if self.names_tag else path)


def string_or(other: Check) -> Check:
    """Return a check for a string, or else whatever `other` accepts."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            other(value, path)

    return check


def flag_or(other: Check) -> Check:
    """Return a check for true or false, or else whatever `other` accepts."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, bool):
            other(value, path)

    return check


def shape(required: Mapping[str, Check] | None = None, **optional: Check) -> Shape:
    """Return the shape with a `type` key, the required keys and the optional ones."""
    return Shape({"type": text, **(required or {})}, optional)
