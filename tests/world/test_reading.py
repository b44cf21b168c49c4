"""Mistakes in a world: all of them, each at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.suites.check import check_project
from evalkit.world import WorldFile
from evalkit.yamlsource import SourceText, check_schema, parse_yaml
from tests.project_files import FILES, write_files
from tests.world.build import problems, world

POTS = """\
entities:
  pot: {P1: {size: 3, lid: true}}
shape: {pot: [size, lid]}
tools:
"""


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ("  a: {get: pott, by: input.id}", "5:12 the world has no kind 'pott' (did you mean 'pot'?)"),
        (
            "  a: {get: pot, by: inptu.id}",
            "5:21 'inptu.id' uses 'inptu', which stands nowhere (did you mean 'input'?).",
        ),
        ("  a: {find: pot, where: {siz: 3}}", "5:26 a pot has no field 'siz' (did you mean 'size'?)"),
        ("  a: {find: pot, sort: -siz}", "5:24 a pot has no field 'siz' (did you mean 'size'?)"),
        ("  a: {find: pot, where: pot.sze > 1}", "5:25 'pot.sze > 1' uses pot.sze, which stands nowhere"),
        ("  a: {update: pot, by: input.id, set: {colour: red}}", "5:40 a pot has no field 'colour'; it has lid, size"),
        ("  a: {update: pot, by: input.id, set: {id: red}}", "5:40 an id can't be written to"),
        ("  a: {update: pot, set: {size: 2}}", "5:15 no earlier step reads a pot; say which one: `by`, or `where`."),
        ("  a: {require: input.size > 2, error: No}", "5:3 'a' returns nothing; add `returns`."),
        ("  a: {get: pot, by: input.id, missing: 'No {{ input. }}'}", "5:40 'No {{ input. }}' is not a template"),
        (
            "  a: {returns: {day: '{{ inputs.tody }}'}}",
            "5:22 '{{ inputs.tody }}' uses inputs.tody, which stands nowhere",
        ),
        ("  a: {find: pot, returns: '{{ pot | shuffle }}'}", "5:27 '{{ pot | shuffle }}' no filter 'shuffle'"),
    ],
)
def test_each_mistake_is_said_at_its_place(tools: str, expected: str) -> None:
    """Kinds, fields, names, templates: what could never work is an error before anything is played."""
    [found] = problems(POTS + tools + "\n")
    assert found.startswith(expected)


def test_all_mistakes_are_said_at_once() -> None:
    """One hides nothing about the others."""
    tools = "  a: {get: pott, by: inptu.id}\n  b:\n    - {get: pot, by: input.id}\n    - {update: pot, set: {siz: 1}}\n"
    assert [one.split()[0] for one in problems(POTS + tools)] == ["5:12", "5:22", "8:27"]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{get: pot, find: pot, by: a}", "a step does one thing: get, find, update, create, delete, require"),
        ("{by: a}", "a step does one thing"),
        ("{get: pot}", "`get` needs `by` (its id) or `where`."),
        ("{update: pot, by: a}", "`update` needs `set` or `append`."),
        ("{require: a}", "`require` needs `error`."),
        ("{find: pot, limit: 3, set: {a: 1}}", "`set` says nothing beside `find`."),
        ("{get: pot, by: a, where: b}", "`by` and `where` both say which; write one of them."),
        ("{gte: pot, by: a}", "unknown key 'gte' in a step of a tool (did you mean 'get'?)"),
    ],
)
def test_a_step_does_one_thing_and_has_what_it_needs(step: str, message: str) -> None:
    """Keys that say nothing where they stand are errors."""
    source = parse_yaml(SourceText("world.yaml", f"tools: {{a: {step}}}"))
    _, found = check_schema(source, WorldFile)
    assert any(message in one.message for one in found), found


def test_what_stands_over_a_world_must_fit_it() -> None:
    """A kind that the suite's world does not have, an entity that is not there to take away, a field of no shape."""
    base = world(POTS + "  a: {get: pot, by: input.id}\n")
    over = "entities:\n  pott: {P1: {size: 1}}\n  pot:\n    P9: null\n    P1: {sise: 1}\n    P2: {id: P2}\n"
    assert [one.split(" (")[0] for one in problems(over, base)] == [
        "2:3 the suite's world has no kind 'pott'",
        "4:5 there is no pot 'P9' to take away.",
        "5:10 a pot has no field 'sise'",
        "6:10 an entity's id is the key that it stands under",
    ]


SUITE = """\
prompt: support
inputs: {today: 2026-11-22}
world:
  entities:
    order: {TN-1: {status: packed}}
  tools:
    lookup_order: {get: order, by: input.order_id, returns: {status: "{{ order.status }}", more: "{{ input.detale }}"}}
    cancel_order: {update: order, by: input.order_id, set: {status: cancelled}}
cases:
  - id: cancelled
    world: {entities: {order: {TN-1: {cancelled_on: "2026-11-20"}}}}
    user: Hello
    expect: {says: [Tess]}
"""


def test_tools_and_inputs_of_a_world_are_held_against_the_prompt(tmp_path: Path) -> None:
    """A tool that the prompt does not have, and an input that its schema does not know."""
    root = write_files(tmp_path, {**FILES, "suites/hello.yaml": SUITE})
    found = [f"{one.place.line} {one.message}" for one in check_project(root).problems if one.severity == "error"]
    assert found == [
        "7 tool 'lookup_order' has no input 'detale' (did you mean 'detail'?)",
        "8 no tool named 'cancel_order' in prompt support@v2; it has lookup_order",
    ]


def test_a_suites_outcome_is_about_the_worlds_of_its_cases(tmp_path: Path) -> None:
    """Where each case has a world of its own, the suite need not have one; a case without any is told."""
    suite = (
        "prompt: desk\nexpect: {outcome: {writes: []}}\ncases:\n"
        "  - {id: a, user: Hi, world: {entities: {pot: {P1: {size: 3}}}, tools: {a: {get: pot, by: input.id}}}}\n"
    )
    tool = "name: a\ndescription: A pot.\ninput_schema: {type: object, properties: {id: {type: string}}}\n"
    prompt = "---\nmodel: claude-sonnet-5-5\ntools: [a.yaml]\n---\nYou have pots.\n"
    files = {"suites/a.yaml": suite, "prompts/desk.md": prompt, "prompts/a.yaml": tool}
    root = write_files(tmp_path, files)

    def told() -> list[str]:
        return [
            one.message for one in check_project(root, [root / "suites/a.yaml"]).problems if one.severity == "error"
        ]

    assert told() == []
    (root / "suites/a.yaml").write_text(suite + "  - {id: b, user: Hi}\n")
    assert told() == ["`writes` needs `write_tools`, the tools that change something, or a `world`."]
