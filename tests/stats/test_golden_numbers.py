"""The mathematics of the gate against numbers computed elsewhere: scipy, statsmodels, and enumeration of all tables.

The cases stand here as figures. Where EVALKIT_AGREEMENT_DATA names a folder that holds gate-golden.json, the whole set
is read from there too.
"""

from __future__ import annotations

import pytest

from evalkit import stats
from evalkit.stats import Stratum

ABS = 6e-7
D1 = [(5, 5, 5, 5), (5, 5, 0, 5), (5, 5, 5, 5), (4, 5, 4, 5), (3, 5, 1, 5), (5, 5, 4, 5), (0, 5, 0, 5), (2, 5, 3, 5)]
D2 = [(10, 10, 0, 1), (10, 10, 1, 2), (9, 10, 1, 1), (5, 5, 3, 5), (4, 10, 1, 2), (8, 8, 1, 1), (0, 10, 0, 1)]
D3 = [(5, 5, 1, 1)] * 6
D4 = [(8, 8, 0, 8)]
D5 = [(0, 5, 5, 5), (2, 5, 5, 5), (5, 5, 5, 5)]
D6 = [(1, 1, 0, 1)] * 6 + [(0, 1, 1, 1)] + [(1, 1, 1, 1)] * 5


def strata(counts: list[tuple[int, int, int, int]]) -> list[Stratum]:
    """Return counts as strata."""
    return [Stratum(*count) for count in counts]


@pytest.mark.parametrize(
    ("counts", "breadth", "score", "breaks", "both"),
    [
        (D1, 0.032936, 43, 0.003176, 0.006351),
        (D2, 0.033111, 12, 0.010734, 0.021468),
        (D3, 1, 0, 1, 1),
        (D4, 0.000078, 110, 0.000078, 0.000155),
        (D5, 1, -2, 1, 1),
        (D6, 0.0625, 5, 0.0625, 0.125),
    ],
    ids=["equal", "unequal", "all-pass", "one-case", "improved", "mcnemar"],
)
def test_breadth_and_break(
    counts: list[tuple[int, int, int, int]], breadth: float, score: int, breaks: float, both: float
) -> None:
    """Breadth, break and their union are the enumerated p values."""
    found = stats.gate_p(strata(counts))

    assert (found.breadth, found.breaks, found.p) == pytest.approx((breadth, breaks, both), abs=ABS)
    assert stats.break_score(strata(counts)) == score


@pytest.mark.parametrize(
    ("counts", "plain", "adjusted"),
    [
        (
            D1,
            (1, 0.003968, 1, 0.777778, 0.261905, 0.5, 1, 0.896825),
            (1, 0.007921, 1, 0.992725, 0.538275, 0.928241, 1, 0.99969),
        ),
        (
            D2,
            (0.090909, 0.166667, 1, 0.222222, 0.848485, 1, 1),
            (0.173554, 0.311295, 1, 0.46434, 0.976811, 1, 1),
        ),
        (D6, (0.5,) * 6 + (1,) * 6, (0.992188,) * 6 + (1,) * 6),
    ],
    ids=["equal", "unequal", "mcnemar"],
)
def test_case_p(counts: list[tuple[int, int, int, int]], plain: tuple[float, ...], adjusted: tuple[float, ...]) -> None:
    """Each case's p is Fisher's, and the adjusted one is the exact single-step min-p."""
    assert [stats.case_p(case) for case in strata(counts)] == pytest.approx(plain, abs=ABS)
    assert stats.adjusted_case_p(strata(counts)) == pytest.approx(adjusted, abs=ABS)


@pytest.mark.parametrize(
    ("k_a", "k_b", "passes", "scores"),
    [
        (5, 5, 0, (0,)),
        (5, 5, 4, (20, 0, -1, -1, -1)),
        (5, 5, 5, (44, 2, -1, -1, -1, -1)),
        (5, 5, 9, (1, -1)),
        (10, 1, 3, (0, -1)),
        (10, 1, 10, (7, -1)),
    ],
)
def test_break_scores(k_a: int, k_b: int, passes: int, scores: tuple[int, ...]) -> None:
    """The break statistic scores each outcome of a case as tabulated."""
    assert stats.break_scores(stats.Margins(k_a, k_b, passes)) == scores


@pytest.mark.parametrize(
    ("passed", "n", "wilson", "exact"),
    [
        (0, 5, (0, 0.434482), (0, 0.521824)),
        (4, 5, (0.375535, 0.963776), (0.283582, 0.994949)),
        (10, 10, (0.722467, 1), (0.691503, 1)),
        (45, 50, (0.786398, 0.956524), (0.781865, 0.966725)),
        (59, 59, (0.938871, 1), (0.939391, 1)),
    ],
)
def test_proportions(passed: int, n: int, wilson: tuple[float, float], exact: tuple[float, float]) -> None:
    """Wilson's and Clopper-Pearson's intervals are scipy's and statsmodels'."""
    assert stats.wilson_interval(passed, n) == pytest.approx(wilson, abs=ABS)
    assert stats.exact_interval(passed, n) == pytest.approx(exact, abs=ABS)


