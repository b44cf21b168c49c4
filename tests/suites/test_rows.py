"""Cases from the rows of CSV files and JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records import Problem
from evalkit.suites import Suite, load_suite, read_suite
from evalkit.suites.tables import read_table
from evalkit.suites.writing import NewCase, NewTurn, append_cases
from evalkit.yamlsource import SourceText
from tests.project_files import write_files, write_project

SUITE = """\
prompt: support
cases:
  - id: "loan-{{ id }}"
    rows: {rows}
    user: "I need {{ amount }} euros. {not a column}, { { id } }"
    cluster: "{{ id }}"
    critical: "{{ critical }}"
    tools:
      quote: [{when: {amount: "{{ amount }}"}, returns: "{{ answer }}"}]
    expect:
      says: ["{{ rate }}", "for {{ amount }}"]
  - {id: plain, user: "Say {{ id }}.", expect: {says: [Tess]}}
"""
TABLE = 'id,amount,critical,rate,answer\n7,1.50,true,3.4 %,yes\nb-2,02,false,"a ""b""\nc",7\n'
LINES = """\
{"id": 7, "amount": 1.50, "critical": true, "rate": "3.4 %", "answer": {"rate": 1.10, "tags": [null, true]}}

{"id": "b-2", "amount": 2, "critical": false, "rate": "x", "answer": null}
"""


def project(tmp_path: Path, table: str, name: str = "loans.csv", rows: str = "") -> Path:
    root = write_project(tmp_path)
    write_files(root, {"suites/a.yaml": SUITE.replace("{rows}", rows or name), f"suites/{name}": table})
    return root


def load(root: Path) -> Suite:
    return load_suite(root / "suites/a.yaml", root)


def problems_of(root: Path) -> list[Problem]:
    return list(dict.fromkeys(read_suite(root / "suites/a.yaml", root)[1]))


def answer(suite: Suite, index: int) -> Any:
    return suite.cases[index].fixtures["quote"][0]


def test_each_row_is_a_case(tmp_path: Path) -> None:
    """Columns are put in as typed; a quoted cell may hold lines, other braces stay, and so does a case without rows."""
    suite = load(project(tmp_path, "\ufeff" + TABLE))
    first, second, plain = (case.record for case in suite.cases)

    assert (first.case_id, second.case_id, plain.case_id) == ("loan-7", "loan-b-2", "plain")
    assert first.turns == ("I need 1.50 euros. {not a column}, { { id } }",)
    assert plain.turns == ("Say {{ id }}.",)
    assert (first.critical, second.critical, first.cluster) == (True, False, "7")
    assert [one.label.partition(" ")[2] for one in second.assertions] == ['"a "b"\nc"', '"for 02"']
    assert (str(first.row), str(second.row), plain.row) == ("suites/loans.csv:2:1", "suites/loans.csv:3:1", None)
    assert (str(first.place), str(second.assertions[0].place)) == ("suites/a.yaml:3:9", "suites/a.yaml:11:14")
    assert set(suite.files) == {"suites/a.yaml", "suites/loans.csv"}


def test_a_cell_is_text_unless_its_column_holds_numbers(tmp_path: Path) -> None:
    """In a tool's input and answer a cell is text, whatever it looks like."""
    suite = load(project(tmp_path, TABLE))

    assert (answer(suite, 0).when, answer(suite, 1).returns) == ({"amount": "1.50"}, "7")


def test_columns_of_numbers_are_numbers_in_json(tmp_path: Path) -> None:
    """They stand in texts as they were typed."""
    suite = load(project(tmp_path, TABLE.replace("02", "2"), rows="{file: loans.csv, numbers: [amount]}"))

    assert [answer(suite, index).when for index in (0, 1)] == [{"amount": 1.5}, {"amount": 2}]
    assert suite.cases[0].record.turns[0].startswith("I need 1.50 euros.")


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    """Mappings and lists too, where a column is the whole value; inside a text a number is as it was typed."""
    suite = load(project(tmp_path, LINES, "loans.jsonl"))

    assert answer(suite, 0).when == {"amount": 1.5}
    assert answer(suite, 0).returns == {"rate": 1.1, "tags": [None, True]}
    assert suite.cases[0].record.turns[0].startswith("I need 1.50 euros.")
    assert str(suite.cases[1].record.row) == "suites/loans.jsonl:3:1"


FIRST = LINES.partition("\n")[0]
HEAD = "id,amount,critical,rate,answer\n"
ROW = "a,1,true,x,y\n"


