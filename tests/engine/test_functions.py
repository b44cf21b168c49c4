"""Python functions as tools."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from evalkit.engine import ToolFailed
from evalkit.engine.functions import Context, JoinedTools, ToolFunction, join_tools, tools_from, toolset_of
from evalkit.engine.tools import run_tool
from evalkit.records import JsonObject, ToolCall
from evalkit.standin.protocol.tools import check_tools


@dataclass
class Box:
    """A size in centimetres."""

    width: int
    depth: int = 10


def find_order(
    order_id: str,
    limit: Annotated[int, Field(ge=1, le=5)] = 2,
    state: Literal["open", "sent"] | None = None,
    box: Box | None = None,
) -> dict[str, Any]:
    """Find an order by its number.

    Gives its state and what is in it.

    Args:
        order_id: The number on the confirmation, such as A-1.
        limit: How many items to list.
    """
    return {"order": order_id, "limit": limit, "state": state, "box": box}


async def refund(amount: float) -> str:
    """Refund an amount.

    :param amount: in pounds
    """
    if amount > 100:
        raise ToolFailed("At most 100 pounds; ask a colleague for more.")
    return f"{amount} refunded"


def call(function: ToolFunction, tool_input: JsonObject, timeout_s: float = 5.0, strict: bool = True) -> ToolCall:
    """Call a function as the engine does."""
    definitions, source = tools_from([function], strict=strict)
    block = {"id": "t1", "name": definitions[0]["name"], "input": tool_input}
    return asyncio.run(run_tool(block, 1, definitions, source, timeout_s=timeout_s))


def test_signature_and_docstring_make_the_definition() -> None:
    """Types come from the annotations, texts from the docstring, required is what has no default."""
    (definition,), _ = tools_from([find_order], strict=False)

    schema = definition["input_schema"]
    assert definition["name"] == "find_order"
    assert definition["description"] == "Find an order by its number.\n\nGives its state and what is in it."
    assert schema["required"] == ["order_id"]
    assert schema["properties"]["order_id"] == {
        "type": "string",
        "description": "The number on the confirmation, such as A-1.",
    }
    assert schema["properties"]["limit"]["maximum"] == 5
    assert schema["$defs"]["Box"]["properties"]["width"] == {"type": "integer"}
    assert "title" not in str(schema)


def test_strict_definitions_are_what_the_api_takes() -> None:
    """In strict mode every object is closed, and what the grammar can't say stands in the description."""
    definitions, _ = tools_from([find_order, refund])

    check_tools(definitions)
    schema = definitions[0]["input_schema"]
    assert [definition["strict"] for definition in definitions] == [True, True]
    assert schema["additionalProperties"] is schema["$defs"]["Box"]["additionalProperties"] is False
    assert schema["properties"]["limit"] == {
        "type": "integer",
        "description": "How many items to list. (minimum: 1; maximum: 5; default: 2)",
    }


def test_arguments_arrive_with_their_types_and_defaults_are_the_functions_own() -> None:
    """A nested object becomes its class; the answer is JSON."""
    done = call(find_order, {"order_id": "A-1", "box": {"width": 3}})

    assert done.output == '{"order":"A-1","limit":2,"state":null,"box":{"width":3,"depth":10}}'
    assert (done.is_error, done.origin) == (False, f"{__name__}.find_order")


@pytest.mark.parametrize(
    ("tool_input", "said"),
    [
        ({}, "'order_id' is a required property"),
        ({"order_id": 7}, "not valid at 'order_id'"),
        ({"order_id": "A-1", "limit": 9}, "not valid at 'limit': Input should be less than or equal to 5."),
        ({"order_id": "A-1", "state": "lost"}, "not valid at 'state'"),
        ({"order_id": "A-1", "colour": "red"}, "'colour' was unexpected"),
    ],
)
def test_input_that_does_not_fit_never_reaches_the_function(tool_input: JsonObject, said: str) -> None:
    """The model is told which argument is wrong, also where only Python's side knows the limit."""
    done = call(find_order, tool_input)

    assert done.is_error
    assert said in done.output


