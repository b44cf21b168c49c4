"""Values against schemas that name themselves."""

from __future__ import annotations

from typing import Any

from evalkit.json_schema import dead_end, respelled


def test_a_schema_that_names_itself_twice_is_followed_once() -> None:
    """Each of its alternatives leads back to the whole; looking at it takes no more steps than it has parts."""
    schema: dict[str, Any] = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"properties": {"urgency": {"enum": ["Now"]}}}]}
    assert dead_end(schema, ("urgency",), "Now") == ""
    assert respelled({"urgency": "now"}, schema) == {"urgency": "Now"}


def test_words_are_spelled_at_every_level_of_a_tree() -> None:
    """A schema may name itself for what lies below a value."""
    tree: dict[str, Any] = {
        "properties": {"kind": {"enum": ["Leaf", "Branch"]}, "below": {"type": "array", "items": {"$ref": "#"}}},
        "additionalProperties": False,
    }
    value = {"kind": "branch", "below": [{"kind": "branch", "below": [{"kind": "leaf"}]}]}
    spelled = respelled(value, tree)
    assert (spelled["kind"], spelled["below"][0]["below"][0]["kind"]) == ("Branch", "Leaf")
    assert dead_end(tree, ("below", 0, "below", 0, "kin"), "Leaf").startswith("there is no 'kin'")
