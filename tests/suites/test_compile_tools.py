"""Expectations about tools as assertions."""

from __future__ import annotations

from evalkit.graders.matching import without_choices
from evalkit.suites.compiler import Compiler
from evalkit.suites.format import Expect
from evalkit.suites.load import judge_settings
from evalkit.yamlsource import SourceText, check_schema, parse_yaml

TEXT = """\
tools:
  calls: [lookup, {book: {n: {one_of: [1, 2]}, room: A}}]
  match: {arguments: exact}
  after: {book: [lookup, consent]}
  times: {book: 1}
outcome: {write_tools: [book], writes: [], closed_by: {calls: [transfer]}}
"""


def test_each_key_becomes_an_assertion_and_names_its_tools() -> None:
    """One assertion for each thing that is asked, at its own line, and every tool is checked against the prompt."""
    source = parse_yaml(SourceText("expect.yaml", TEXT))
    expect, problems = check_schema(source, Expect)
    compiler = Compiler(source, judge_settings(None))
    made = compiler.expect(expect, ())

    assert not problems
    assert not compiler.problems
    assert [(one.assertion.label, one.assertion.place.line) for one in made] == [
        ("tools.calls lookup, book", 2),
        ("tools.times book", 5),
        ("tools.after book: lookup", 4),
        ("tools.after book: consent", 4),
        ("outcome.writes", 6),
        ("outcome.closed_by", 6),
    ]
    assert made[2].assertion.params["match"]["arguments"] == "exact"
    assert {mention.name for mention in compiler.mentions} == {"lookup", "book", "transfer"}


def test_write_tools_are_held_against_the_prompt_whatever_stands_beside_them() -> None:
    """Also where nothing is asked about writes, a tool that the prompt lacks is a mistake; each is named once."""
    for beside in ("closed_by: {calls: [transfer]}", "writes: [], state: [], closed_by: {calls: [transfer]}"):
        source = parse_yaml(SourceText("expect.yaml", f"outcome: {{write_tools: [book, cancel], {beside}}}\n"))
        expect, problems = check_schema(source, Expect)
        compiler = Compiler(source, judge_settings(None))
        compiler.expect(expect, ())

        assert not problems
        assert [(mention.name, mention.place.column) for mention in compiler.mentions[:2]] == [
            ("book", 25),
            ("cancel", 31),
        ]
        assert [mention.name for mention in compiler.mentions] == ["book", "cancel", "transfer"]


def test_only_plain_values_are_held_against_a_tools_schema() -> None:
    """What says what may stand there is no value itself, at any depth."""
    expected = {"a": 1, "b": {"min": 2}, "c": {"d": {"absent": True}, "e": [{"one_of": [1]}, 2]}}
    assert without_choices(expected) == {"a": 1, "c": {"e": [2]}}
