"""Strict YAML: what unquoted values mean, what is refused, and where everything stands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import FileProblems
from evalkit.records import Problem
from evalkit.yamlsource import Source, SourceText, decode, load_yaml, parse_yaml, pattern_fault, read_text


def parsed(text: str) -> Source:
    return parse_yaml(SourceText("suites/a.yaml", text))


def problems_of(text: str) -> list[Problem]:
    """Return every problem of a text, whether it stops the parser or not."""
    try:
        return list(parsed(text).problems)
    except FileProblems as error:
        return list(error.problems)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("1.10", 1.1),
        ("-0.5e3", -500.0),
        ("9223372036854775807", 2**63 - 1),
        ("NO", "NO"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("True", "True"),
        ("12:30", "12:30"),
        ("00123", "00123"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("2026-11-22", "2026-11-22"),
        ("1_000", "1_000"),
        ("+441234567890", "+441234567890"),
        ("9223372036854775808", "9223372036854775808"),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1.", "1."),
        ("'true'", "true"),
        ('"1"', "1"),
        ("<<x", "<<x"),
        ("1" * 5000, "1" * 5000),
    ],
)
def test_an_unquoted_value_is_text_unless_it_is_plainly_something_else(written: str, value: Any) -> None:
    """Only true, false, null and JSON-like numbers are not text; order numbers, dates and countries stay as typed."""
    assert parsed(f"key: {written}").value() == {"key": value}
    assert type(parsed(f"key: {written}").value(("key",))) is type(value)


def test_keys_are_always_text() -> None:
    """A key named `on`, `1` or `null` is that text."""
    assert parsed("on: a\n1: b\nnull: c\ntrue: d").value() == {"on": "a", "1": "b", "null": "c", "true": "d"}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\nb: 2\na: 3", "suites/a.yaml:3:1", "key 'a' is given twice here (first on line 1)"),
        ("a: &x 1\nb: &x 2", "suites/a.yaml:2:4", "anchor '&x' is given twice (first on line 1)"),
        ("a: &polite 1\nb: [*polit]", "suites/a.yaml:2:5", "no anchor '&polit' stands before this alias (did you mean"),
        ("a: *x\nb: &x 1", "suites/a.yaml:1:4", "no anchor '&x' stands before this alias; write it where"),
        ("a: &x {b: [*x]}", "suites/a.yaml:1:12", "alias '*x' stands inside its own anchor"),
        ("a: &x {<<: *x}", "suites/a.yaml:1:12", "alias '*x' stands inside its own anchor"),
        ("a:\n  <<: 1", "suites/a.yaml:2:7", "'<<' takes a mapping, or a list of mappings"),
        ("a: &x 1\nb: {<<: [*x]}", "suites/a.yaml:2:10", "'<<' takes a mapping, or a list of mappings"),
        ("a: &x {}\nb:\n  <<: *x\n  <<: *x", "suites/a.yaml:4:3", "write one list, '<<: [*a, *b]'"),
        ("a: {{ b }}", "suites/a.yaml:1:5", "can't be a key; expected text. Put text with '{{ ... }}' in quotes."),
        ("a: !!python/object:os.system x", "suites/a.yaml:1:4", "can't be used; a suite is data"),
        ("a: ! x", "suites/a.yaml:1:4", "tag '!' can't be used"),
        ("--- a\n--- b", "suites/a.yaml:2:1", "a second document starts here"),
        ("a: 1\n? [x]\n: y", "suites/a.yaml:2:3", "can't be a key"),
        ("a: b: c", "suites/a.yaml:1:5", "mapping values are not allowed here"),
        ("a:\n\tb: 1", "suites/a.yaml:2:1", "a tab can't be used for indentation"),
        ("a: @b", "suites/a.yaml:1:4", "'@' can't begin a value"),
        ("a: 1\nb: 'x\nc: 2\n", "suites/a.yaml:2:4", "this quote is never closed"),
        ("a: [1, 2", "suites/a.yaml:1:9", "did not find expected ',' or ']'"),
        ("é: x\u0000", "suites/a.yaml:1:5", "U+0000 is invisible"),
        ("a: b\u2028c", "suites/a.yaml:1:5", "U+2028 is invisible"),
        ("[" * 100, "suites/a.yaml:1:51", "nested more than 50 levels deep"),
        ("[" + "a," * 1_000_001 + "]", "suites/a.yaml:1:2000000", "more than 1,000,000 values"),
        ('a: "\\ud800"', "suites/a.yaml:1:7", "invalid Unicode character escape"),
        ("%YAML 9.1\n---\na", "suites/a.yaml:1:1", "incompatible YAML document"),
    ],
)
def test_what_a_data_file_may_not_hold_is_refused_with_its_place(text: str, place: str, words: str) -> None:
    """Cleverness, mistakes and attacks each get a sentence at their line and column."""
    first = min(problems_of(text), key=lambda problem: problem.place)

    assert (str(first.place), first.severity) == (place, "error")
    assert words in first.message


def test_an_alias_stands_for_the_value_at_its_anchor() -> None:
    """Mappings, lists, texts and keys are written once and used as often as needed."""
    text = "a: &a {b: 1}\nc: [*a, &t two, *t]\n&k d: *a\n*k : 3\n"

    assert problems_of(text)[0].message.startswith("key 'd' is given twice")
    assert parsed(text.replace("*k : 3", "*t : 3")).value() == {
        "a": {"b": 1},
        "c": [{"b": 1}, "two", "two"],
        "d": {"b": 1},
        "two": 3,
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{<<: *a}", {"x": 1, "y": 2}),
        ("{x: 9, <<: *a}", {"x": 9, "y": 2}),
        ("{<<: *a, x: 9}", {"x": 9, "y": 2}),
        ("{<<: [*a, *b]}", {"x": 1, "y": 2, "z": 3}),
        ("{<<: [*b, *a], z: 9}", {"x": 7, "y": 2, "z": 9}),
        ("{<<: {x: 5}}", {"x": 5}),
        ('{"<<": 1}', {"<<": 1}),
    ],
)
def test_a_merge_key_brings_in_what_the_mapping_does_not_say_itself(written: str, value: Any) -> None:
    """Own keys win wherever they stand, then the first of a list; in quotes it is a key like any other."""
    source = parsed(f"a: &a {{x: 1, y: 2}}\nb: &b {{x: 7, z: 3}}\nc: {written}\n")

    assert source.problems == ()
    assert source.value(("c",)) == value


def test_a_problem_stands_where_a_value_is_written_and_says_where_it_is_used() -> None:
    """The anchor's place can be mended; the alias and the merge key tell for what."""
    source = parsed("a: &a\n  x: 1\nb: &b {<<: *a}\nc: [*b]\n")
    value, name = source.problem(("c", 0, "x"), "too small"), source.problem(("b", "x"), "not here", key=True)

    assert (str(value.place), [str(place) for place in value.used]) == (
        "suites/a.yaml:2:6",
        ["suites/a.yaml:3:12", "suites/a.yaml:4:5"],
    )
    assert (str(name.place), [str(place) for place in name.used]) == ("suites/a.yaml:2:3", ["suites/a.yaml:3:12"])
    assert str(source.use_place(("c", 0))) == "suites/a.yaml:4:5"