def test_a_tool_fails_in_its_own_words() -> None:
    """ToolFailed is an error result with exactly its message."""
    assert call(refund, {"amount": 1.5}).output == "1.5 refunded"
    failed = call(refund, {"amount": 500.0})
    assert (failed.output, failed.is_error) == ("At most 100 pounds; ask a colleague for more.", True)


@pytest.mark.parametrize(
    "error", [KeyError("gone"), TimeoutError("upstream"), asyncio.CancelledError(), StopIteration()]
)
def test_whatever_a_function_raises_is_a_result(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """No exception of a tool ends the turn, and nothing of it reaches the model; people read the traceback."""

    def broken() -> str:
        """Break."""
        raise error

    async def broken_too() -> str:
        """Break."""
        raise error

    for function in (broken, broken_too):
        caplog.clear()
        done = call(function, {})
        name = function.__name__
        assert (done.output, done.is_error) == (f"{name} is not available at the moment.", True)
        assert done.origin == "exception"
        assert f"in {name}\n" in done.trace
        assert f"in {name}\n" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_is_meant_for_the_whole_program_is_no_reply(error: BaseException) -> None:
    """A tool that ends the program ends it; the model is not told that the tool is down."""

    async def leave() -> str:
        """Leave."""
        raise error

    with pytest.raises(type(error)):
        call(leave, {})


def test_a_text_that_is_no_unicode_is_a_broken_tool() -> None:
    """It could not be sent; the turn goes on without it."""

    def half() -> str:
        """Give half a character."""
        return "caf\udce9"

    assert (call(half, {}).output, call(half, {}).origin) == ("half is not available at the moment.", "exception")


def test_a_function_that_hangs_is_left_and_keeps_nobody_waiting() -> None:
    """The call ends at its time limit, and the program can end although the thread never does."""
    never = threading.Event()

    def hang() -> None:
        """Wait for ever."""
        never.wait()

    done = call(hang, {}, timeout_s=0.05)

    assert (done.is_error, done.origin) == (True, "timeout")
    assert done.output == "hang did not answer in time; whether it has done something is not known."
    never.set()


def test_sync_functions_run_side_by_side() -> None:
    """Two calls that wait for each other both end, so they ran at the same time; each sees the caller's context."""
    meeting = threading.Barrier(2, timeout=20)
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")

    def meet(name: str) -> str:
        """Meet the other call."""
        meeting.wait()
        return f"{name} for {who.get()}"

    definitions, source = tools_from([meet])

    async def both() -> list[ToolCall]:
        who.set("Ada")
        blocks = [{"id": name, "name": "meet", "input": {"name": name}} for name in "ab"]
        return await asyncio.gather(*(run_tool(block, 1, definitions, source) for block in blocks))

    assert [done.output for done in asyncio.run(both())] == ["a for Ada", "b for Ada"]


def test_a_cancelled_turn_cancels_its_tools() -> None:
    """A cancellation from outside is no result; it goes through."""

    async def wait() -> None:
        """Wait for ever."""
        await asyncio.Event().wait()

    definitions, source = tools_from([wait])

    async def cancelled() -> None:
        block = {"id": "t", "name": "wait", "input": {}}
        running = asyncio.ensure_future(run_tool(block, 1, definitions, source))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())


class Counter:
    """Counts its calls."""

    def __init__(self) -> None:
        self.count = 0
        self.__name__ = "count_up"

    async def __call__(self, by: int) -> int:
        """Count up."""
        self.count += by
        return self.count


def test_any_callable_can_be_a_tool() -> None:
    """An object with an async __call__ is awaited; its docstring describes it."""
    done = call(Counter(), {"by": 3})

    assert (done.output, done.is_error) == ("3", False)


class Tree(BaseModel):
    """A tree."""

    children: list[Tree] = []


def no_docs(a: int) -> None: ...


def no_annotation(a) -> None:  # type: ignore[no-untyped-def]
    """Do."""


