"""Cases added to suites as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import FileProblems, UsageError
from evalkit.suites import load_suite
from evalkit.suites.writing import (
    NewCase,
    NewEntry,
    NewFixture,
    NewTurn,
    append_cases,
    block,
    case_id_of,
    case_lines,
    flow,
    new_suite_text,
    scalar,
)
from evalkit.yamlsource import SourceText, parse_yaml
from tests.repl.shop import write_shop

CASE = NewCase(
    "new",
    (NewTurn("First\n\nsecond", (("lookup_order", {"order_id": "TN-1"}),), "It is here."), NewTurn("Bye")),
    "reports/chat/x#1",
    (NewEntry("user", "Hello"), NewEntry("assistant", "Hello there.")),
    (NewFixture("lookup_order", {"order_id": "TN-1"}, {"a": [1, None, "x: y"]}),),
)
PRINTABLE = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PRINTABLE,
    lambda inner: st.lists(inner) | st.dictionaries(PRINTABLE, inner),
    max_leaves=8,
)


def yaml_value(text: str) -> Any:
    """Return what the strict loader reads."""
    return parse_yaml(SourceText("a.yaml", text)).value(("key",))


def test_what_stands_in_the_file_stays_as_it_is(tmp_path: Path) -> None:
    """The old text is a prefix of the new one, comments at its end included, and the printed lines are the file's."""
    root = write_shop(tmp_path)
    path = root / "suites/parcels.yaml"
    before = path.read_text()

    added = append_cases(path, root, lambda _suite: [CASE], "")

    after = path.read_text()
    assert after.startswith(before)
    assert "\n".join(after.splitlines()[added.first - 1 : added.last]) == added.text
    assert str(added) == f"suites/parcels.yaml:{added.first}-{added.last} added"


def test_the_added_case_loads_as_what_it_was_made_of(tmp_path: Path) -> None:
    """Messages, history, fixtures and origin come back; the case is only watched."""
    root = write_shop(tmp_path)
    append_cases(root / "suites/parcels.yaml", root, lambda _suite: [CASE], "")

    case = load_suite(root / "suites/parcels.yaml", root).cases[-1]

    assert case.record.turns == ("First\n\nsecond", "Bye")
    assert not case.record.gated
    assert [message["content"] for message in case.history] == ["Hello", "Hello there."]
    assert case.fixtures["lookup_order"][0].returns == {"a": [1, None, "x: y"]}
    assert case.origin == "reports/chat/x#1"


def test_the_suggestions_are_expectations_once_uncommented(tmp_path: Path) -> None:
    """Taking the comment signs away gives an `expect` that loads."""
    root = write_shop(tmp_path)
    path = root / "suites/parcels.yaml"
    append_cases(path, root, lambda _suite: [CASE], "")
    text = path.read_text().replace("# expect:", "expect:").replace("#   tools:", "  tools:")
    path.write_text(text)

    kinds = [(one.kind, one.turn) for one in load_suite(path, root).cases[-1].record.assertions]

    assert ("tools.calls", 1) in kinds
    assert ("tools.none", 2) in kinds


@pytest.mark.parametrize("tail", ["\nbudget: {requests: 9}\n", "\n# about money\nbudget:\n  requests: 9\n"])
def test_cases_may_be_followed_by_other_keys(tmp_path: Path, tail: str) -> None:
    """A new case goes behind the last case, before the key that follows and its comment."""
    root = write_shop(tmp_path)
    path = root / "suites/parcels.yaml"
    before = path.read_text()
    path.write_text(before + tail)

    append_cases(path, root, lambda _suite: [CASE], "")

    assert path.read_text().startswith(before)
    assert path.read_text().endswith(tail)
    assert [case.record.case_id for case in load_suite(path, root).cases] == ["parcel", "new"]


def test_windows_line_ends_stay(tmp_path: Path) -> None:
    """A file with CRLF gets CRLF lines."""
    root = write_shop(tmp_path)
    path = root / "suites/parcels.yaml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    added = append_cases(path, root, lambda _suite: [CASE], "")

    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n") == added.last


def test_a_file_without_a_last_line_end_gets_one(tmp_path: Path) -> None:
    """The new case begins on a line of its own."""
    root = write_shop(tmp_path)
    path = root / "suites/parcels.yaml"
    path.write_text(path.read_text().rstrip("\n"))

    append_cases(path, root, lambda _suite: [CASE], "")

    assert len(load_suite(path, root).cases) == 2


def test_cases_in_flow_style_are_refused(tmp_path: Path) -> None:
    """Text can't be added to a list in brackets, and the file is left alone."""
    root = write_shop(tmp_path)
    path = root / "suites/flow.yaml"
    path.write_text("prompt: support\ncases: [{id: a, user: Hello}]\n")

    with pytest.raises(UsageError, match="not written as a list of lines"):
        append_cases(path, root, lambda _suite: [CASE], "")

    assert path.read_text().count("\n") == 2