NOT_TEXT = st.none() | st.booleans() | st.integers(-9, 9)
TREES = st.recursive(
    NOT_TEXT | st.sampled_from(["a", "b c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(TREES, min_size=1, max_size=4), st.lists(st.integers(0, 3), max_size=6))
def test_a_file_with_aliases_means_what_it_means_written_out(anchored: list[Any], used: list[int]) -> None:
    """Whatever is shared, the values are those that a copy would have."""
    named = [number % len(anchored) for number in used]
    short = [f"a{n}: &a{n} {json.dumps(tree)}" for n, tree in enumerate(anchored)]
    short += [f"b{n}: [*a{number}]" for n, number in enumerate(named)]
    whole = {f"a{n}": tree for n, tree in enumerate(anchored)} | {
        f"b{n}": [anchored[number]] for n, number in enumerate(named)
    }

    assert parsed("\n".join(short)).value() == whole


def test_an_alias_bomb_is_refused_without_growing() -> None:
    """What aliases come to is counted and not built: sixteen lines could become a hundred thousand values."""
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    [problem] = problems_of("\n".join(lines))

    assert (problem.place.line, "more than 100,000 values" in problem.message) == (15, True)


def test_a_million_aliases_are_refused_at_the_bound() -> None:
    """Each counts, however small what it stands for is; the rest of the file is not read."""
    [problem] = problems_of("a: &a x\nb: [" + "*a," * 1_500_000 + "]")

    assert (problem.place.column, "more than 100,000 values" in problem.message) == (300_005, True)


def test_aliases_can_not_nest_deeper_than_a_file_may() -> None:
    """Levels add up through aliases, also where each line has two."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 99))]

    assert "nested more than 50 levels deep" in problems_of("\n".join(lines))[0].message


def test_problems_that_do_not_stop_the_parser_are_all_listed() -> None:
    """A key given twice hides nothing about the rest of the file."""
    assert [problem.place.line for problem in problems_of("a: 1\na: 2\nb: *x\nc: !y 2\n")] == [2, 3, 4]


def test_thousands_of_problems_end_the_list() -> None:
    """A hostile file can't make a report of endless length."""
    assert len(problems_of("a: 1\n" * 5000)) == 1000


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_places_count_lines_and_columns_as_editors_do(end: str, bom: bytes) -> None:
    """A byte order mark, any line end and letters beyond ASCII leave lines and columns right."""
    data = bom + end.join(["ä: ö", "list:", "  - 'é', ", ""]).encode().replace(b", ", b"")
    source = parse_yaml(decode(data, "a.yaml"))

    assert str(source.key_place(("ä",))) == "a.yaml:1:1"
    assert str(source.place(("ä",))) == "a.yaml:1:4"
    assert str(source.place(("list", 0))) == "a.yaml:3:5"
    assert source.problem(("list", 0), "x").source_line == "  - 'é'"


def test_the_place_of_something_missing_is_that_of_its_nearest_ancestor() -> None:
    """A path that leads nowhere points at the last value on the way."""
    source = parsed("a:\n  b: [1]\n")

    assert str(source.place(("a", "b", 7, "c"))) == "suites/a.yaml:2:6"
    assert str(source.key_place(("a", "x"))) == "suites/a.yaml:2:3"
    assert source.value(("a", "b", 7)) is None


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (b"a: b\nc: \xff\xe9", "a.yaml:2:4", "byte 0xff is not UTF-8"),
        ("a: 1".encode("utf-16"), "a.yaml", "is UTF-16 text"),
        (b"\xef\xbb\xbfab: \xff", "a.yaml:1:5", "byte 0xff is not UTF-8"),
        (b"a: \x1b[31m", "a.yaml:1:4", "U+001B is invisible"),
    ],
)
def test_bytes_that_are_not_plain_utf_8_are_refused_with_their_line(data: bytes, place: str, words: str) -> None:
    """A wrong encoding or a control character is found before YAML is."""
    with pytest.raises(FileProblems) as caught:
        decode(data, "a.yaml")

    (problem,) = caught.value.problems
    assert str(problem.place) == place
    assert words in problem.message


def test_a_file_above_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A hundred megabytes of nothing (a sparse file) are answered by its size alone."""
    with (tmp_path / "big.yaml").open("wb") as file:
        file.truncate(100_000_000)

    with pytest.raises(FileProblems, match="is 100,000,000 bytes long; at most 5,000,000 are read"):
        load_yaml(tmp_path / "big.yaml", "big.yaml")


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """Links, folders and missing files are each refused in words."""
    (tmp_path / "link").symlink_to(tmp_path / "x")
    for name, words in (("link", "symbolic link"), ("none", "no such file"), (".", "not a regular file")):
        with pytest.raises(FileProblems, match=words):
            read_text(tmp_path / name, name)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc\x00é:#- ", min_size=1), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_what_another_yaml_writer_quotes_is_read_back(value: Any) -> None:
    """Any JSON value written by PyYAML with quoted text comes back equal, its strings unchanged."""
    text = yaml.safe_dump(value, default_style='"', allow_unicode=False)
    source = parse_yaml(SourceText("a.yaml", _without_tags(text)))

    assert not source.problems
    assert source.value() == value


def _without_tags(text: str) -> str:
    """PyYAML marks quoted numbers with tags; unquoted they are plain values again."""
    return re.sub(r'!!(int|float|bool|null) "([^"]*)"', r"\2", text)


@given(st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@`,?~<\n\r\t 01.\x00\x85\u2028é\U0001f600\ud800\ufeff"), max_size=60))
def test_any_text_is_a_value_or_problems_that_lie_in_it(text: str) -> None:
    """Nothing but FileProblems is ever raised, and each problem names a line and column that exist."""
    source = SourceText("a.yaml", text)
    try:
        found = list(parse_yaml(source).problems)
    except FileProblems as error:
        found = list(error.problems)
    for problem in found:
        line = source.line(problem.place.line)
        assert problem.place.line >= 1
        assert source.place(len(text)).line >= problem.place.line
        assert 1 <= problem.place.column <= len(line) + 2
        assert problem.source_line == line


@given(st.binary(max_size=80))
def test_any_bytes_are_text_or_problems(data: bytes) -> None:
    """A file of any bytes gives text or FileProblems, nothing else."""
    try:
        assert decode(data, "a.yaml").file == "a.yaml"
    except FileProblems as error:
        assert error.problems


@pytest.mark.parametrize(
    "pattern", ["a{99999999}", "((((a?){30}){30}){30}){30}", "(?:x{1,300}){1,300}", "[a{2}b]{40000}", "x" * 2001]
)
def test_a_pattern_that_would_fill_the_memory_is_refused_before_it_is_compiled(pattern: str) -> None:
    """Counted repeats are measured as if they were written out."""
    assert "at most" in pattern_fault(pattern) or "repeats too much" in pattern_fault(pattern)


@pytest.mark.parametrize("pattern", ["(", "[a", "a{2}{3}", "(" * 1500, "\\"])
def test_a_pattern_that_does_not_compile_is_explained(pattern: str) -> None:
    """The reason is the matching package's own, whatever it raises."""
    assert "is not a regular expression" in pattern_fault(pattern)


@pytest.mark.parametrize(
    "pattern", [r"\d{4}-\d{2}-\d{2}", r"(a|b){1,50}", r"\p{L}{2,}", r"[{}]{3}", r"x{,5}", r"\{1000000\}"]
)
def test_an_ordinary_pattern_is_sound(pattern: str) -> None:
    """Everyday repeats, classes and escapes pass."""
    assert pattern_fault(pattern) == ""