def any_names(**names: int) -> None:
    """Do."""


def recursive(tree: Tree) -> None:
    """Do."""


def free_keys(prices: dict[str, int]) -> None:
    """Do."""


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (no_docs, "no_docs has no docstring"),
        (no_annotation, "parameter 'a' has no annotation"),
        (any_names, "parameter 'names' can't be given by name"),
        (recursive, "can't be strict: 'Tree' refers to itself"),
        (free_keys, "can't be strict: a mapping with free keys"),
        (lambda a: a, "can't be a tool's name"),
    ],
)
def test_what_can_not_be_a_tool_is_refused_when_it_is_made(function: ToolFunction, said: str) -> None:
    """The mistake is named before any request."""
    with pytest.raises(TypeError, match=said.replace("(", r"\(")):
        tools_from([function])


def test_names_must_differ() -> None:
    """Two tools of one name are refused, also when two toolsets are joined."""
    with pytest.raises(TypeError, match="two tools are named 'refund'"):
        tools_from([refund, refund])
    with pytest.raises(TypeError, match="two tools are named 'refund'"):
        join_tools(tools_from([refund]), tools_from([refund]))


def test_joined_toolsets_answer_each_with_their_own() -> None:
    """Definitions stand in order, and each call goes to the source it came with."""
    definitions, source = join_tools(tools_from([refund]), tools_from([find_order]))

    block = {"id": "t", "name": "find_order", "input": {"order_id": "A-1"}}
    assert [definition["name"] for definition in definitions] == ["refund", "find_order"]
    assert '"order":"A-1"' in asyncio.run(run_tool(block, 1, definitions, source)).output


@dataclass
class Newsdesk:
    """What the tools of an editor's session work on."""

    editor: str


def sign(article: str, ctx: Context[Newsdesk], style: str = "plain") -> str:
    """Sign an article.

    Args:
        article: The article's slug.
    """
    return f"{article}, {ctx.deps.editor}, {ctx.session_id}, {style}"


def signed(deps: object) -> ToolCall:
    """Call `sign` in a session."""
    definitions, source = tools_from([sign])
    assert isinstance(source, JoinedTools)
    block = {"id": "t", "name": "sign", "input": {"article": "floods"}}
    return asyncio.run(run_tool(block, 1, definitions, source.in_session(deps, "s1")))


def test_a_context_is_no_part_of_the_schema_and_reaches_the_function() -> None:
    """The model is not told of it; each session's calls receive their own object."""
    (definition,), _ = tools_from([sign])

    assert list(definition["input_schema"]["properties"]) == ["article", "style"]
    assert signed(Newsdesk("Ada")).output == "floods, Ada, s1, plain"
    assert signed(Newsdesk("Bo")).output == "floods, Bo, s1, plain"


def test_a_context_that_the_model_sends_is_refused() -> None:
    """Nobody can pass for another session by an argument of that name."""
    done = call(sign, {"article": "floods", "ctx": {"deps": {"editor": "Eve"}}})

    assert done.is_error
    assert "'ctx' was unexpected" in done.output


@pytest.mark.parametrize(("deps", "said"), [(None, "nothing was given"), ("Ada", "got str")])
def test_a_session_without_what_its_tools_need_does_not_begin(deps: object, said: str) -> None:
    """Before the first message, with the parameter and the type."""
    with pytest.raises(TypeError, match=f"sign: 'ctx' needs the session's Newsdesk, and {said}."):
        signed(deps)


def test_functions_and_toolsets_are_joined_and_anything_else_is_refused() -> None:
    """What is neither would be a tool that the model misses in silence."""
    joined = toolset_of([find_order, tools_from([refund], strict=False)])

    assert [definition["name"] for definition in joined.definitions] == ["find_order", "refund"]
    assert toolset_of(joined) is joined
    for wrong in (["find_order"], [find_order, Newsdesk("Ada")], [Newsdesk], "find_order", find_order):
        with pytest.raises(TypeError, match=r"^tools: "):
            toolset_of(wrong)  # type: ignore[arg-type]
