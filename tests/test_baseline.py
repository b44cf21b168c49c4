"""Baseline files: what is written is read again, in a form whose diff is the review, and nothing wrong is taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.baseline import baseline_name, load_baseline, match_baseline, render_baseline
from evalkit.errors import UsageError
from evalkit.records import Baseline, BaselineCase, Conditions
from tests.made_up_run import SUITE, case

CONDITIONS = Conditions("live", "claude-sonnet-5-5", "ab" * 8)
TODAY = date(2026, 11, 22)
COUNTS = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda c: BaselineCase("c" * 16, c[0], c[0] + c[1]))


def baseline(**changes: object) -> Baseline:
    """A baseline of two cases."""
    cases = {"a": BaselineCase("f" * 16, 5, 5), "b": BaselineCase("e" * 16, 4, 5, cost_usd=0.00123)}
    values = {"suite": SUITE, "blessed": "2026-11-20", "prompt_ref": "support@v2", "template_sha": "d" * 64}
    return Baseline(**{**values, "conditions": CONDITIONS, "rounds": 5, "cases": cases, **changes})  # type: ignore[arg-type]


@given(st.dictionaries(st.text(min_size=1, max_size=30), COUNTS, max_size=8), st.text(max_size=20))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, cases: dict[str, BaselineCase], ref: str) -> None:  # fmt: skip  # noqa: E501
    """Any ids, counts and names survive the file, and the same baseline is always the same bytes."""
    made = baseline(cases=cases, prompt_ref=ref)
    path = tmp_path_factory.getbasetemp() / "x.baseline.json"
    path.write_text(render_baseline(made), "utf-8")

    assert load_baseline(path, "x") == made
    assert render_baseline(made) == render_baseline(baseline(cases=dict(reversed(cases.items())), prompt_ref=ref))


def test_one_changed_case_is_one_changed_line() -> None:
    """The diff of two baselines shows the case that changed, and nothing else."""
    before = render_baseline(baseline()).splitlines()
    changed = {**baseline().cases, "b": BaselineCase("e" * 16, 3, 5, cost_usd=0.00123)}
    after = render_baseline(baseline(cases=changed)).splitlines()

    assert [line for line in after if line not in before] == [next(line for line in after if '"b"' in line)]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"baseline_version": 99}', render_baseline(baseline(cases={"a": BaselineCase("f" * 16, 7, 5)}))],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str) -> None:
    """What is no baseline, is newer, or counts more passes than trials ends with one line that says what to do."""
    path = tmp_path / "a.baseline.json"
    path.write_text(text, "utf-8")

    with pytest.raises(UsageError, match=r"evalkit"):
        load_baseline(path, "suites/a.baseline.json")


def test_no_file_is_no_baseline(tmp_path: Path) -> None:
    """A suite without the file has none; its name stands beside the suite's."""
    assert load_baseline(tmp_path / "a.baseline.json", "a") is None
    assert baseline_name("suites/returns.yaml") == "suites/returns.baseline.json"


@pytest.mark.parametrize(
    ("now", "use", "words"),
    [
        (CONDITIONS, "stored", ""),
        (Conditions("stand-in", "claude-sonnet-5-5", "ab" * 8, "", "0.1.0"), "none", "another source"),
        (Conditions("live", "claude-sonnet-5-5", "ab" * 8, "12" * 8), "none", "another judge"),
        (Conditions("live", "claude-haiku-5-5", "ab" * 8), "fresh", "claude-haiku-5-5"),
        (Conditions("live", "claude-sonnet-5-5", "cd" * 8), "fresh", "parameters"),
        (replace(CONDITIONS, tools="my_app.tools 3f9c"), "fresh", "this run uses the functions of my_app.tools 3f9c"),
    ],
)
def test_stored_trials_count_only_under_the_same_conditions(now: Conditions, use: str, words: str) -> None:
    """Source and judge make a baseline foreign; model, parameters and tools make it necessary to play it again."""
    cases = [case("a", sha="f" * 64), case("b", sha="e" * 64)]
    found = match_baseline(baseline(), "suites/lamps.baseline.json", cases, now, TODAY)

    assert found.use == use
    assert words in found.note


def test_changed_new_and_vanished_cases_are_told_apart() -> None:
    """A changed case is not compared, a new one is listed, one that is gone is listed too."""
    cases = [case("a", sha="0" * 64), case("c", sha="1" * 64)]
    found = match_baseline(baseline(cases={**baseline().cases, "c": BaselineCase("1" * 16, 5, 5)}), "x", cases, CONDITIONS, TODAY)  # fmt: skip  # noqa: E501

    assert (found.changed, found.new, found.vanished) == (("a",), (), ("b",))
    assert set(found.cases) == {"c"}
    nothing = match_baseline(baseline(), "x", [case("a", sha="0" * 64)], CONDITIONS, TODAY)
    assert nothing.use == "none"
    assert "evalkit bless" in nothing.note


def test_which_rules_broke_is_told_by_case_or_not_at_all() -> None:
    """A file with rules by case tells them; of one that has only their sum it is unknown, never none."""

    def matched(**changes: object) -> tuple[list[object], bool]:
        record = case("a", sha="f" * 64)
        found = match_baseline(baseline(**changes), "b", [record], CONDITIONS, TODAY)
        return [stored.broken for stored in found.cases.values()], found.broken_by_case

    cases = {"a": BaselineCase("f" * 16, 5, 5, broken={"says": 1})}
    assert matched(cases=cases, rules={"says": 1}) == ([{"says": 1}], True)
    assert matched(rules={}) == ([{}], True)
    assert matched(rules={"says": 1})[1] is False
