"""JUnit XML: valid, complete, and never a better verdict than the gate's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from evalkit.analysis import analyse
from evalkit.gate import judge
from evalkit.reporting import render_junit
from tests.made_up_run import PASSED, MadeUpRun, case, request, run_of, score, trial, trials, turn
from tests.reporting.showcase import showcase

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).parent.parent / "data" / "junit.xsd"))


def rendered(run: MadeUpRun) -> bytes:
    """Return the XML of a run."""
    analysis = analyse(run)
    return render_junit(analysis.summary, judge(analysis.summary), analysis.details)


def parsed(run: MadeUpRun) -> Element:
    """Return the XML of a run as a tree."""
    return fromstring(rendered(run))  # noqa: S314 - our own


def cases_of(run: MadeUpRun) -> dict[str, Element]:
    """Return the testcases by name."""
    return {str(one.get("name")): one for one in parsed(run).iter("testcase")}


def kinds(element: Element) -> list[str]:
    """Return what is in a testcase."""
    return [child.tag for child in element]


def test_everything_a_run_can_hold_is_valid() -> None:
    """The run with every verdict and hostile text in it keeps the common schema."""
    SCHEMA.validate(rendered(showcase()).decode())


@given(text=st.text())
def test_any_text_is_valid(text: str) -> None:
    """Whatever characters a case id or a reason to skip holds, the XML keeps the schema."""
    run = run_of({}, cases=[case("x" + text), case("y", skip=text)])
    SCHEMA.validate(rendered(run).decode())


@pytest.mark.parametrize(
    ("marks", "changes", "expected"),
    [
        ("ppp", {}, []),
        ("ppf", {}, ["system-out"]),
        ("fff", {}, ["failure"]),
        ("nnn", {}, ["error"]),
        ("...", {}, ["error"]),
        ("fff", {"gated": False}, ["skipped"]),
        ("...", {"skip": "later"}, ["skipped"]),
    ],
)
def test_each_verdict_has_its_element(marks: str, changes: dict[str, Any], expected: list[str]) -> None:
    """Failed is failure, not measured error, watched or skipped is skipped, unstable passes with its trials."""
    run = run_of({"a": marks, "b": "ppp"}, cases=[case("a", **changes), case("b")])
    assert kinds(cases_of(run)["a"]) == expected


def test_a_failure_says_what_the_terminal_says_and_where() -> None:
    """A failed case has its file and line, one failure, and in it the place of the assertion and the command."""
    failed = cases_of(showcase())["lookup-keeps-failing"]
    assert (failed.get("file"), failed.get("line")) == ("suites/late parcels.yaml", "95")
    (failure,) = failed
    assert "on its way" in str(failure.text)
    assert "evalkit run" in str(failure.text)


def test_the_gate_has_a_testcase_of_its_own() -> None:
    """A run without a verdict is red for a reader that only counts, even when every case passed."""
    run = run_of({"a": "ppp"}, end=None)
    assert kinds(cases_of(run)["a"]) == []
    assert kinds(cases_of(run)["verdict of the run"]) == ["error"]
    assert parsed(run).get("errors") == "1"


def test_numbers_add_up() -> None:
    """The totals are the sums of the testsuites, and those count their testcases."""
    root = parsed(showcase())
    for name, tag in (("failures", "failure"), ("errors", "error")):
        found = len(list(root.iter(tag)))
        assert root.get(name) == str(found) == str(sum(int(str(one.get(name))) for one in root))
    assert root.get("tests") == str(len(list(root.iter("testcase"))))


def test_a_suite_says_source_prompt_and_cost() -> None:
    """Properties of a testsuite name the source, the prompt version and the cost."""
    names = {one.get("name"): one.get("value") for one in parsed(showcase())[0].iter("property")}
    assert str(names["source"]).startswith("stand-in model")
    assert names["prompt"] == "support@v2"
    assert float(str(names["cost_usd"])) > 0


def test_times_add_up_over_trials_and_cases() -> None:
    """A testcase takes as long as all replies of its trials, a testsuite as its cases; waiting is not counted."""
    slow = request(total_ms=2000.0, waited_ms=60_000.0)
    played = [*trials("a", "pp"), trial("a", 3, score(PASSED), turns=[replace(turn(), requests=(slow,))])]
    run = MadeUpRun([case("a"), case("b"), case("c")], [*played, *trials("b", "pfn")])
    found = {name: one.get("time") for name, one in cases_of(run).items()}

    assert (found["a"], found["b"], found["c"]) == ("4.400", "2.400", "0.000")
    assert parsed(run)[0].get("time") == parsed(run).get("time") == "6.800"
