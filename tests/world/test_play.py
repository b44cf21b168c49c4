"""What the tools of a world do, and the laws that hold for any calls."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.records import ToolCall
from evalkit.world.play import Entities, changed_between, overlaid
from tests.world.build import LIBRARY, Playing, world

WORLD = world()


def test_a_write_is_seen_by_a_later_read() -> None:
    """A book that was lent has a copy less, its loan is there, and the reader has it."""
    playing = Playing(WORLD)
    assert playing.ask("lend", reader="R7", book="B1", due="2026-12-20") == {"loan": "loan-2", "copies_left": 1}
    assert playing.ask("get_book", book="B1")["copies"] == 1
    assert playing.entity("loan", "loan-2") == {
        "book": "B1", "reader": "R7", "due": "2026-12-20", "on": "2026-11-22",
    }  # fmt: skip
    assert playing.entity("reader", "R7")["loans"] == ["B3", "B1"]


def test_an_entity_is_returned_with_its_id_first() -> None:
    """The id is the key that it stands under."""
    assert list(Playing(WORLD).ask("get_book", book="B2")) == ["id", "title", "author", "copies", "price"]


def test_each_condition_has_its_own_error_and_nothing_of_a_failed_tool_counts() -> None:
    """What a tool wrote before the condition that broke is taken back."""
    playing = Playing(WORLD)
    assert playing.ask("lend", reader="R9", book="B1") == "error: No reader R9."
    assert playing.ask("lend", reader="R7", book="B2") == "error: Cold Harbours is out."
    assert playing.ask("get_book", book="B9") == "error: There is no book 'B9'."
    assert playing.ask("block") == [{"id": "R7", **WORLD.entities["reader"]["R7"], "blocked": True}]
    assert playing.ask("lend", reader="R7", book="B1") == "error: Tove may not borrow."
    assert [*changed_between(WORLD.entities, playing.entities)] == [("reader", "R7")]


def test_what_is_found_is_filtered_sorted_and_cut_down() -> None:
    """An input that was not given asks nothing; nothing found is an empty list."""
    playing = Playing(WORLD)
    assert playing.ask("find_books", author="Oda Renn") == [
        {"id": "B1", "title": "Tidal Maps"},
        {"id": "B2", "title": "Cold Harbours"},
    ]
    assert [one["id"] for one in playing.ask("find_books")] == ["B3", "B1", "B2"]
    assert playing.ask("find_books", title="Nowhere") == []


def test_values_are_computed() -> None:
    """Sums and counts keep their type."""
    assert Playing(WORLD).ask("fees", reader="R7") == {"usd": 5, "open": 2}


def test_an_input_that_was_not_given_leaves_a_field_as_it_is() -> None:
    """A tool with optional inputs changes only what it was given."""
    playing = Playing(WORLD)
    assert playing.ask("rename", reader="R7", street="Quay 4")["name"] == "Tove"
    assert playing.entity("reader", "R7")["street"] == "Quay 4"


def test_what_was_deleted_is_gone() -> None:
    """A loan is given back once."""
    playing = Playing(WORLD)
    assert playing.ask("give_back", reader="R7", book="B3") == "Thank you."
    assert playing.ask("give_back", reader="R7", book="B3") == "error: It is not lent."
    assert playing.entities["loan"] == {}
    assert playing.entity("book", "B3")["copies"] == 2


def test_a_step_is_done_for_each_value_of_a_list() -> None:
    """`one` is the value, `at` its number from 0."""
    playing = Playing(WORLD)
    playing.ask("reserve", books=["B3", "B1"])
    assert [playing.entity("book", key).get("reserved") for key in ("B1", "B2", "B3")] == [2, None, 1]


def test_ids_are_made_in_order_and_never_twice() -> None:
    """The first free number after the count of those there are; without `next` a second one is refused."""
    text = (
        "entities: {note: {N2: {text: old}}, pin: {}}\n"
        "tools:\n"
        '  note: {create: note, id: "N{{ next }}", set: {text: "{{ input.text }}"}}\n'
        '  pin: {create: pin, id: "{{ input.pin }}", set: {up: true}}\n'
    )
    playing = Playing(world(text))
    assert [playing.ask("note", text="x")["id"] for _ in range(2)] == ["N3", "N4"]
    assert [playing.ask("pin", pin="a"), playing.ask("pin", pin="a")] == [
        {"id": "a", "up": True},
        "error: There is a pin 'a' already.",
    ]


def test_a_list_within_an_entity_can_be_looked_through() -> None:
    """`in` names the list; its entries need no ids."""
    text = (
        "entities: {order: {O1: {items: [{sku: a, usd: 5}, {sku: b, usd: 7}]}}}\n"
        "tools:\n"
        "  price_of:\n"
        "    - {get: order, by: input.order}\n"
        "    - {find: item, in: order.items, where: item.sku in input.skus}\n"
        "    - {returns: \"{{ item | sum(attribute='usd') }}\"}\n"
    )
    assert Playing(world(text)).ask("price_of", order="O1", skus=["b", "c"]) == 7


def test_a_step_that_can_not_be_carried_out_says_where() -> None:
    """The world stays as it was, and the reason is for the suite's author, not for the model."""
    text = (
        'entities: {pot: {P: {n: 1}}}\ntools:\n  fill: {update: pot, by: "\'P\'", set: {n: "{{ pot.n + input.by }}"}}\n'
    )
    answer = world(text).call({"pot": {"P": {"n": "one"}}}, "fill", {"pot": "P", "by": 2})
    assert (answer.is_error, answer.output) == (True, "")
    assert answer.broken.startswith("world.yaml:3:9: ")


