"""What values inputs may have, where they come from, and how a template uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import FileProblems, UsageError
from evalkit.prompts import find_prompt, load_prompt, render_prompt
from evalkit.prompts.inputs import MAX_CHARACTERS, parse_value
from tests.project_files import write_files

HEAD = """\
---
model: claude-sonnet-5-5
inputs:
  guest: {required: true}
  rooms: []
  late: false
  floor: 1.10
---
"""
BODY = """\
You are the porter.
{# evalkit: cache here #}
Guest: {{ guest.name }}
{% for room in rooms %}- {{ room.number }} ({{ room.beds | join(" + ") }})
{% endfor %}{% if late %}Late arrival.{% endif %} Floor {{ floor }}.
"""
GUEST = {"name": "Ines", "stays": 3}


def project(root: Path, body: str = BODY, head: str = HEAD, **files: str) -> Path:
    """Write a project with one prompt."""
    return write_files(root, {"prompts/porter.md": head + body, **files})


def rendered(root: Path, **inputs: Any) -> str:
    """Return the text of the prompt with these inputs."""
    return load_prompt("porter", {"guest": GUEST, **inputs}, root).text


def problem(root: Path, **inputs: Any) -> str:
    """Return the one problem of the prompt with these inputs."""
    with pytest.raises(FileProblems) as caught:
        rendered(root, **inputs)
    (only,) = caught.value.problems
    return f"{only.place}: {only.message}"


def test_lists_objects_and_booleans_are_used_as_what_they_are(tmp_path: Path) -> None:
    """A loop, an attribute, a condition; a number is printed as it was written."""
    text = rendered(project(tmp_path), rooms=[{"number": 12, "beds": ["king", "sofa"]}], late=True)

    assert text.endswith("Guest: Ines\n- 12 (king + sofa)\nLate arrival. Floor 1.10.")


def test_a_key_of_an_object_wins_over_a_method_of_that_name(tmp_path: Path) -> None:
    """`order.items` is what the object holds, and its other methods stay."""
    body = (
        "{% for one in guest.items %}{{ one }}{% endfor %} {% for key, _ in guest.more.items() %}{{ key }}{% endfor %}"
    )

    assert rendered(project(tmp_path, body), guest={"items": ["a", "b"], "more": {"k": 1}}) == "ab k"


def test_an_object_is_printed_as_json(tmp_path: Path) -> None:
    """`tojson` prints any value, in its own letters."""
    root = project(tmp_path, "{{ guest | tojson }} {{ late }}")

    assert rendered(root, guest={"name": "Zoë", "since": None}) == '{"name": "Zoë", "since": null} false'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "Hello\n{{ guest.nmae }}",
            "prompts/porter.md:10:1: this value has no 'nmae' (did you mean 'name'?); it has name, stays.",
        ),
        (
            "{% if guest.tier == 1 %}x{% endif %}",
            (
                "prompts/porter.md:9:1: this value has no 'tier'; it has name, stays. "
                "Ask `is defined` first where it may be missing."
            ),
        ),
        ("{{ rooms[2].beds }}", "prompts/porter.md:9:1: there is no [2] in a list of 0 entries."),
        (
            "{{ guest }}",
            "prompts/porter.md:9:1: a dict can't be printed; join its entries, print one of them, or use tojson",
        ),
    ],
)
def test_what_an_object_lacks_is_told_at_the_line_of_the_prompt(tmp_path: Path, body: str, expected: str) -> None:
    """Undefined is strict inside objects too, and says what there is."""
    assert problem(project(tmp_path, body)).startswith(expected)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"rooms": "12"}, "porter.md:5:10: input 'rooms' is text; expected a list, as its default is."),
        ({"late": "no"}, "porter.md:6:9: input 'late' is text; expected true or false, as its default is."),
        ({"guest": {"name": "a\0b"}}, "porter.md:4:10: input 'guest' holds a NUL character."),
        ({"guest": {"n\0": 1}}, "porter.md:4:10: input 'guest' holds a NUL character."),
        ({"guest": "x" * (MAX_CHARACTERS + 1)}, "porter.md:4:10: input 'guest' has more than 1,000,000 characters."),
        ({"guest": [0] * 20_001}, "porter.md:4:10: input 'guest' has more than 20,000 entries."),
        ({"guest": {"n": float("inf")}}, "porter.md:4:10: input 'guest' holds inf, which is no JSON number."),
        ({"guest": {"n": Path()}}, "porter.md:4:10: input 'guest' holds a PosixPath; expected text,"),
        ({"gest": 1}, "porter.md:4:3: prompt porter has no input 'gest' (did you mean 'guest'?); inputs: floor,"),
    ],
)
def test_a_value_that_can_not_be_is_refused(tmp_path: Path, inputs: dict[str, Any], expected: str) -> None:
    """Kind, size and what no prompt can hold, at the input's line."""
    assert problem(project(tmp_path), **inputs).startswith(f"prompts/{expected}")


def test_a_value_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    """Depth is bounded, however it came about."""
    value: Any = "x"
    for _ in range(30):
        value = [value]

    assert "has more than 20 levels" in problem(project(tmp_path), guest=value)


def test_a_default_may_be_a_file_below_the_prompts_folder(tmp_path: Path) -> None:
    """Its text is the value, its hash counts as one of the prompt's files, and another text is another version."""
    head = HEAD.replace("rooms: []", "rooms: {file: porter/rooms.txt}")
    root = project(tmp_path, "{{ rooms }}", head, **{"prompts/porter/rooms.txt": "12, 14"})
    before = load_prompt("porter", {"guest": GUEST}, root)

    assert before.text == "12, 14"
    assert "prompts/porter/rooms.txt" in before.files
    write_files(root, {"prompts/porter/rooms.txt": "12"})
    assert load_prompt("porter", {"guest": GUEST}, root).template_sha != before.template_sha


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../a.txt", "prompts/porter.md:5:17: '../a.txt' is not below prompts; expected a path that stays inside it."),
        ("no.txt", "prompts/porter.md:5:17: there is no file prompts/no.txt; expected it where the prompt names it."),
        ("3", "prompts/porter.md:5:17: `file` is 3; expected the path of a file."),
    ],
)
def test_a_default_from_a_file_that_can_not_be_is_told_where_it_is_named(
    tmp_path: Path, name: str, expected: str
) -> None:
    """Missing, outside, or no path at all."""
    root = project(tmp_path, head=HEAD.replace("rooms: []", f"rooms: {{file: {name}}}"))

    assert [f"{one.place}: {one.message}" for one in find_prompt("porter", root).problems] == [expected]