@pytest.mark.parametrize(
    ("passed", "n", "k", "every"),
    [(6, 8, 1, 0.75), (6, 8, 2, 0.535714), (6, 8, 4, 0.214286), (5, 5, 5, 1), (3, 4, 4, 0)],
)
def test_chances_over_k_trials(passed: int, n: int, k: int, every: float) -> None:
    """pass^k is the share of all draws."""
    assert stats.all_pass_chance(passed, n, k) == pytest.approx(every, abs=ABS)


def test_clean_trials() -> None:
    """What clean trials prove, and how many a wished rate needs."""
    clean = [1, 3, 5, 10, 20, 29, 59, 299]
    shown = [0.05, 0.368403, 0.54928, 0.741134, 0.860892, 0.901855, 0.950492, 0.990031]

    assert [stats.rate_shown_by(k) for k in clean] == pytest.approx(shown, abs=ABS)
    assert [stats.clean_trials_for(rate) for rate in (0.9, 0.95, 0.99)] == [29, 59, 299]


def test_paired_interval() -> None:
    """The interval of the mean difference has its two pseudo-cases, by cases and by clusters."""
    d = [0.0, -1.0, 0.0, 0.0, -0.4, -0.2, 0.0, 0.2, 0.2, 0.0, -0.6, 0.0]
    groups = [n // 3 for n in range(12)]
    plain, clustered = stats.paired_interval(d, 5), stats.paired_interval(d, 5, groups)

    assert plain is not None
    assert clustered is not None
    assert (plain.mean, plain.se, plain.low, plain.high) == pytest.approx(
        (-0.15, 0.104809, -0.338224, 0.038224), abs=ABS
    )
    assert (clustered.se, clustered.low, clustered.high) == pytest.approx((0.102535, -0.391303, 0.091303), abs=ABS)


def test_interval_without_variation() -> None:
    """Where nothing changed the interval is not a point."""
    found = stats.paired_interval([0.0] * 20, 5)

    assert found is not None
    assert (found.se, found.low) == pytest.approx((0.01451, -0.025089), abs=ABS)


def test_ratios() -> None:
    """The ratio of costs is the geometric mean over cases with its interval, and the invoice's is that of the sums."""
    a = [1.2, 0.85, 2.4, 0.6, 3.1, 1.75, 0.95, 1.4]
    b = [1.38, 0.9, 2.95, 0.66, 3.05, 2.2, 1.1, 1.61]
    found = stats.ratio_interval(a, b)

    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx((1.132796, 1.074377, 1.194392), abs=ABS)
    assert stats.ratio_of_totals(a, b) == pytest.approx(1.130612, abs=ABS)


def test_several_p_values() -> None:
    """Holm's and Benjamini-Hochberg's adjusted values are statsmodels'."""
    p = [0.001, 0.011, 0.02, 0.04, 0.2, 0.7]

    assert stats.holm(p) == pytest.approx([0.006, 0.055, 0.08, 0.12, 0.4, 0.7], abs=ABS)
    assert stats.benjamini_hochberg(p) == pytest.approx([0.006, 0.033, 0.04, 0.06, 0.24, 0.7], abs=ABS)
    assert stats.holm(p[::-1]) == pytest.approx([0.7, 0.4, 0.12, 0.08, 0.055, 0.006], abs=ABS)


@pytest.mark.parametrize(
    ("shape", "k_a", "k_b", "drop"),
    [
        (stats.SuiteShape(100, 0.03, 0.94), 5, 1, 0.068337),
        (stats.SuiteShape(100, 0.03, 0.94), 5, 3, 0.044312),
        (stats.SuiteShape(20, 0.03, 0.94), 5, 5, 0.10742),
        (stats.SuiteShape(50, 0.0, 1.0), 5, 2, 0.04226),
    ],
)
def test_detectable_drop(shape: stats.SuiteShape, k_a: int, k_b: int, drop: float) -> None:
    """The smallest drop that is seen solves the planning formula."""
    assert stats.detectable_drop(shape, k_a, k_b) == pytest.approx(drop, abs=ABS)


def test_population_planning() -> None:
    """The cases that a difference needs are those of Miller's example."""
    assert stats.cases_for(0.03, 1 / 9) == pytest.approx(968.997498, abs=1e-6)