def test_a_case_is_added_behind_aliases_and_merge_keys(tmp_path: Path) -> None:
    """What is shared is not written out, and the dash stands where the others do."""
    root = write_shop(tmp_path)
    path = root / "suites/aliases.yaml"
    path.write_text(
        "prompt: shop\nshared:\n  - &first {id: a, user: Hello, expect: {says: [Hello]}}\n"
        "cases:\n  - *first\n  - <<: *first\n    id: b\n"
    )
    before = path.read_text()
    append_cases(path, root, lambda _suite: [NewCase("c", (NewTurn("Bye"),))], "")

    assert path.read_text().startswith(before + "\n  - id: c\n")
    assert [case.record.case_id for case in load_suite(path, root).cases] == ["a", "b", "c"]


def test_cases_that_are_written_elsewhere_are_left_alone(tmp_path: Path) -> None:
    """Text behind an alias would belong to nothing."""
    root = write_shop(tmp_path)
    path = root / "suites/aliases.yaml"
    path.write_text("prompt: shop\nshared: &all [{id: a, user: Hello, expect: {says: [Hello]}}]\ncases: *all\n")

    with pytest.raises(UsageError, match=r"aliases\.yaml:3:8: the cases are written somewhere else"):
        append_cases(path, root, lambda _suite: [CASE], "")


def test_a_suite_with_errors_is_left_alone(tmp_path: Path) -> None:
    """Nothing is added to a file that does not load."""
    root = write_shop(tmp_path)
    path = root / "suites/wrong.yaml"
    path.write_text("prompt: support\ncases:\n  - id: a\n    usr: Hello\n")

    with pytest.raises(FileProblems, match="usr"):
        append_cases(path, root, lambda _suite: [CASE], "")


def test_a_case_that_would_not_load_is_not_written(tmp_path: Path) -> None:
    """An id that is taken, or one that no suite takes, leaves the file as it was."""
    root = write_shop(tmp_path)
    path = root / "suites/parcels.yaml"
    before = path.read_bytes()
    for wrong in ("parcel", "no spaces"):
        with pytest.raises(FileProblems):
            append_cases(path, root, lambda _suite, wrong=wrong: [NewCase(wrong, CASE.turns)], "")  # type: ignore[misc]

    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []


def test_a_suite_that_is_not_there_is_begun(tmp_path: Path) -> None:
    """The file begins with prompt, voice and inputs, and holds the case."""
    root = write_shop(tmp_path)
    path = root / "suites/fresh.yaml"

    added = append_cases(path, root, lambda _suite: [CASE], new_suite_text("support", {"today": "x: y"}, "voice.yaml"))

    suite = load_suite(path, root)
    assert dict(suite.inputs) == {"today": "x: y"}
    assert [case.record.case_id for case in suite.cases] == ["new"]
    assert path.read_text().splitlines()[added.first - 1].strip() == "- id: new"
    assert len(path.read_text().splitlines()) == added.last


def test_an_id_is_made_of_the_first_words() -> None:
    """Words of the first message, shortened between words; a number where it is taken."""
    assert case_id_of("Where's my parcel? Order TN-1!") == "where-s-my-parcel-order-tn-1"
    assert case_id_of("Hello", ["hello", "hello-2"]) == "hello-3"
    assert case_id_of("¿?") == "case"
    assert len(case_id_of("word " * 50)) <= 40


@given(PRINTABLE)
def test_a_scalar_reads_back_as_the_text(text: str) -> None:
    """Any text written as a scalar is the same text for the strict loader."""
    assert yaml_value(f"key: {scalar(text)}\n") == text


@given(st.lists(st.text("ab #:-'\"?", min_size=0, max_size=6), max_size=4).map("\n".join))
def test_a_block_reads_back_as_the_text(text: str) -> None:
    """Text of several lines is the same text for the strict loader."""
    assert yaml_value(f"key: {block(text, 4)}\n") == text


@given(JSON)
def test_a_flow_value_reads_back_as_the_value(value: Any) -> None:
    """Any JSON value on one line is the same value for the strict loader."""
    assert orjson.dumps(yaml_value(f"key: {flow(value)}\n")) == orjson.dumps(value)


@given(PRINTABLE.filter(str.strip), PRINTABLE)
def test_any_message_makes_lines_that_load(user: str, reply: str) -> None:
    """Whatever was said, the lines of the case are YAML that says it again."""
    lines = case_lines(NewCase("a", (NewTurn(user, (), reply),)), 2, 2)
    text = "key:\n" + "\n".join(lines) + "\n"

    assert yaml_value(text)[0]["user"] == user