@pytest.mark.parametrize("more", ['{note: "{{ shelf.note ~ shelf.note }}"}', '{all: "{{ shelf.all + shelf.all }}"}'])
def test_no_call_can_make_a_world_grow_without_bound(more: str) -> None:
    """What doubles again and again is refused in the end, and keeps its last size."""
    tools = f"{{more: {{update: shelf, where: {{kind: oak}}, set: {more}}}}}"
    text = f"entities: {{shelf: {{S: {{kind: oak, note: abcdefgh, all: [1, 2]}}}}}}\ntools: {tools}\n"
    playing, broken = Playing(world(text)), ""
    for _ in range(40):
        answer = playing.world.call(playing.entities, "more", {})
        broken, playing.entities = answer.broken or broken, answer.entities
    assert broken
    assert len(json.dumps(playing.entities)) < 10_000_000


def calls_of(name: str, /, **inputs: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), st.fixed_dictionaries(inputs))


BOOKS, READERS = st.sampled_from(["B1", "B2", "B3", "B8"]), st.sampled_from(["R7", "R9"])
CALLS = st.lists(
    st.one_of(
        calls_of("lend", reader=READERS, book=BOOKS),
        calls_of("give_back", reader=READERS, book=BOOKS),
        calls_of("rename", reader=READERS, name=st.text(max_size=5)),
        calls_of("reserve", books=st.lists(BOOKS, max_size=3)),
        calls_of("get_book", book=BOOKS),
        calls_of("block"),
    ),
    max_size=12,
)


def played(calls: list[tuple[str, dict[str, Any]]]) -> tuple[list[ToolCall], Entities]:
    """Return the calls as a record has them, and what there is at the end."""
    entities, made = WORLD.entities, []
    for number, (name, given_input) in enumerate(calls):
        answer = WORLD.call(entities, name, given_input)
        entities = answer.entities
        made.append(ToolCall(str(number), name, given_input, answer.output, answer.is_error, 0.0, 1))
    return made, entities


@settings(max_examples=60, deadline=None)
@given(CALLS)
def test_following_the_recorded_calls_comes_to_the_same_end(calls: list[tuple[str, dict[str, Any]]]) -> None:
    """A record holds all that is needed, the start stays as it was, and calls that changed something wrote."""
    start = json.dumps(WORLD.entities)
    recorded, end = played(calls)
    course = WORLD.follow(recorded)
    assert (course.end, course.lost) == (end, "")
    assert json.dumps(WORLD.entities) == start
    assert {write.call.name for write in course.writes} <= WORLD.writers
    assert {pair for write in course.writes for pair in write.changed} >= {*changed_between(WORLD.entities, end)}


