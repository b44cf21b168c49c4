"""What answers the calls of a case: fixtures, then the world, then functions; and what that leaves in the world."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.engine import ToolOutcome
from evalkit.records import JsonObject, Place, ToolCall
from evalkit.suites.fixtures import NO_FIXTURE, CaseTools, Stage, follow_calls, tools_of
from evalkit.suites.values import Fixture
from tests.world.build import world

WORLD = world()
LEND = {"reader": "R7", "book": "B1", "due": "2026-12-20"}


def fixture(tool: str, *, error: str | None = None, times: int | None = None, delay_ms: int = 0) -> Fixture:
    """Return a fixture for every call of a tool."""
    returns = {"from": "fixture"} if error is None else None
    return Fixture(tool, {}, returns, error, times, delay_ms, Place("suites/a.yaml", 7, 5))


def ask(tools: CaseTools, name: str, tool_input: JsonObject) -> ToolOutcome:
    return asyncio.run(tools.call(name, tool_input))


class Functions:
    """The functions of a product."""

    def __contains__(self, name: object) -> bool:
        return name == "pay"

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Say who answered."""
        return ToolOutcome(f"{name} of the product, {len(tool_input)} arguments", origin="function")


def test_fixtures_answer_first_then_the_world_then_functions() -> None:
    """An error of one case stands before the world, which answers once it is used up."""
    stage = Stage({"lend": (fixture("lend", error="down", times=1),)}, WORLD)
    tools = tools_of(stage, Functions())
    assert [ask(tools, "lend", LEND).output for _ in range(2)] == ["down", '{"loan":"loan-2","copies_left":1}']
    assert ask(tools, "pay", {"usd": 3}).output == "pay of the product, 1 arguments"
    assert ask(tools_of(stage), "pay", {}).origin == NO_FIXTURE


def test_a_result_names_the_line_of_its_tool() -> None:
    """As that of a fixture names the fixture's; where the tool can't be carried out, the step to blame and why."""
    assert ask(tools_of(Stage({}, WORLD)), "get_book", {"book": "B1"}).origin == "world.yaml:11:3"
    broken = ask(tools_of(Stage({}, WORLD)), "reserve", {"books": "B1"})
    assert (broken.is_error, broken.origin) == (True, "world.yaml:35:12: `each` is no list of at most 1,000 values")
    assert "each" not in broken.output


def test_calls_of_one_turn_change_the_world_in_the_order_in_which_they_are_asked() -> None:
    """Side by side, and whatever a fixture beside them takes: the second one gets the last copy."""

    async def play() -> list[str]:
        tools = tools_of(Stage({"get_book": (fixture("get_book", delay_ms=5),)}, WORLD))
        calls = [("get_book", {"book": "B3"}), ("lend", {**LEND, "book": "B3"}), ("lend", {**LEND, "book": "B3"})]
        return [one.output for one in await asyncio.gather(*(tools.call(name, given) for name, given in calls))]

    assert asyncio.run(play()) == [
        '{"from":"fixture"}',
        '{"loan":"loan-2","copies_left":0}',
        "The Bee Year is out.",
    ]


def test_every_conversation_begins_with_the_same_world() -> None:
    """What one trial writes no other one sees."""
    stage = Stage({}, WORLD)
    outputs = [ask(tools_of(stage), "lend", LEND).output for _ in range(2)]
    assert outputs[0] == outputs[1]


BOOKS = st.sampled_from(["B1", "B2", "B3"])
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("lend"), st.fixed_dictionaries({"reader": st.just("R7"), "book": BOOKS, "due": st.none()})),
        st.tuples(st.just("give_back"), st.fixed_dictionaries({"reader": st.just("R7"), "book": BOOKS})),
        st.tuples(st.just("rename"), st.fixed_dictionaries({"reader": st.just("R7"), "name": st.text(max_size=3)})),
    ),
    max_size=10,
)
FIXTURES = st.dictionaries(
    st.sampled_from(["lend", "give_back", "rename"]),
    st.lists(
        st.builds(fixture, st.just("any"), error=st.none() | st.just("down"), times=st.integers(1, 2)), max_size=3
    ).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(CALLS, FIXTURES)
def test_following_a_record_comes_to_the_state_of_the_trial(calls: list[tuple[str, Any]], fixtures: Any) -> None:
    """Whatever fixtures stood before the world: what they answered has changed nothing, then and now."""
    stage = Stage(fixtures, WORLD)
    tools, made = tools_of(stage), []
    for number, (name, tool_input) in enumerate(calls):
        outcome = tools.answer(name, tool_input)
        assert outcome is not None
        made.append(ToolCall(str(number), name, tool_input, outcome.output, outcome.is_error, 0.0, 1))
    course = follow_calls(stage, made)
    assert course is not None
    assert (course.lost, course.end) == ("", tools.entities)

    again = tools_of(stage)
    again.stand_after(made)
    assert again.entities == tools.entities
    assert [again.answer("give_back", {"reader": "R7", "book": "B3"})] == [
        tools.answer("give_back", {"reader": "R7", "book": "B3"})
    ]
