"""Parts of suites in files of their own: `$include`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from evalkit.cli.schema import schema
from evalkit.records import Problem
from evalkit.suites import find_suites, load_suite, read_suite
from evalkit.suites.check import check_project
from evalkit.yamlsource import SourceText, parse_yaml, with_includes
from tests.project_files import write_files, write_project

SUITE = """\
prompt: support
tools: {$include: [parts/orders.yaml, parts/returns.json]}
cases:
  - $include: parts/greetings.yaml
  - id: own
    user: Where is it?
    expect: {$include: parts/polite.yaml, says: [Northpost]}
"""
PARTS = {
    "suites/parts/orders.yaml": "find_order: [{returns: {status: shipped}}]\n",
    "suites/parts/returns.json": '{"open_return": [{"error": "too late"}]}\n',
    "suites/parts/greetings.yaml": "- {id: hello, user: Hello, expect: {says: [Tess]}}\n- $include: more.yaml\n",
    "suites/parts/more.yaml": "{id: bye, user: Bye, expect: {$include: polite.yaml}}\n",
    "suites/parts/polite.yaml": "says: [thank you]\nnever_says: [you must]\n",
}


def project(tmp_path: Path, suite: str = SUITE, **parts: str) -> Path:
    root = write_project(tmp_path)
    write_files(
        root, {**PARTS, "suites/a.yaml": suite, **{f"suites/parts/{name}.yaml": text for name, text in parts.items()}}
    )
    return root


def problems_of(root: Path) -> list[Problem]:
    return list(dict.fromkeys(read_suite(root / "suites/a.yaml", root)[1]))


def included(files: dict[str, str], tmp_path: Path) -> Any:
    """Return what `a.yaml` means, and that nothing is wrong with it."""
    write_files(tmp_path, files)
    source = with_includes(parse_yaml(SourceText("a.yaml", files["a.yaml"])), tmp_path)
    assert source.problems == ()
    return source.value()


def test_a_suite_is_put_together_from_its_parts(tmp_path: Path) -> None:
    """Fixtures of two files, cases of a list, an expectation with a key of its own; each file is an input of it."""
    root = project(tmp_path)
    suite = load_suite(root / "suites/a.yaml", root)
    [own] = [case for case in suite.cases if case.record.case_id == "own"]

    assert [case.record.case_id for case in suite.cases] == ["hello", "bye", "own"]
    assert list(own.fixtures) == ["find_order", "open_return"]
    assert [(one.kind, str(one.place)) for one in own.record.assertions] == [
        ("says", "suites/a.yaml:7:50"),
        ("never_says", "suites/parts/polite.yaml:2:14"),
    ]
    assert set(suite.files) == {"suites/a.yaml", *PARTS}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{$include: map.yaml}", {"x": 1, "y": {"z": 2}}),
        ("{$include: map.yaml, y: 3}", {"x": 1, "y": 3}),
        ("{$include: [map.yaml, other.yaml]}", {"x": 1, "y": {"z": 2}, "w": 4}),
        ("{$include: list.yaml}", [1, 2]),
        ("{$include: [list.yaml, list.yaml]}", [1, 2, 1, 2]),
        ("[0, {$include: list.yaml}, {$include: map.yaml}]", [0, 1, 2, {"x": 1, "y": {"z": 2}}]),
        ("[{$include: nested.yaml}]", [[1, 2], {"x": 1, "y": {"z": 2}}]),
        ("{include: list.yaml, file: map.yaml}", {"include": "list.yaml", "file": "map.yaml"}),
    ],
)
def test_what_an_include_stands_for(written: str, value: Any, tmp_path: Path) -> None:
    """A mapping and its own keys, a list, lists one after another, the items of a list; `include` is a key like any."""
    files = {
        "a.yaml": written,
        "map.yaml": "{x: 1, y: {z: 2}}",
        "other.yaml": "{w: 4}",
        "list.yaml": "[1, 2]",
        "nested.yaml": "[[{$include: list.yaml}], {$include: map.yaml}]",
    }
    assert included(files, tmp_path) == value


@pytest.mark.parametrize(
    ("suite", "place", "words"),
    [
        ("{$include: parts/none.yaml}", "suites/a.yaml:2:19", "there is no file suites/parts/none.yaml; the path"),
        ("{$include: ../../x.yaml}", "suites/a.yaml:2:19", "'../../x.yaml' is outside the project"),
        ("{$include: 3}", "suites/a.yaml:2:19", "'$include' takes the name of a file, or a list of names."),
        ("{$include: [parts/orders.yaml, {}]}", "suites/a.yaml:2:19", "'$include' takes the name of a file"),
        ("{$include: parts/empty.yaml}", "suites/a.yaml:2:19", "suites/parts/empty.yaml is empty"),
        ("{$include: parts/single.yaml}", "suites/a.yaml:2:19", "suites/parts/single.yaml holds a single value"),
        ("{$include: parts/greetings.yaml, x: []}", "suites/a.yaml:2:19", "greetings.yaml holds a list; beside other"),
        ("{$include: [parts/orders.yaml, parts/greetings.yaml]}", "suites/a.yaml:2:39", "holds a list; beside a"),
        ("{$include: [parts/orders.yaml, parts/twice.yaml]}", "suites/a.yaml:2:19", "key 'find_order' is in parts/"),
        ("{$include: parts/circle.yaml}", "suites/parts/circle.yaml:1:12", "circle.yaml includes suites/parts"),
        ("{$include: parts/link.yaml}", "suites/parts/link.yaml", "is (or is reached through) a symbolic link"),
        ("{$include: parts/bad.yaml}", "suites/parts/bad.yaml:1:5", "mapping values are not allowed here"),
        ("{$include: parts/wrong.yaml}", "suites/parts/wrong.yaml:1:16", "unknown key 'return' in a tool's answer"),
    ],
)  # fmt: skip
def test_what_can_not_be_included_is_told_at_its_place(suite: str, place: str, words: str, tmp_path: Path) -> None:
    """Where the name stands, or where the file itself is wrong; then the message says which name used it."""
    text = f"prompt: support\ntools: {suite}\ncases: [{{id: a, user: Hi, expect: {{says: [Tess]}}}}]\n"
    parts = {"empty": "# nothing\n", "single": "text\n", "twice": "{find_order: [{returns: 1}]}", "bad": "a: b: c"}
    root = project(tmp_path, text, circle="{$include: circle.yaml}", wrong="{find_order: [{return: 1}]}", **parts)
    (root / "suites/parts/link.yaml").symlink_to(root / "suites/parts/orders.yaml")
    first = problems_of(root)[0]

    assert (str(first.place), words in first.message) == (place, True), first
    assert first.place.file == "suites/a.yaml" or "circle" in first.message or first.used[0].file == "suites/a.yaml"


def test_what_includes_come_to_is_bounded(tmp_path: Path) -> None:
    """A file that includes another ten times, which does the same, ends at the bound and not at the memory's."""
    ten = "[" + "{{$include: f{0}.yaml}}, " * 10 + "]"
    files = {f"suites/parts/f{n}.yaml": ten.format(n + 1) for n in range(9)} | {"suites/parts/f9.yaml": "[1, 2, 3]"}
    root = project(tmp_path, "prompt: support\ncases: {$include: parts/f0.yaml}\n")
    write_files(root, files)
    [problem] = problems_of(root)

    assert "more than 1,000,000 values with what is included" in problem.message


