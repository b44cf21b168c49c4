"""A pass rate judged everywhere and labelled on a sample: against ppi_py's figures, against chance, and by its laws."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats import powered_rate

Pairs = list[tuple[bool, bool]]


def pairs(both: int, person: int, judge: int, neither: int) -> Pairs:
    """Return labels: yes of both, of the person alone, of the judge alone, of neither."""
    counts = ((True, True), both), ((True, False), person), ((False, True), judge), ((False, False), neither)
    return [pair for pair, count in counts for _ in range(count)]


@pytest.mark.parametrize(
    ("labels", "yes", "others", "rate"),
    [
        (pairs(30, 5, 10, 5), 130, 200, 0.678029),
        (pairs(45, 2, 1, 2), 510, 600, 0.921642),
        (pairs(20, 20, 20, 20), 70, 100, 0.5),
    ],
)
def test_the_rate_is_that_of_the_papers_own_code(labels: Pairs, yes: int, others: int, rate: float) -> None:
    """ppi_py 0.2.3, `ppi_mean_pointestimate` with its tuned weight, up to the divisors of its variances."""
    found = powered_rate(labels, yes, others)

    assert found is not None
    assert found.rate == pytest.approx(rate, abs=2e-4)


def test_the_interval_of_a_large_sample_is_that_of_the_papers_own_code() -> None:
    """Pseudo-pairs and Student's quantile no longer show: `ppi_mean_ci` says 0.665456 to 0.690428."""
    found = powered_rate(pairs(3000, 500, 1000, 500), 13_000, 20_000)

    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.665456, 0.690428), abs=2e-4)


@pytest.mark.parametrize("truth", [0.5, 0.9, 0.98])
@pytest.mark.parametrize(("hit", "right"), [(1.0, 1.0), (0.95, 0.8), (0.8, 0.5), (0.5, 0.5)])
def test_the_interval_holds_the_truth_in_95_of_100_samples(truth: float, hit: float, right: float) -> None:
    """For a perfect judge, a good one, a lenient one and a coin: `hit` and `right` are its shares on true and false."""
    draw, samples, held = random.Random(11), 500, 0
    for _ in range(samples):
        answers = []
        for _ in range(120):
            person = draw.random() < truth
            answers.append((person, draw.random() < (hit if person else 1 - right)))
        found = powered_rate(answers[:30], sum(judge for _, judge in answers[30:]), 90)
        held += found is not None and found.low <= truth <= found.high
    assert held / samples >= 0.935  # 0.95 but for what 500 samples may miss by chance


def test_a_good_judge_makes_the_interval_narrower_than_the_labels_alone() -> None:
    """Forty labels on 440 answers tell more than forty labels, when the judge errs rarely."""
    alone, powered = powered_rate(pairs(30, 0, 0, 10), 0, 0), powered_rate(pairs(29, 1, 1, 9), 300, 400)

    assert alone is not None
    assert powered is not None
    assert powered.high - powered.low < 0.7 * (alone.high - alone.low)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40), st.integers(0, 50), st.integers(0, 9)
)
def test_a_corrected_rate_obeys_its_laws(labels: Pairs, yes: int, no: int) -> None:
    """It lies in its interval, turns around with yes and no, and without a telling judge is the labels' own mean."""
    found = powered_rate(labels, yes, yes + no)
    turned = powered_rate([(not person, not judge) for person, judge in labels], no, yes + no)

    assert found is not None
    assert turned is not None
    assert 0 <= found.low <= found.rate <= found.high <= 1
    assert (turned.rate, turned.low) == pytest.approx((1 - found.rate, 1 - found.high), abs=1e-9)
    if not found.trust or not yes + no:
        assert found.rate == pytest.approx(sum(person for person, _ in labels) / len(labels))


def test_one_label_says_nothing() -> None:
    """Below two there is no spread to tell; impossible counts are refused."""
    assert powered_rate([(True, True)], 5, 10) is None
    with pytest.raises(ValueError, match="impossible"):
        powered_rate(pairs(2, 0, 0, 0), 3, 2)
