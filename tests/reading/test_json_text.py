"""JSON in texts: where it is, where its parts are, and how they are named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.json_schema import shown_path
from evalkit.reading.json_text import JsonText, Steps, find_json, parse_path, step_into

values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def paths(value: Any, above: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Yield every part of a value below its top with its path."""
    parts = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for step, part in parts:
        yield (*above, step), part
        yield from paths(part, (*above, step))


@given(values, st.sampled_from([None, 1]), st.sampled_from(["", " \n"]))
def test_the_text_at_a_parts_place_says_the_part(value: Any, indent: int | None, before: str) -> None:
    """Whatever the value and its layout: the range that a path leads to is the JSON of what stands there."""
    found = find_json(before + json.dumps(value, indent=indent) + "\n")

    assert isinstance(found, JsonText)
    assert found.value == value
    for steps, part in paths(value):
        place = found.place_of(steps)
        assert place is not None
        assert json.loads(found.text[slice(*place)]) == part
        assert step_into(value, steps) == (part, len(steps))


@given(st.lists(st.text(max_size=4) | st.integers(0, 99), min_size=1, max_size=4))
def test_a_path_is_read_as_it_is_shown(steps: list[str | int]) -> None:
    """Odd keys stand in brackets and quotes, and come back as they were."""
    assert parse_path(shown_path(steps)) == tuple(steps)


@pytest.mark.parametrize(
    ("path", "place"), [("", 1), ("a..b", 2), (".a", 1), ("a.b[x]", 4), ("a[0]b", 5), ("a b", 2), ("a[", 2), ("7a", 1)]
)
def test_what_is_no_path_is_told_with_the_place(path: str, place: int) -> None:
    """The message counts characters and says what may stand there."""
    with pytest.raises(ValueError, match=rf"at character {place} a name, \[0\] or"):
        parse_path(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ("Here it is:\n\n```\n[1]\n```\nAnything else?", [1]),
        ("```sh\nls\n```\n\n```JSON\n[2]\n```", [2]),
        ("Here it is: {}", "not JSON"),
        ('```json\n{"a": 1\n```', "the code block is not JSON"),
        ("```json\n1\n```\n\n```json\n2\n```", "2 code blocks"),
        ('{"a": NaN}', "not JSON"),
    ],
)
def test_a_text_holds_json_alone_or_in_its_one_code_block(text: str, value: Any) -> None:
    """Words around the block are fine; two blocks, or JSON among words, are not."""
    found = find_json(text)

    if isinstance(value, str):
        assert isinstance(found, str)
        assert found.startswith(value)
    else:
        assert isinstance(found, JsonText)
        assert found.value == value


def test_of_equal_keys_the_last_one_counts() -> None:
    """As for every reader of JSON."""
    found = find_json('{"a": 1, "b": {"a": 2}, "a": 3}')

    assert isinstance(found, JsonText)
    assert found.place_of(("a",)) == (29, 30)
    assert found.place_of(("a", "b")) is None
    assert found.place_of(("b", 0)) is None
