"""A file against its schema: what is taken, and how each mistake is worded at its place."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import jsonschema
import pytest
from pydantic import Field, model_validator

from evalkit.yamlsource import (
    Count,
    FileModel,
    Flag,
    Json,
    JsonMap,
    Number,
    SourceText,
    Text,
    check_schema,
    did_you_mean,
    json_schema,
    parse_yaml,
    refusal,
)


class Circle(FileModel):
    called: ClassVar[str] = "a circle"
    kind: Literal["circle"]
    radius: Number = Field(gt=0)


class Square(FileModel):
    called: ClassVar[str] = "a square"
    kind: Literal["square"]
    side: Number


class Part(FileModel):
    called: ClassVar[str] = "part"
    refused: ClassVar[dict[str, str]] = {"colour": "parts have no colour yet."}
    name: Text = Field(min_length=1, description="Its name.", examples=["wheel"])
    count: Count = Field(1, ge=1, le=9)
    fast: Flag = False

    @model_validator(mode="after")
    def _not_both(self) -> Part:
        if self.fast and self.count > 5:
            raise refusal("a fast part comes five times at most.", "count")
        return self


class Machine(FileModel):
    called: ClassVar[str] = "the machine"
    parts: list[Part] = Field([])
    by_name: dict[str, Part] = Field({})
    shapes: list[Annotated[Circle | Square, Field(discriminator="kind")]] = Field([])
    size: Literal["small", "large"] | None = None
    labels: list[Text] = Field([], max_length=3)
    anything: Json = None
    more: JsonMap = Field({})


def check(text: str) -> tuple[Machine | None, list[str]]:
    """Return the model, and the problems as lines."""
    source = parse_yaml(SourceText("m.yaml", text))
    model, problems = check_schema(source, Machine)
    return model, [f"{problem.place} {problem.message}" for problem in [*source.problems, *problems]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("part: []", "m.yaml:1:1 unknown key 'part' in the machine (did you mean 'parts'?)"),
        ("parts:\n- nam: x\n  name: y", "m.yaml:2:3 unknown key 'nam' in part (did you mean 'name'?)"),
        ("by_name: {a: {name: x, zzz: 1}}", "m.yaml:1:24 unknown key 'zzz' in part; known keys: name, count, fast"),
        ("parts: [{name: x, colour: red}]", "m.yaml:1:19 parts have no colour yet."),
        ("parts: [{count: 1}]", "m.yaml:1:9 key 'name' is missing in part"),
        ("parts: {name: x}", "m.yaml:1:8 'parts' is a mapping; expected a list."),
        ("parts: [x]", "m.yaml:1:9 entry 1 of 'parts' is the text 'x'; expected a mapping (`key: value`)."),
        ("parts: [{name: x, count: many}]", "m.yaml:1:26 'count' is the text 'many'; expected a whole number."),
        ("parts: [{name: x, count: 1.5}]", "m.yaml:1:26 'count' is the number 1.5; expected a whole number."),
        ("parts: [{name: x, count: true}]", "m.yaml:1:26 'count' is true; expected a whole number."),
        ("parts: [{name: x, count: 0}]", "m.yaml:1:26 'count' is the number 0; expected at least 1."),
        ("parts: [{name: x, count: 10}]", "m.yaml:1:26 'count' is the number 10; expected at most 9."),
        ("parts: [{name: x, fast: yes}]", "m.yaml:1:25 'fast' is the text 'yes'; expected true or false."),
        ("parts: [{name: x, fast: True}]", "m.yaml:1:25 'fast' is the text 'True'; expected true or false."),
        ("parts: [{name: }]", "m.yaml:1:16 'name' is empty; expected text."),
        ("parts: [{name: []}]", "m.yaml:1:16 'name' is an empty list; expected text."),
        ("parts: [{name: ''}]", "m.yaml:1:16 'name' is the text ''; expected at least 1 character."),
        ("parts:\n- name: x\n  fast: true\n  count: 6", "m.yaml:4:10 a fast part comes five times at most."),
        ("shapes: [{kind: circle, radius: 0}]", "m.yaml:1:33 'radius' is the number 0; expected more than 0."),
        ("shapes: [{kind: circle, side: 1, radius: 1}]", "m.yaml:1:25 unknown key 'side' in a circle"),
        ("shapes: [{kind: square}]", "m.yaml:1:10 key 'side' is missing in a square"),
        ("shapes: [{kind: cirle}]", "m.yaml:1:17 unknown kind 'cirle' (did you mean 'circle'?)"),
        ("shapes: [{radius: 1}]", "m.yaml:1:10 key 'kind' is missing"),
        ("size: medium", "m.yaml:1:7 'size' is the text 'medium'; expected 'small' or 'large'."),
        ("labels: [a, [b]]", "m.yaml:1:13 entry 2 of 'labels' is a list; expected text."),
        ("labels: [a, b, c, d]", "m.yaml:1:9 'labels' is a list; expected at most 3 entries."),
        ("more: 1", "m.yaml:1:7 'more' is the number 1; expected a mapping (`key: value`)."),
        ("just text", "m.yaml:1:1 the file is the text 'just text'; expected a mapping (`key: value`)."),
        ("", "m.yaml:1:1 the file is empty; expected a mapping (`key: value`)."),
    ],
)
def test_a_mistake_is_said_in_words_at_its_line_and_column(text: str, expected: str) -> None:
    """The sentence names the key, what stands there, what was expected, and a near word if there is one."""
    model, lines = check(text)

    assert model is None
    assert len(lines) == 1
    assert lines[0].startswith(expected)


def test_every_mistake_of_a_file_is_found_at_once() -> None:
    """One wrong value hides no other."""
    _, lines = check("size: big\nparts:\n- count: 0\n  fats: true\n- {}\nlabels: 1\n")

    assert len(lines) == 6


@pytest.mark.parametrize("written", ["1.10", "00123", "true", "12:30", "NO", "'quoted'", "2026-11-22"])
def test_text_is_taken_as_it_was_written(written: str) -> None:
    """Where text is expected, an unquoted number or boolean keeps its characters."""
    model, lines = check(f"labels: [{written}]")

    assert lines == []
    assert model is not None
    assert model.labels == [written.strip("'")]


@pytest.mark.parametrize(
    ("written", "value"), [("1.10", 1.1), ("true", True), ("{a: [null, NO]}", {"a": [None, "NO"]})]
)
def test_where_any_value_is_expected_plain_values_have_their_types(written: str, value: Any) -> None:
    """JSON values are numbers, booleans and nulls where they plainly are."""
    model, _ = check(f"anything: {written}\nmore: {{x: {written}}}")

    assert model is not None
    assert model.anything == value
    assert model.more == {"x": value}


def test_the_json_schema_says_what_the_loader_does() -> None:
    """Optional keys may be left out but not null, unknown keys are refused, descriptions and examples are there."""
    schema = json_schema(Machine, "machine")
    validator = jsonschema.Draft202012Validator(schema)

    jsonschema.Draft202012Validator.check_schema(schema)
    assert validator.is_valid({"parts": [{"name": "x"}], "size": "small"})
    for wrong in ({"size": None}, {"sizes": 1}, {"parts": [{}]}, {"shapes": [{"kind": "circle", "side": 1}]}):
        assert not validator.is_valid(wrong)
    name = schema["$defs"]["Part"]["properties"]["name"]
    assert (name["description"], name["examples"]) == ("Its name.", ["wheel"])


def test_a_suggestion_keeps_its_own_spelling() -> None:
    """The nearest known word is found without regard to case; a far one is not suggested."""
    assert did_you_mean("SAYS", ["Says", "tools"]) == " (did you mean 'Says'?)"
    assert did_you_mean("zebra", ["says"]) == ""
