"""By tag and by rule: exact one-sided p over the cases, q values over all of a kind, and nothing that is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.analysis import collect_arms
from evalkit.gate.breakdown import compare_rules, compare_tags
from evalkit.records import Arm, BaselineCase, BaselineRecord, CaseChange, ComparedCase, Counts, Trial
from evalkit.stats import Stratum, benjamini_hochberg, breadth_p
from tests.made_up_run import FAILED, NOT_MEASURED, PASSED, SUITE, case, score, trial, voice


def compared(case_id: str, before: Counts, now: Counts) -> ComparedCase:
    """A case in both arms."""
    return ComparedCase((SUITE, case_id), CaseChange.NOISE, before, now)


BOTH = [
    compared("a", Counts(5), Counts(0, 5)),
    compared("b", Counts(5), Counts(5)),
    compared("c", Counts(4, 1), Counts(5)),
]
TAGGED = [case("a", tags=("returns", "smoke")), case("b", tags=("smoke",)), case("c", tags=("tone",))]


def test_a_tag_is_tested_over_its_cases() -> None:
    """Counts are sums over the tag's cases, p is exact and stratified by case, the likeliest fall stands first."""
    found = {change.name: change for change in compare_tags(TAGGED, BOTH)}

    assert list(found) == ["returns", "smoke", "tone"]
    assert (found["smoke"].baseline, found["smoke"].candidate, found["smoke"].cases) == (Counts(10), Counts(5, 5), 2)
    assert found["smoke"].p == breadth_p([Stratum(5, 5, 0, 5), Stratum(5, 5, 5, 5)])
    assert found["tone"].p == 1.0
    assert [change.q for change in found.values()] == benjamini_hochberg([change.p for change in found.values()])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=6))
def test_q_is_never_below_p(passes: list[tuple[int, int]]) -> None:
    """Whatever was seen, q is a probability and not smaller than p."""
    cases = [case(f"c{n}", tags=(f"t{n % 3}",)) for n in range(len(passes))]
    both = [compared(f"c{n}", Counts(a, 5 - a), Counts(b, 5 - b)) for n, (a, b) in enumerate(passes)]
    for change in compare_tags(cases, both):
        assert 0 <= change.p <= change.q <= 1


def test_a_case_without_a_verdict_in_an_arm_counts_nowhere() -> None:
    """A tag of which no case was measured on both sides is left out."""
    assert compare_tags([case("a", tags=("x",))], [compared("a", Counts(5), Counts(0, 0, 5))]) == ()


def test_intervals_are_told_from_ten_cases_on() -> None:
    """Wilson's interval counts cases, not trials of the same case."""
    cases = [case(f"c{n}", tags=("wide",)) for n in range(10)]
    both = [compared(f"c{n}", Counts(5), Counts(4, 1)) for n in range(10)]
    (wide,) = compare_tags(cases, both)
    (narrow,) = compare_tags(cases[:9], both[:9])

    assert wide.candidate_interval == pytest.approx((0.490, 0.943), abs=0.001)
    assert narrow.candidate_interval is None


def checked(arm: Arm, *brief: object) -> list[Trial]:
    """Trials of case a with the rule voice/brief broken, held or not measured."""
    trials = [trial("a", n, score(PASSED), voice("brief", verdict)) for n, verdict in enumerate(brief, 1)]  # type: ignore[arg-type]
    return [replace(each, key=replace(each.key, arm=arm)) for each in trials]


def test_rules_of_two_played_arms() -> None:
    """Trials in which a rule was not measured count on neither side."""
    played = checked(Arm.BASELINE, PASSED, PASSED, PASSED) + checked(Arm.CANDIDATE, FAILED, FAILED, NOT_MEASURED)
    found = {change.name: change for change in compare_rules([BOTH[0]], (), collect_arms(played))}

    assert (found["voice/brief"].baseline, found["voice/brief"].candidate) == (Counts(3), Counts(0, 2))
    assert found["voice/brief"].p == breadth_p([Stratum(3, 3, 0, 2)])


def test_rules_against_a_stored_baseline() -> None:
    """Of stored trials the broken ones are known by case; a baseline that has the sum only is left out."""
    arms = collect_arms(checked(Arm.CANDIDATE, FAILED, FAILED, PASSED))

    def stored(broken: dict[str, int] | None) -> tuple[BaselineRecord, ...]:
        kept = {"a": BaselineCase("", 5, 5, broken=broken or {})}
        return (
            BaselineRecord(
                SUITE,
                "b",
                "stored",
                "support@v1",
                "x",
                cases=kept,
                rules={"voice/brief": 1},
                broken_by_case=broken is not None,
            ),
        )

    (change, says) = compare_rules([BOTH[0]], stored({"voice/brief": 1}), arms)
    assert (change.name, change.baseline, change.candidate) == ("voice/brief", Counts(4, 1), Counts(1, 2))
    assert (says.name, says.baseline) == ("says", Counts(5))
    assert compare_rules([BOTH[0]], stored(None), arms) == ()
