"""Whether inputs that a suite gives to tools could ever be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.suites.against_prompt import misfits

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["order_id", "detail"],
    "additionalProperties": False,
    "properties": {
        "order_id": {"type": "string", "pattern": "^TN-[0-9]+$", "minLength": 4},
        "detail": {"type": ["string", "null"], "enum": ["short", "full", None]},
        "count": {"type": "integer", "maximum": 3},
        "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}},
    },
    "$defs": {"item": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}}},
}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"order_id": "TN-1234"},
        {"detail": None},
        {"count": 3},
        {"items": [{}]},
        {"order_id": "/^X/"},
        {"count": 3.0},
    ],
    ids=str,
)
def test_a_part_of_a_possible_input_fits(value: dict[str, Any]) -> None:
    """Nothing is required of a part, and a pattern between slashes stands for any text."""
    assert misfits(value, SCHEMA, "t") == []


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ({"order_id": 7}, ("order_id",), "must be string by its input_schema. Put it in quotes."),
        ({"order_id": "X-1234"}, ("order_id",), "does not match '^TN-[0-9]+$'"),
        ({"order_id": "TN-"}, ("order_id",), "does not"),
        ({"detail": "ful"}, ("detail",), "can't be 'ful' (did you mean 'full'?)"),
        ({"count": 4}, ("count",), "greater than the maximum"),
        ({"count": "3"}, ("count",), "must be integer"),
        ({"order": "TN-1"}, ("order",), "has no input 'order' (did you mean 'order_id'?)"),
        ({"items": [{"sku": 1}]}, ("items", 0, "sku"), "'items.0.sku' of tool 't' must be string"),
    ],
    ids=str,
)
def test_what_could_never_be_an_input_is_found_with_its_path(
    value: dict[str, Any], path: tuple[str | int, ...], words: str
) -> None:
    """Each misfit says which argument of which tool it is."""
    found = misfits(value, SCHEMA, "t")

    assert {fault.path for fault in found} == {path}
    assert any(words in fault.message for fault in found)


def test_a_pattern_that_takes_for_ever_says_nothing() -> None:
    """A hostile schema can't hang the check."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a|a|b)*$(?<!a)"}}}

    assert misfits({"a": "a" * 60 + "c"}, schema, "t") is not None


def test_a_schema_that_leads_elsewhere_is_not_followed() -> None:
    """No reference is fetched from the network."""
    schema = {"type": "object", "properties": {"a": {"$ref": "https://example.com/x.json"}}}

    ((_, message, _),) = misfits({"a": 1}, schema, "t")

    assert "can't be followed" in message


@given(
    st.dictionaries(st.sampled_from(["order_id", "detail", "count"]), st.text(max_size=4) | st.integers() | st.none())
)
def test_every_misfit_lies_in_the_value(value: dict[str, Any]) -> None:
    """The path always leads to something that is there."""
    for path, _, _ in misfits(value, SCHEMA, "t"):
        at: Any = value
        for step in path:
            at = at[step]
