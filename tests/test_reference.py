"""The reference page: it is current, it says something about every key, and its examples work."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from evalkit.graders import Grader, Requirement
from evalkit.graders.registry import GRADERS
from evalkit.records import Place, TrialVerdict
from evalkit.reference import FileFormat, Section, file_formats, reference_page, sections
from evalkit.suites.format import CaseFile, Expect
from evalkit.yamlsource import FileModel, SourceText, check_schema, parse_yaml
from tests.graders.build import call, called

PAGE = Path(__file__).parent.parent / "docs" / "reference.md"
BESIDE: dict[str, dict[str, Any]] = {
    "WorldStep": {"get": "booking", "by": "input.code"},
    "FixtureFile": {"returns": {}},
    "Wanted": {"text": "30 days"},
    "JsonExpect": {"fields": {"urgency": "today"}},
    "OutcomeExpect": {"writes": []},
    "StepFile": {"call": "lookup_order"},
    "LetterCount": {"max": 3},
    "SectionCount": {"max": 3, "separator": "***"},
    "TextCount": {"max": 3},
    "VoiceFile": {"extends": ["builtin/persona"]},
    "Input": {"default": "Tandle"},
    "Existence": {"tokens": ["rest assured"]},
    "Occurrence": {"max": 1},
    "Length": {"max_words": 90},
    "PartFile": {"document": "documents/policy.pdf"},
    "RuleFile": {"say": "Good day."},
    "SlipFile": {"say": "Good day.", "chance": 0.02},
    "StyleFile": {"end": "Have a lovely day."},
}
"""What a mapping needs so that a single key of it can stand there."""
INSTEAD: dict[tuple[str, str], dict[str, Any]] = {
    ("FixtureFile", "error"): {},
    **{("WorldStep", key): {} for key in ("find", "delete", "returns")},
    **{("WorldStep", key): {"find": "booking"} for key in ("where", "in", "sort", "limit")},
    **{("WorldStep", key): {"update": "booking"} for key in ("set", "append")},
    ("WorldStep", "update"): {"set": {"seat": "14C"}},
    ("WorldStep", "create"): {"set": {"usd": 120}},
    ("WorldStep", "id"): {"create": "refund", "set": {"usd": 120}},
    ("WorldStep", "require"): {"error": "It is cancelled."},
    ("WorldStep", "error"): {"require": "booking.status == 'confirmed'"},
    ("Wanted", "word"): {},
    ("Wanted", "exact"): {},
    ("Wanted", "ignore_case"): {"exact": "PR"},
    ("PartFile", "text"): {},
    ("PartFile", "image"): {},
    ("StepFile", "calls"): {},
    ("StepFile", "say"): {},
    ("StepFile", "fault"): {},
    ("StepFile", "times"): {"fault": "overloaded"},
    ("LetterCount", "exactly"): {},
    ("SectionCount", "exactly"): {"separator": "***"},
    ("SectionCount", "heading"): {"max": 3},
    ("TextCount", "exactly"): {},
    ("Input", "required"): {},
    ("RuleFile", "output"): {},
    ("SlipFile", "output"): {"chance": 0.02},
}
"""The same for keys beside which something else must stand."""


def keys() -> Iterator[tuple[FileFormat, Section, str]]:
    for made in file_formats():
        for section in sections(made.schema()):
            yield from ((made, section, key) for key in section.keys)


def models() -> dict[str, type[FileModel]]:
    """Return every model of a file format by its name in the schemas."""
    found: dict[str, type[FileModel]] = {}
    todo: list[type[FileModel]] = [FileModel]
    while todo:
        model = todo.pop()
        todo += model.__subclasses__()
        if model.__module__.startswith("evalkit."):
            found[model.__name__] = model
    return found


def named(value: tuple[FileFormat, Section, str]) -> str:
    made, section, key = value
    return f"{made.name}-{section.definition}-{key}"


def test_the_page_is_current() -> None:
    """After a key changes: evalkit schema reference > docs/reference.md."""
    assert PAGE.read_text("utf-8") == reference_page()


@pytest.mark.parametrize("entry", [*keys()], ids=named)
def test_every_key_has_a_meaning_and_an_example(entry: tuple[FileFormat, Section, str]) -> None:
    """A key without either would be a riddle on the page."""
    _, section, key = entry

    assert section.keys[key].get("description") or "$ref" in section.keys[key]
    assert section.keys[key].get("examples")


@pytest.mark.parametrize("entry", [*keys()], ids=named)
def test_every_example_is_read_without_a_problem(entry: tuple[FileFormat, Section, str]) -> None:
    """Each example, written into a mapping that has what it needs, passes the check of its file format."""
    made, section, key = entry
    if made.name == "voice" and section.path.startswith("rules[]") and not section.path.startswith("rules[]."):
        model: type[FileModel] = models()[section.definition or "Existence"]
        schema = made.schema()["$defs"][model.__name__]
        beside = {name: example_of(schema["properties"][name]) for name in schema["required"]}
    else:
        model = models()[section.definition] if section.definition else made.model
        beside = {name: example_of(section.keys[name]) for name in section.required}
    name = model.__name__
    beside |= INSTEAD.get((name, key), BESIDE.get(name, {}))
    for example in section.keys[key]["examples"]:
        source = parse_yaml(SourceText("example.yaml", json.dumps({**beside, key: example})))
        _, problems = check_schema(source, model)
        assert [*source.problems, *problems] == []


def example_of(schema: Mapping[str, Any]) -> Any:
    return schema["const"] if "const" in schema else schema["examples"][0]


@pytest.mark.parametrize("grader", GRADERS, ids=lambda grader: grader.kind)
def test_the_examples_of_a_grader_can_be_graded(grader: type[Grader]) -> None:
    """Its keys' examples make a grader without problems, which finds something in a conversation."""
    needed = {name: field for name, field in grader.model_fields.items() if field.is_required()}
    values = {
        field.alias or name: field.examples[0] if field.examples else grader.kind.rpartition(".")[2]
        for name, field in needed.items()
    }
    made = grader.model_validate_json(json.dumps({**values, **BESIDE.get(grader.__name__, {})}))

    assert [fault for fault in made.problems() if "no installed package" not in fault.message] == []
    for _, part in made.parts():
        found = Requirement.of(part, Place("example.yaml")).score(called((call("lookup_order"),))).finding
        assert found.verdict in TrialVerdict


@pytest.mark.parametrize("grader", GRADERS, ids=lambda grader: grader.kind)
def test_the_example_in_a_graders_docstring_is_yaml_that_a_suite_may_hold(grader: type[Grader]) -> None:
    """What a docstring shows under "Example:" can be copied into a file."""
    if grader.mapping() == "voice":
        return
    shown = re.search(r"Example:\s+`([^`]+)`", grader.__doc__ or "")
    assert shown is not None
    text = re.sub(r"\s+", " ", shown[1])
    source = parse_yaml(SourceText("example.yaml", text))
    mapping = grader.mapping()
    if mapping and mapping not in source.value():
        source = parse_yaml(SourceText("example.yaml", f"{mapping}: {{{text}}}"))
    model = CaseFile if mapping == "budget" else Expect
    if mapping == "budget":
        source = parse_yaml(SourceText("example.yaml", f"{{id: a, user: Hello, {text}}}"))

    assert [*source.problems, *check_schema(source, model)[1]] == []