@pytest.mark.parametrize(
    ("table", "place", "words"),
    [
        ("", "suites/loans.csv:1:1", "the file is empty; expected a header"),
        (HEAD, "suites/loans.csv:1:1", "there are no rows; expected at least one."),
        ("id,amount,id,rate\n", "suites/loans.csv:1:1", "column 'id' is in the header 2 times"),
        ("id,,rate\n", "suites/loans.csv:1:1", "column 2 has no name in the header"),
        ("id;amount;rate\n", "suites/loans.csv:1:1", 'the header is one column; if its columns end at ";"'),
        (HEAD + ROW + "b,1,true,x\n", "suites/loans.csv:3:1", "4 cells in this row; the header has 5 columns."),
        (HEAD + "b,1,true,x,y,z\n" + ROW, "suites/loans.csv:2:1", "6 cells in this row; the header has 5 columns."),
        (HEAD + ROW + 'b,1,"x\n', "suites/loans.csv:3:1", "not CSV: unexpected end of data."),
        (HEAD + ROW + "\n\n" + ROW, "suites/loans.csv:5:1", "'loan-a' is already used by the row suites/loans.csv:2"),
        (HEAD + "b,1,maybe,x,y\n", "suites/loans.csv:2:1", "'critical' is the text 'maybe'; expected true or false"),
        (HEAD + "b,1,true,,y\n", "suites/loans.csv:2:1", "is the text ''"),
        (HEAD + "b c,1,true,x,y\n", "suites/loans.csv:2:1", "'id' is the text 'loan-b c'; expected text of the form"),
        ("id,amout,critical,rate,answer\n" + ROW, "suites/a.yaml:5:11", "no column 'amount' (did you mean 'amout'?)"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_table_is_told_at_its_row(table: str, place: str, words: str, tmp_path: Path) -> None:
    """At the row's line, and with the place in the suite that it is used at; a column that is missing, in the suite."""
    first = problems_of(project(tmp_path, table))[0]

    assert (str(first.place), words in first.message) == (place, True), first


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1]", "expected an object a line"),
        ("id: 1", "not JSON: Expecting value; expected one object a line."),
        ('{"id": 1, "id": 2}', "key 'id' is given twice in one object."),
        ('{"id": NaN}', "NaN is not JSON; expected a number or null."),
        ('{"id": 1e999}', "the number '1e999' is too large"),
        ('{"id": ' + "[" * 100_000 + "}", "nested too deep"),
        ('{"id": 1, "amount": 1, "critical": true, "rate": "x"}', "the row has no 'answer', which the case uses"),
        (
            FIRST.replace("1.50", "[1]"),
            "'amount' is no single value; inside a text, expected text",
        ),
        (FIRST.replace("1.50", "null"), "'amount' is empty; inside a text, expected text"),
    ],
)
def test_a_line_of_json_that_does_not_fit_is_told_at_its_line(line: str, words: str, tmp_path: Path) -> None:
    """The other rows are cases all the same: every mistake is told at once."""
    first = problems_of(project(tmp_path, LINES + line + "\n", "loans.jsonl"))[0]

    assert (str(first.place), words in first.message) == ("suites/loans.jsonl:4:1", True), first


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("loan-{{ id }}", "loan", "suites/a.yaml:3:9", "every row would be the case 'loan'; put the column in"),
        ("rows: loans.csv", "rows: none.csv", "suites/a.yaml:4:11", "there is no file suites/none.csv"),
        ("rows: loans.csv", "rows: ../../x.csv", "suites/a.yaml:4:11", "is outside the project"),
        ("rows: loans.csv", "rows: {file: none.csv}", "suites/a.yaml:4:18", "there is no file suites/none.csv"),
        ("rows: loans.csv", "rows: {delimiter: x}", "suites/a.yaml:4:11", "key 'file' is missing in rows"),
        ("rows: loans.csv", "rows: {file: loans.csv, numbers: [rate]}", "suites/loans.csv:2:1", "expected a number"),
        ("expect:\n", "expects:\n", "suites/a.yaml:10:5", "unknown key 'expects' in case"),
        ("critical: ", "budget: {cost: 1}\n    critical: ", "suites/a.yaml:7:14", "unknown key 'cost' in budget"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_case_is_told_once(old: str, new: str, place: str, words: str, tmp_path: Path) -> None:
    """Where it is written, and not for every row; the first row is named."""
    root = project(tmp_path, HEAD + ROW + ROW.replace("a", "b"))
    write_files(root, {"suites/a.yaml": SUITE.replace("{rows}", "loans.csv").replace(old, new)})
    found = [one for one in problems_of(root) if words in one.message]

    assert [str(one.place) for one in found][:1] == [place], problems_of(root)
    if words.startswith("unknown key"):
        assert [str(one.row) for one in found] == ["suites/loans.csv:2:1"]


def test_a_case_is_added_behind_one_with_rows(tmp_path: Path) -> None:
    """The table stays one entry of the file."""
    root = project(tmp_path, TABLE)
    before = (root / "suites/a.yaml").read_text()
    append_cases(root / "suites/a.yaml", root, lambda _suite: [NewCase("new", (NewTurn("Bye"),))], "")

    assert (root / "suites/a.yaml").read_text().startswith(before + "\n  - id: new\n")
    assert [case.record.case_id for case in load(root).cases] == ["loan-7", "loan-b-2", "plain", "new"]


def test_a_row_that_moves_is_the_same_case(tmp_path: Path) -> None:
    """Baselines know a case by its id and by what it says, not by where its row stands."""
    first = load(project(tmp_path / "a", HEAD + ROW)).cases[0].record
    other, moved = (case.record for case in load(project(tmp_path / "b", HEAD + "b,2,true,x,y\n" + ROW)).cases[:2])

    assert (moved.case_id, moved.sha) == (first.case_id, first.sha) != (other.case_id, other.sha)


def test_more_rows_than_the_bound_are_refused() -> None:
    """The row behind the last one that is taken is named."""
    table = read_table(SourceText("a.csv", "id\n" + "x\n" * 20_001), None, ())

    assert [(one.place.line, one.message) for one in table.problems] == [
        (20_002, "more than 20,000 rows; split the file.")
    ]


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=9)


