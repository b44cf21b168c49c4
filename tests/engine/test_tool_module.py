"""The functions that `--tools` names: which they are, what each conversation gets, and what is said of mistakes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from evalkit.engine.tool_fit import fit_tools, notes_of
from evalkit.engine.tool_module import load_tools
from evalkit.errors import UsageError
from evalkit.prompts import with_tools
from evalkit.records import PromptVersion

GARDEN = '''
    """Tools of a garden centre."""
    from dataclasses import dataclass
    from evalkit import Context, Toolset, memory_tool, tools_from
    from textwrap import dedent  # another module's: no tool

    @dataclass
    class Bench:
        plants: dict[str, int]

    def evalkit_deps(inputs):
        return Bench({inputs["plant"]: 3})

    def take(plant: str, ctx: Context[Bench]) -> int:
        """Take a plant from the bench."""
        ctx.deps.plants[plant] -= 1
        return ctx.deps.plants[plant]

    def _helper(x):
        return x

    def water(plant: str, litres: float = 1.0) -> str:
        """Water a plant.

        Args:
            plant: Its name.
        """
        return f"{plant}: {litres}"

    SOME = [water]
    LOOSE = tools_from([water], strict=False)
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a module of a name of its own into the current folder and give the name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"garden_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(dedent(GARDEN))
    return name


def names(loaded: str) -> list[str]:
    """Return the names of the tools that a word of the command line means."""
    return [str(tool["name"]) for tool in load_tools(loaded).definitions]


def test_the_public_functions_of_a_module_are_its_tools(module: str) -> None:
    """In their order; helpers, imported functions and the factory are none. A name says which instead."""
    assert names(module) == ["take", "water"]
    assert names(f"{module}:SOME") == names(f"{module}:LOOSE") == names(f"{module}:water") == ["water"]
    assert "strict" not in load_tools(f"{module}:LOOSE").definitions[0]
    assert len(load_tools(module).record.sha) == 64


def test_every_conversation_has_a_context_of_its_own(module: str) -> None:
    """What one conversation takes is still there in the next, and the factory sees the prompt's inputs."""
    functions = load_tools(module)

    async def take_twice(session_id: str, inputs: Mapping[str, Any]) -> list[str]:
        session = functions.in_session(session_id, inputs)
        both = (session.call("take", {"plant": "fern"}), session.call("take", {"plant": "fern"}))
        return sorted(outcome.output for outcome in await asyncio.gather(*both))

    assert asyncio.run(take_twice("a", {"plant": "fern"})) == ["1", "2"]
    assert asyncio.run(take_twice("b", {"plant": "fern"})) == ["1", "2"]
    assert "take" in functions.in_session("c", {})
    assert "prune" not in functions.in_session("c", {})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(:", "can't be imported: SyntaxError: invalid syntax"),
        ("raise KeyError('DATABASE_URL')", r"can't be imported: KeyError: 'DATABASE_URL' \(.*\.py:1\)"),
        ("import sys; sys.exit(4)", r"can't be imported: SystemExit: 4 \(.*\.py:1\)"),
        ("import no_such_package", "can't be imported: ModuleNotFoundError: No module named 'no_such_package'"),
        ("x = 1", "no public function is defined there"),
        ("def f(a): 'Do.'", r"f: parameter 'a' has no annotation.*What is no tool begins with _"),
        ("def f() -> None: ...", "f has no docstring"),
        (
            "from evalkit import Context\ndef f(ctx: Context[int]) -> None: 'Do.'",
            r"f: 'ctx' needs the session's int, and nothing was given\. Define evalkit_deps\(\)",
        ),
    ],
)
def test_a_module_that_is_wrong_is_one_line(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is played, with the module's name first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"wrong_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(source)

    with pytest.raises(UsageError, match=f"^{name}: .*{said}") as caught:
        load_tools(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no_such_garden", "no_such_garden.tools", "json.no_such_part"])
def test_a_module_that_is_missing_is_one_line(name: str) -> None:
    """It says which part of the name is missing, and where it was looked for."""
    missing = name.partition(".tools")[0]
    with pytest.raises(UsageError, match=rf"^{name}: there is no module '{missing}', neither in /"):
        load_tools(name)


def test_a_factory_that_makes_something_else_ends_the_run(module: str, tmp_path: Path) -> None:
    """It is the module's mistake, not the model's."""
    file = tmp_path / f"{module}.py"
    file.write_text(file.read_text().replace('Bench({inputs["plant"]: 3})', '"no bench"'))

    with pytest.raises(UsageError, match=r"take: 'ctx' needs the session's Bench, and got str\. evalkit_deps\(\)"):
        asyncio.run(load_tools(module).in_session("a", {}).open())


def prompt(*tools: dict[str, Any]) -> PromptVersion:
    """Return a prompt that declares these tools."""
    return with_tools(PromptVersion("", "garden@v1", "", "claude-sonnet-5-5", {}, (), ()), tools)


def test_what_fits_needs_no_words(module: str) -> None:
    """Definitions as they were exported; strictness and the order of what is required are the prompt's business."""
    functions = load_tools(module)
    declared = [dict(tool) for tool in functions.definitions]
    del declared[0]["strict"]

    assert list(notes_of([fit_tools(prompt(*declared), functions)])) == []


def test_what_does_not_fit_is_said_with_both_sides(module: str) -> None:
    """A declared tool without a function, a definition that differs, a function that the prompt does not know."""
    functions = load_tools(module)
    water = dict(functions.definitions[1])
    schema = {**water["input_schema"], "properties": {"plant": {"type": "string", "description": "Its Latin name."}}}
    prune = {"name": "prune", "description": "Prune.", "input_schema": {"type": "object"}}

    lacking, differing, unknown = notes_of([fit_tools(prompt({**water, "input_schema": schema}, prune), functions)])

    assert lacking == f"garden@v1: {module} has no function for prune; only what the suites say answers."
    assert "input_schema.properties.plant.description: 'Its Latin name.' in the prompt, 'Its name.' in the" in differing
    assert "input_schema.properties.litres: nothing in the prompt" in differing
    assert unknown.startswith("garden@v1 has no tool take, so the model is not told of it; to add it: evalkit tools ")


def test_a_tool_of_the_api_fits(module: str) -> None:
    """It has no schema on either side."""
    memory = {"type": "memory_20250818", "name": "memory"}
    functions = load_tools(module)

    assert fit_tools(prompt(memory), replace(functions, definitions=(memory,))).different == ()
