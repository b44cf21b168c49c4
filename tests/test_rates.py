"""How often single trials pass: rates, intervals, pass^k and flaky cases, of a case, a tag, a rule and a run."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.analysis import summarise
from evalkit.analysis.metrics import case_rate
from evalkit.reporting.wording import trial_rate_in_words
from tests.made_up_run import FAILED, NOT_MEASURED, PASSED, MadeUpRun, case, score, trial, trials


@given(st.integers(0, 6), st.integers(0, 6))
def test_pass_k_is_the_share_of_draws_that_all_passed(passed: int, failed: int) -> None:
    """Counted out: of all ways to draw k of a case's trials, the share without a failure."""
    outcomes = [True] * passed + [False] * failed
    rate = case_rate(passed, failed)
    if rate is None:
        assert not outcomes
        return
    for k, chance in enumerate(rate.pass_k, 1):
        draws = list(combinations(outcomes, k))
        assert chance == pytest.approx(float(Fraction(sum(all(draw) for draw in draws), len(draws))))
    assert rate.flaky == int(0 < passed < len(outcomes))


def test_the_run_and_its_tags_count_trials_and_average_pass_k_over_cases() -> None:
    """Three of three and one of three: 4 of 6, pass^1 2/3, pass^2 1/2, and one case is flaky."""
    run = MadeUpRun([case("a", tags=("t",)), case("b", tags=("t",))], [*trials("a", "ppp"), *trials("b", "pff")])

    summary = summarise(run)

    rate = summary.trial_rate
    assert rate is not None
    assert (rate.passed, rate.trials, rate.cases, rate.flaky, rate.interval) == (4, 6, 2, 1, None)
    assert rate.pass_k == pytest.approx((2 / 3, 1 / 2, 1 / 2))
    assert summary.tags[0].trial_rate == rate
    assert [one.flaky for one in summary.cases] == [False, True]
    assert trial_rate_in_words(rate) == "4 of 6 trials passed, pass^3 0.50, 1 flaky case"


def test_an_interval_counts_clusters_from_ten_on() -> None:
    """Twelve cases have an interval; as one cluster they are one piece of evidence and have none."""
    ids = [f"c{n}" for n in range(12)]
    played = [trial for one in ids for trial in trials(one, "pp")]

    apart = summarise(MadeUpRun([case(one) for one in ids], played)).trial_rate
    together = summarise(MadeUpRun([case(one, cluster="all") for one in ids], played)).trial_rate

    assert apart is not None
    assert together is not None
    assert apart.interval == pytest.approx((0.7575, 1.0), abs=1e-4)
    assert together.interval is None


def test_what_was_not_measured_is_in_no_rate() -> None:
    """A trial without a verdict is neither passed nor failed; without any there is no rate at all."""
    some = summarise(MadeUpRun([case("a")], trials("a", "pnf"))).trial_rate
    none = summarise(MadeUpRun([case("a")], trials("a", "nnn"))).trial_rate

    assert some is not None
    assert (some.passed, some.trials) == (1, 2)
    assert none is None


def test_a_rule_counts_the_trials_in_which_all_of_it_held() -> None:
    """Two assertions of one rule: a trial in which one of them broke is lost, an unmeasured trial is no trial."""
    verdicts = [(PASSED, PASSED), (PASSED, FAILED), (NOT_MEASURED, NOT_MEASURED)]
    played = [trial("a", n, score(one, "says x"), score(other, "says y")) for n, (one, other) in enumerate(verdicts, 1)]
    (rule,) = summarise(MadeUpRun([case("a")], played)).rules

    assert rule.trial_rate is not None
    assert (rule.trial_rate.passed, rule.trial_rate.trials, rule.trial_rate.flaky) == (1, 2, 1)
    assert rule.trial_rate.pass_k == (0.5, 0.0)
    assert (rule.broken, rule.measured, rule.not_measured) == (1, 2, 1)