@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=6), st.sampled_from([",", ";", "|", "\t"])
)
def test_any_cell_reads_back_as_the_text_that_was_written(rows: list[list[str]], delimiter: str) -> None:
    """Whatever a spreadsheet has to put in quotes."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows([["a", "b"], *rows])
    table = read_table(SourceText("x.csv", out.getvalue()), delimiter, ())

    assert [[getattr(cell, "source", cell) for cell in row.values.values()] for row in table.rows] == rows


@given(st.dictionaries(CELLS, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | CELLS, min_size=1, max_size=4))
def test_any_object_reads_back_as_it_was_written(values: dict[str, Any]) -> None:
    """JSON Lines are JSON, with its escapes."""
    table = read_table(SourceText("x.jsonl", json.dumps(values) + "\n"), None, ())

    assert [{name: getattr(cell, "value", cell) for name, cell in row.values.items()} for row in table.rows] == [values]


def test_a_column_may_stand_in_a_key(tmp_path: Path) -> None:
    """An entity of a world is named by its row, and so is what is expected of it; two keys can't become one."""
    text = SUITE.replace("{rows}", "loans.csv").replace(
        'returns: "{{ answer }}"}]', 'returns: {"{{ id }}": {"of-{{ id }}": "{{ rate }}"}}}]'
    )
    root = project(tmp_path, TABLE)
    (root / "suites/a.yaml").write_text(text)
    assert answer(load(root), 0).returns == {"7": {"of-7": "3.4 %"}}
    assert answer(load(root), 1).returns == {"b-2": {"of-b-2": 'a "b"\nc'}}

    (root / "suites/a.yaml").write_text(text.replace('"of-{{ id }}"', '"{{ id }}": 1, "7"'))
    assert [str(one.place) for one in problems_of(root)] == ["suites/loans.csv:2:1"]
    (root / "suites/a.yaml").write_text(text.replace('"of-{{ id }}"', '"of-{{ idd }}"'))
    assert "has no column 'idd' (did you mean 'id'?)" in problems_of(root)[0].sentence


def test_a_cell_is_text_in_an_input_too(tmp_path: Path) -> None:
    """A table can't quote; what is a number or a flag says `numbers`, or JSON Lines."""
    root = project(tmp_path, "id,amount,critical,rate,answer\n7,1,true,2,3\n")
    added = SUITE.replace("{rows}", "loans.csv").replace(
        "    cluster:", '    inputs: {shop: ["{{ amount }}", "{{ critical }}"]}\n    cluster:'
    )
    (root / "suites/a.yaml").write_text(added)
    assert load(root).cases[0].inputs.values["shop"] == ["1", "true"]