def test_one_version_has_many_renderings(tmp_path: Path) -> None:
    """Inputs change what is sent and not which version it is; a text or a default changes both."""
    source = find_prompt("porter", project(tmp_path))
    one, other = (render_prompt(source, {"guest": {"name": name}}) for name in ("Ines", "Tom"))

    assert one.template_sha == other.template_sha
    assert one.sha != other.sha
    root = project(tmp_path, head=HEAD.replace("late: false", "late: true"))
    assert load_prompt("porter", {"guest": {"name": "Ines"}}, root).template_sha != one.template_sha


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("plain words", "plain words"),
        ("2026-11-22", "2026-11-22"),
        ("5", 5),
        ("1.10", "1.10"),
        ("true", True),
        ("null", "null"),
        ('"quoted"', '"quoted"'),
        ("NaN", "NaN"),
        ('[1, {"a": "b"}]', [1, {"a": "b"}]),
        ("{broken", "{broken"),
        ("@docs/a.md", "About rooms\n"),
        ('{"text": {"file": "docs/a.md"}}', {"text": "About rooms\n"}),
    ],
)
def test_what_is_typed_for_an_input_is_json_or_text_or_a_file(tmp_path: Path, typed: str, value: Any) -> None:
    """Numbers, booleans, lists and objects are JSON; everything else is text."""
    write_files(tmp_path, {"docs/a.md": "About rooms\n"})

    assert parse_value(typed, tmp_path) == value


@pytest.mark.parametrize("typed", ["@no.md", "@../a.md", '[{"file": 3}]'])
def test_a_typed_file_that_can_not_be_read_is_a_usage_error(tmp_path: Path, typed: str) -> None:
    """Only files below the project are read."""
    with pytest.raises(UsageError):
        parse_value(typed, tmp_path)
