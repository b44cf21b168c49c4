"""What a conversation left behind in a world."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalkit.graders.outcome import State, WorldGrader, Writes
from evalkit.records import Finding, ToolCall, TrialVerdict
from tests.graders.build import called
from tests.world.build import Playing, world

WORLD = world()
PASSED, FAILED, NOT_MEASURED = TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED
LEND = ("lend", {"reader": "R7", "book": "B1", "due": "2026-12-20"})
BACK = ("give_back", {"reader": "R7", "book": "B3"})


def made(*turns: tuple[str, dict[str, Any]]) -> tuple[tuple[ToolCall, ...], ...]:
    """Return calls as the world answers them, each in a turn of its own."""
    playing, calls = Playing(WORLD), []
    for number, (name, tool_input) in enumerate(turns):
        answer = WORLD.call(playing.entities, name, tool_input)
        playing.entities = answer.entities
        calls.append((ToolCall(str(number), name, tool_input, answer.output, answer.is_error, 1.0, 1),))
    return tuple(calls)


def graded(grader: WorldGrader, *turns: tuple[str, dict[str, Any]]) -> Finding:
    """Return what a grader finds in a conversation with these calls."""
    return grader.in_world(WORLD.follow).grade(called(*made(*turns)), None)


def state(value: Any, **more: Any) -> State:
    return State.model_validate_json(json.dumps({"state": value, **more}))


def writes(*calls: Any) -> Writes:
    return Writes.model_validate_json(json.dumps({"writes": calls}))


LENT = {"book": {"B1": {"copies": 1}}, "reader": {"R7": {"loans": ["B3", "B1"]}}, "loan": {"loan-2": {"book": "B1"}}}


def test_the_end_is_held_against_what_is_expected_of_it() -> None:
    """By kind and id, each with the fields that it must have; the other fields of these are free."""
    assert graded(state(LENT), LEND).verdict is PASSED
    matchers = {"book": {"B1": {"copies": {"min": 1, "max": 1}, "title": "/^Tidal/"}}}
    assert graded(state(matchers, others="free"), LEND).verdict is PASSED


def test_a_difference_is_shown_field_by_field_with_the_turn_that_made_it() -> None:
    """What matches is left out, and the last call that changed the entity names the turn."""
    found = graded(state({**LENT, "book": {"B1": {"copies": 2}}}), ("get_book", {"book": "B1"}), LEND)
    assert (found.verdict, found.turn, found.observed) == (FAILED, 2, "book B1 was not as expected")
    assert found.note == "Value of root['book']['B1']['copies'] changed from 2 to 1."


def test_nothing_but_what_is_expected_may_have_changed() -> None:
    """The first entity that was not named is told with the call that changed it; `others: free` lets it be."""
    found = graded(state({"loan": {"loan-2": {"book": "B1"}}}), LEND)
    assert (found.verdict, found.turn) == (FAILED, 1)
    assert found.observed == 'book B1 was changed by lend {"reader": "R7", "book": "B1", "due": "2026-12-20"}'
    assert "['copies'] changed from 2 to 1" in found.note
    assert graded(state({"loan": {"loan-2": {"book": "B1"}}}, others="free"), LEND).verdict is PASSED


def test_exact_means_that_all_other_fields_are_as_they_were() -> None:
    """A field that is not named may not have changed either."""
    changed = ("rename", {"reader": "R7", "name": "Tova", "street": "Quay 4"})
    wanted = {"reader": {"R7": {"name": "Tova"}}}
    assert graded(state(wanted), changed).verdict is PASSED
    assert graded(state(wanted, match="exact"), changed).verdict is FAILED
    wanted["reader"]["R7"]["street"] = "Quay 4"
    assert graded(state(wanted, match="exact"), changed).verdict is PASSED


@pytest.mark.parametrize(
    ("expected", "verdict"),
    [
        ({"loan": {"L1": None}, "book": {"B3": {"copies": 2}}}, PASSED),
        ({"loan": {"L1": {"book": "B3"}}}, FAILED),
        ({"loan": {"L1": "unchanged"}}, FAILED),
        ({"loan": {"L1": None}, "book": "unchanged"}, FAILED),
        ({"loan": {"L1": None}, "book": {"B3": {"copies": 2}, "B1": "unchanged"}, "reader": "unchanged"}, PASSED),
        ("unchanged", FAILED),
    ],
)
def test_an_entity_may_be_gone_or_unchanged(expected: Any, verdict: TrialVerdict) -> None:
    """null: there is none; `unchanged`: as it was at the start, for one entity, a kind, or all."""
    assert graded(state(expected), BACK).verdict is verdict


def test_what_was_only_read_is_unchanged() -> None:
    """Reads, and calls that failed, change nothing."""
    refused = ("lend", {"reader": "R7", "book": "B2"})
    assert graded(state("unchanged"), ("get_book", {"book": "B1"}), refused).verdict is PASSED
    assert graded(writes(), ("get_book", {"book": "B1"}), refused).verdict is PASSED


def test_a_change_that_was_taken_back_is_none() -> None:
    """The state is that of the end; the calls that wrote are known all the same."""
    back = ("give_back", {"reader": "R7", "book": "B1"})
    assert graded(state({"reader": {"R7": {"loans": ["B3", "B1"]}}}), LEND, back).verdict is PASSED
    assert graded(writes({"lend": LEND[1]}, {"give_back": back[1]}), LEND, back).verdict is PASSED


def test_the_world_knows_which_calls_wrote() -> None:
    """No list of tools is needed: a write that was not expected is named."""
    found = graded(writes(), LEND)
    assert (found.verdict, found.turn) == (FAILED, 1)
    assert found.note.startswith("not expected: lend")
    assert graded(writes({"lend": LEND[1]}), LEND).verdict is PASSED


def test_a_record_that_the_world_can_not_follow_is_not_measured() -> None:
    """What worked then and fails today leaves an end that nobody knows."""
    call = ToolCall("1", "lend", {"reader": "R7", "book": "B2"}, "{}", False, 1.0, 1)
    for grader in (state("unchanged"), writes()):
        found = grader.in_world(WORLD.follow).grade(called((call,)), None)
        assert (found.verdict, "lend worked when it was recorded" in found.note) == (NOT_MEASURED, True)


@pytest.mark.parametrize(
    ("grader", "message"),
    [
        (state({"bok": {}}), "the world has no kind 'bok' (did you mean 'book'?)"),
        (
            state({"book": {"B11": {"copies": 1}}}),
            "there is no book 'B11' (did you mean 'B1'?), and no tool",
        ),
        (state({"loan": {"loan-9": {"boook": "B1"}}}), "a loan has no field 'boook' (did you mean 'book'?)."),
        (state([{"id": "B1"}]), "a list of records needs `write_tools`; in a world, `state` names kinds and ids."),
        (state("unchanged", write_tools=["lend"]), "the world knows what changes something; remove `write_tools`."),
        (writes("get_book"), "'get_book' changes nothing in this world; block, give_back, lend, rename, reserve can"),
    ],
)
def test_what_could_never_be_is_a_mistake_of_the_suite(grader: WorldGrader, message: str) -> None:
    """Kinds, ids that no tool makes, fields, and tools that only read."""
    [fault] = grader.faults_in(WORLD)
    assert fault.message.startswith(message)


def test_without_a_world_the_writing_tools_must_be_named() -> None:
    """Else nobody knows what changed something."""
    assert [fault.message for fault in writes().faults_in(None)] == [
        "`writes` needs `write_tools`, the tools that change something, or a `world`."
    ]
    assert [*Writes(writes=[], write_tools=["lend"]).faults_in(None)] == []