@settings(max_examples=30, deadline=None)
@given(CALLS, CALLS)
def test_a_course_goes_on_where_its_first_part_ends(first: Any, second: Any) -> None:
    """The calls of one turn after the other come to what all of them together come to."""
    recorded, end = played([*first, *second])
    halfway = WORLD.follow(recorded[: len(first)])
    entities = halfway.end
    for call in recorded[len(first) :]:
        entities = WORLD.call(entities, call.name, call.input).entities
    assert entities == end


FIELDS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)
OVER = st.dictionaries(
    st.sampled_from(["cat", "dog"]),
    st.dictionaries(st.sampled_from("xyz"), st.none() | FIELDS, max_size=3),
    max_size=2,
)
BASE = st.dictionaries(
    st.sampled_from(["cat", "dog"]), st.dictionaries(st.sampled_from("xyz"), FIELDS, max_size=3), max_size=2
)


@given(BASE, OVER)
def test_what_stands_over_a_world_wins_field_by_field(base: Any, over: Any) -> None:
    """Nothing over it changes nothing, twice is as good as once, and only what is named is different."""
    made = overlaid(base, over)
    assert overlaid(base, {}) == base
    assert overlaid(made, over) == made
    named = {(kind, key) for one in (base, over) for kind, entities in one.items() for key in entities}
    for kind, key in named:
        there, asked = base.get(kind, {}).get(key), over.get(kind, {}).get(key, "as it was")
        expected = there if asked == "as it was" else None if asked is None else {**(there or {}), **asked}
        assert made.get(kind, {}).get(key) == expected


def test_a_record_that_the_world_of_today_refuses_has_no_known_end() -> None:
    """A call that worked then and fails now is said, and nothing is made up about what follows."""
    recorded = [ToolCall("1", "lend", {"reader": "R7", "book": "B2"}, "{}", False, 0.0, 1)]
    course = WORLD.follow(recorded)
    assert course.lost.startswith("lend worked when it was recorded")
    assert WORLD.follow([ToolCall("1", "lend", {}, "No reader.", True, 0.0, 1)]).lost == ""


def test_the_readmes_world_does_what_the_readme_says() -> None:
    """Its tools cancel a booking once, and pay back what was paid."""
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
    shown = re.search(r"### Tools that remember.*?```yaml\nworld:\n(.*?)cases:", readme, re.DOTALL)
    assert shown is not None
    playing = Playing(world(textwrap.dedent(shown[1])))
    assert playing.ask("cancel_booking", booking_code="KX4P2A")["status"] == "cancelled"
    assert playing.entity("refund", "refund-1") == {"booking": "KX4P2A", "usd": 120}
    assert playing.ask("cancel_booking", booking_code="KX4P2A") == "error: It is cancelled."
    assert playing.ask("get_booking", booking_code="X") == "error: There is no booking X."


def test_the_library_of_these_tests_is_data_alone() -> None:
    """A world is told from another one by what the file has as its tools."""
    assert world(LIBRARY.replace("is out", "is lent out")).written != WORLD.written


def test_a_step_that_needs_what_a_left_out_step_would_have_read_says_so() -> None:
    """The tool is broken, and its author is told where, not by a name alone."""
    text = (
        "entities: {pot: {P1: {size: 3}}}\ntools:\n"
        "  grow: [{get: pot, by: input.id, if: input.sure}, {update: pot, set: {size: 4}}, {returns: ok}]\n"
    )
    asked = world(text)
    assert asked.call(asked.entities, "grow", {"id": "P1", "sure": True}).broken == ""
    broken = asked.call(asked.entities, "grow", {"id": "P1", "sure": False}).broken
    assert broken.endswith("no step before it has read a pot")
