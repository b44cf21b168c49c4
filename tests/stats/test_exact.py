"""Laws of the exact tests: they are what counting every table gives, for any counts and in any order."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats import (
    Stratum,
    adjusted_case_p,
    benjamini_hochberg,
    break_scores,
    case_p,
    gate_p,
    holm,
    null_law,
    paired_interval,
)


@st.composite
def strata(draw: st.DrawFn, most: int = 4) -> Stratum:
    """A case with a few trials in each arm."""
    k_a, k_b = draw(st.integers(1, most)), draw(st.integers(1, most))
    return Stratum(draw(st.integers(0, k_a)), k_a, draw(st.integers(0, k_b)), k_b)


CASES = st.lists(strata(), min_size=1, max_size=4)


def by_enumeration(cases: list[Stratum]) -> tuple[float, float]:
    """Return breadth and break p by walking over every table with the observed margins."""
    scores = [break_scores(case.margins) for case in cases]
    places = [case.b - case.margins.lowest for case in cases]
    total, score = sum(places), sum(s[i] for s, i in zip(scores, places, strict=True))
    breadth = breaks = 0.0
    for table in itertools.product(*(range(len(null_law(case.margins))) for case in cases)):
        chance = math.prod(float(null_law(case.margins)[x]) for case, x in zip(cases, table, strict=True))
        breadth += chance if sum(table) <= total else 0.0
        breaks += chance if sum(s[x] for s, x in zip(scores, table, strict=True)) >= score else 0.0
    return breadth, breaks


@given(CASES)
def test_both_tests_count_every_table(cases: list[Stratum]) -> None:
    """Breadth and break are the chance of a table at least as bad, over all tables with the same margins."""
    assert tuple(gate_p(cases)) == pytest.approx(by_enumeration(cases), abs=1e-12)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 8))
def test_the_null_law_is_a_law(k_a: int, k_b: int, passes: int) -> None:
    """The candidate's passes have a hypergeometric law, whose case p at the far end is 1."""
    case = Stratum(min(passes, k_a), k_a, min(max(0, passes - k_a), k_b), k_b)

    assert float(null_law(case.margins).sum()) == pytest.approx(1)
    assert (
        case_p(case._replace(a=case.margins.passes - min(k_b, case.margins.passes), b=min(k_b, case.margins.passes)))
        == 1
    )


@given(CASES, st.randoms())
def test_order_does_not_matter(cases: list[Stratum], chance: object) -> None:
    """The cases may come in any order."""
    mixed = sorted(cases, key=lambda case: (case.b, case.k_a, case.a))

    assert tuple(gate_p(mixed)) == pytest.approx(tuple(gate_p(cases)), abs=1e-12)


@given(CASES)
def test_one_pass_fewer_is_never_better(cases: list[Stratum]) -> None:
    """A candidate pass that becomes a baseline pass never raises the breadth p."""
    first = cases[0]
    if first.b == 0 or first.a == first.k_a:
        return
    worse = [first._replace(a=first.a + 1, b=first.b - 1), *cases[1:]]

    assert gate_p(worse).breadth <= gate_p(cases).breadth + 1e-12


@given(CASES)
def test_adjusting_makes_a_case_p_larger_and_keeps_the_order(cases: list[Stratum]) -> None:
    """An adjusted p is at least the plain one, at most 1, and sorts the cases the same way."""
    plain, adjusted = [case_p(case) for case in cases], adjusted_case_p(cases)

    assert all(p - 1e-9 <= q <= 1 for p, q in zip(plain, adjusted, strict=True))
    assert all(
        q <= other_q + 1e-9
        for (p, q), (other_p, other_q) in itertools.product(zip(plain, adjusted, strict=True), repeat=2)
        if p < other_p
    )


@given(CASES)
def test_adjusted_case_p_is_the_chance_of_the_smallest(cases: list[Stratum]) -> None:
    """The adjusted p of the best evidence is the chance that any case reaches it, over all tables."""
    smallest = min(case_p(case) for case in cases)
    reach = 0.0
    for table in itertools.product(*(range(len(null_law(case.margins))) for case in cases)):
        laws = [null_law(case.margins) for case in cases]
        chance = math.prod(float(law[x]) for law, x in zip(laws, table, strict=True))
        hit = any(float(law[: x + 1].sum()) <= smallest * (1 + 1e-9) for law, x in zip(laws, table, strict=True))
        reach += chance if hit else 0.0

    assert min(adjusted_case_p(cases)) == pytest.approx(reach, abs=1e-9)


def test_a_thousand_cases_are_exact_too() -> None:
    """A thousand cases of five trials each give a p that fits the normal limit of the same sum."""
    cases = [Stratum(4, 5, 4, 5)] * 980 + [Stratum(5, 5, 3, 5)] * 20
    mean = sum(float(null_law(c.margins) @ range(len(null_law(c.margins)))) + c.margins.lowest for c in cases)
    var = sum(5 * 5 * c.margins.passes * (10 - c.margins.passes) / (100 * 9) for c in cases)
    z = (sum(c.b for c in cases) + 0.5 - mean) / math.sqrt(var)

    assert gate_p(cases).breadth == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2)), abs=2e-3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_never_milder_than_benjamini_hochberg(values: list[float]) -> None:
    """Both adjustments lie between the plain values and 1, Holm's above the other's."""
    for p, q, strict in zip(values, benjamini_hochberg(values), holm(values), strict=True):
        assert p <= q + 1e-15 <= strict + 2e-15
        assert strict <= 1


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.integers(1, 10))
def test_clusters_of_one_are_no_clusters(differences: list[float], trials: int) -> None:
    """With a cluster for each case, or one for all, the interval is the plain one."""
    plain = paired_interval(differences, trials)

    assert paired_interval(differences, trials, list(range(len(differences)))) == plain
    assert paired_interval(differences, trials, ["all"] * len(differences)) == plain
    assert paired_interval(differences[:1], trials) is None