def test_parts_are_no_suites_of_their_own(tmp_path: Path) -> None:
    """What a suite includes is checked there; a suite with a misspelt key is still one that nobody includes."""
    root = project(tmp_path)
    write_files(root, {"suites/typo.yaml": "promt: support\ncase: []\n"})

    assert [path.name for path in find_suites(root)] == ["a.yaml", "hello.yaml", "typo.yaml"]
    assert "key 'prompt' is missing in the suite" in {one.message for one in check_project(root).problems}


def test_editors_take_what_the_loader_takes() -> None:
    """The suite's schema allows includes and columns at any depth, and still refuses a key that nothing knows."""
    validator = jsonschema.Draft202012Validator(json.loads(CliRunner().invoke(schema, ["suite"]).output))
    row = {"id": "a-{{ n }}", "rows": "a.csv", "user": "{{ n }}", "critical": "{{ c }}", "trials": "{{ t }}"}
    suite = {
        "prompt": "support",
        "tools": {"$include": "parts/orders.yaml", "find": {"$include": "x.yaml"}},
        "cases": [
            row,
            {"$include": "b.yaml"},
            {"id": "b", "user": "Hi", "expect": {"$include": "p.yaml", "says": ["x"]}},
        ],
    }

    assert list(validator.iter_errors(suite)) == []
    assert list(validator.iter_errors({**suite, "cases": {"$include": ["a.yaml", "b.yaml"]}})) == []
    assert list(validator.iter_errors({**suite, "cases": [{"$include": "b.yaml", "exect": {}}]}))
    assert list(validator.iter_errors({**suite, "cases": [{"user": "Hi"}]}))
