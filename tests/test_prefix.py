"""The cache's view of a body: its parts in order, its markers, and where two prompts part."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.prefix import cache_lifetime, cached_prefix, first_difference, prompt_parts

HOUR = {"type": "ephemeral", "ttl": "1h"}
BODY: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": [{"type": "text", "text": "c"}]},
    ],
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "t"}],
}
texts = st.lists(st.text(max_size=5), min_size=1, max_size=5)


def talk(said: list[str]) -> dict[str, Any]:
    """Return a body with automatic caching."""
    messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
    return {"model": "m", "messages": messages, "cache_control": {"type": "ephemeral"}}


def test_the_cache_reads_tools_before_system_before_messages() -> None:
    """Whatever the order of the keys in the body."""
    assert [part.where for part in prompt_parts(BODY)] == [
        "model",
        "tools[0]",
        "system[0]",
        "settings",
        "messages[0].content[0]",
        "messages[1].content[0]",
        "messages[2].content[0]",
    ]


def test_what_is_cached_ends_at_the_last_marker() -> None:
    """An explicit marker on the system prompt; the automatic one marks the last block; without one nothing."""
    assert cached_prefix(BODY)[-1].where == "system[0]"
    assert cached_prefix({**BODY, "cache_control": HOUR})[-1].where == "messages[2].content[0]"
    assert cached_prefix({**BODY, "system": "s"}) == ()


@pytest.mark.parametrize(("body", "lifetime"), [(BODY, "5m"), ({**BODY, "cache_control": HOUR}, "1h"), ({}, "5m")])
def test_the_last_marker_tells_how_long_it_is_kept(body: dict[str, Any], lifetime: str) -> None:
    """Five minutes unless it says an hour."""
    assert cache_lifetime(body) == lifetime


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"model": "n"}, "model"),
        ({"tools": [{"name": "u"}]}, "tools[0]"),
        ({"tools": [{"name": "t"}, {"name": "u"}]}, "system[0]"),
        ({"system": [{"type": "text", "text": "z"}]}, "system[0]"),
        ({"max_tokens": 1}, None),
        ({"thinking": {"type": "enabled"}}, None),
        ({"messages": []}, None),
        ({"system": [{"type": "text", "text": "s"}]}, None),
    ],
)
def test_a_change_counts_where_the_cache_sees_it(change: dict[str, Any], where: str | None) -> None:
    """Only what stands before the last marker, and never the marker itself."""
    found = first_difference(BODY, {**BODY, **change})

    assert (found.where if found else None) == where


def test_the_first_differing_byte_is_counted_from_the_beginning() -> None:
    """The bytes of all parts before it, and those that are equal in its own part."""
    found = first_difference(talk(["hello"]), talk(["help"]))

    assert found is not None
    parts = prompt_parts(talk(["hello"]))
    assert found.byte == sum(len(part.data) for part in parts[:-1]) + parts[-1].data.index(b"lo")
    assert found.before.endswith('lo"}')
    assert found.after.endswith('p"}')


@given(texts, texts)
def test_a_conversation_that_goes_on_keeps_its_prefix(said: list[str], more: list[str]) -> None:
    """Appending differs nowhere; changing any earlier text differs there."""
    assert first_difference(talk(said), talk([*said, *more])) is None
    for n in range(len(said)):
        changed = [*said[:n], said[n] + "!", *said[n + 1 :], *more]
        found = first_difference(talk(said), talk(changed))
        assert found is not None
        assert found.where == f"messages[{n}].content[0]"


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("Guest: Ines, room 12.", "Guest: Tom, room 12.", "guest.name"),
        ("Guest: Tom, room 12.", "Guest: Tom, room 14.", "rooms[0].number"),
        ("Guest: Tomas, room 14.", "Guest: Tom, room 14.", "guest.name"),
        ("Guests: Tom, room 14.", "Guest: Tom, room 14.", ""),
    ],
)
def test_a_difference_in_the_system_prompt_names_the_input_that_stands_there(
    before: str, after: str, name: str
) -> None:
    """By the path of its value in the inputs; a difference in the prompt's own words names none."""
    inputs = {"guest": {"name": "Tom"}, "rooms": [{"number": 14, "note": None}]}
    bodies = [
        {"model": "m", "system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]}
        for text in (before, after)
    ]

    found = first_difference(*bodies, inputs)

    assert found is not None
    assert found.input == name
